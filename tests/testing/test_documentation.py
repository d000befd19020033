"""The code in docs/testing.md runs."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
CONFIG = """\
name: prices
source: {kafka: {topics: [ticks]}}
codec: {json: {fields: {price: float64}}}
features: [price]
deadline: {budget: 20ms}
model: {executor: simulated}
sink: {kafka: {topic: decisions}}
"""


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_the_block_runs(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pipeline.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(BLOCKS[number], f"{PAGE.name}, block {number}", "exec"), names)  # noqa: S102
    for name, test in names.items():
        if name.startswith("test_") and callable(test):
            test()
