"""``python -m streamproc.slo [ROOT]``: write what is generated: files of ``deploy/``, and the schema of alerts."""

import json
import sys
from pathlib import Path

from streamproc.slo.alerts import json_schema
from streamproc.slo.deployment import files


def write(root: Path) -> None:
    """Write them.

    Args:
        root: the repository.
    """
    for name, text in files().items():
        path = root / "deploy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    schema = json.dumps(json_schema(), indent=2) + "\n"
    (root / "schemas" / "alert.schema.json").write_text(schema, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path())
