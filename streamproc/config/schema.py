"""The JSON Schema of the file, for editors and for checks outside of streamproc."""

from typing import Any

from pydantic import TypeAdapter

from streamproc.config.shape import section_type
from streamproc.config.spec import PipelineConfig

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The schema of a pipeline's file, draft 2020-12; texts may hold ``${env:...}`` references as well."""
    schema = TypeAdapter(section_type(PipelineConfig)).json_schema()
    definitions = {
        name: _with_bare_names(definition) if name.endswith("Choice") else definition
        for name, definition in sorted(schema.pop("$defs").items())
    }
    schema.pop("title")
    objectives = schema["properties"]["slo"]
    path = {"type": "string", "description": "An OpenSLO file."}
    objectives["items"] = {"anyOf": [path, objectives["items"]]}
    _drop_titles(definitions)
    _drop_titles(schema)
    return {
        "$schema": DIALECT,
        "title": "streamproc pipeline",
        **schema,
        "$defs": definitions,
    }


def _with_bare_names(choice: dict[str, Any]) -> dict[str, Any]:
    """``executor: simulated`` and ``simulated:`` with nothing behind it mean all defaults."""
    names = list(choice["properties"])
    description = choice.pop("description")
    return {"description": description, "anyOf": [{"enum": names}, choice]}


def _drop_titles(schema: dict[str, Any]) -> None:
    """Without the titles that pydantic makes of the keys: they say the same again."""
    for section in (schema, *schema.values()):
        if isinstance(section, dict):
            for entry in section.get("properties", {}).values():
                entry.pop("title", None)
