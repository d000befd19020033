"""What docs/tracing.md says can be written, and the variables that it names are read."""

import re
from pathlib import Path

import pytest

from tests.config.conftest import Read

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tracing.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_the_block_is_a_part_of_a_file(read: Read, minimal: str, number: int) -> None:
    loaded = read(minimal + BLOCKS[number], environ={"OTLP_TOKEN": "secret"})
    assert loaded.config.telemetry.traces is not None
    assert "secret" not in repr(loaded.config)


def test_the_variables_are_those_that_are_read() -> None:
    code = "".join(
        (ROOT / "streamproc" / "telemetry" / name).read_text()
        for name in ("otlp_settings.py", "otlp_transports.py", "options.py")
    )
    named = set(re.findall(r"`(OTEL_[A-Z_]+)", PAGE))
    assert "OTEL_SERVICE_NAME" in named
    unread = {
        name
        for name in named
        if name not in code and f'"{name.removeprefix("OTEL_EXPORTER_OTLP_")}"' not in code
    }
    assert unread == {"OTEL_TRACES_SAMPLER"}
