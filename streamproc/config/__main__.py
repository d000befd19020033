"""``python -m streamproc.config [ROOT]``: write what is generated: the schemas and the reference."""

import json
import sys
from pathlib import Path

from streamproc.codecs.decision_form import AVRO, PROTO
from streamproc.config.reference import with_reference
from streamproc.config.schema import json_schema
from streamproc.connectors.capture import proto_text


def write(root: Path) -> None:
    """Write ``schemas/config.schema.json``, ``schemas/capture.proto`` and the reference in ``docs/configuration.md``.

    Args:
        root: the repository.
    """
    schema = json.dumps(json_schema(), indent=2) + "\n"
    (root / "schemas" / "config.schema.json").write_text(schema, encoding="utf-8")
    (root / "schemas" / "capture.proto").write_text(proto_text(), encoding="utf-8")
    avro = json.dumps(AVRO, indent=2) + "\n"
    (root / "schemas" / "decision.avsc").write_text(avro, encoding="utf-8")
    (root / "schemas" / "decision.proto").write_text(PROTO, encoding="utf-8")
    page = root / "docs" / "configuration.md"
    page.write_text(with_reference(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path())
