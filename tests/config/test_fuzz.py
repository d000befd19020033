"""Configuration files that were damaged, and any text: read, or refused with words; never anything else."""

from copy import deepcopy
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from streamproc.config import parse
from streamproc.core import ConfigError
from tests.cli.support import MARKET, SENSOR
from tests.support.fuzzing import examples

EXAMPLES = examples(150)
FILES = [MARKET.read_text(encoding="utf-8"), SENSOR.read_text(encoding="utf-8")]
SCALARS = st.sampled_from(
    [None, True, 0, -1, 1 << 70, 1.5, float("inf"), float("nan"), "", "x", "-5ms", "1e999s", "9" * 5_000 + "ms",
     "${env:X}", "${file:/proc/self/mem}", "${file:/}", "${", "$${env:X}", "\x00", "\ud7ff", "a:b", "a.b:c", [], {},
     [[]], {"python": "a:b"}, "symbol in [" * 500, "(" * 500, "1+" * 2_000 + "1", "256.0.0.1:70000", "[::]:1"]
)  # fmt: skip


def refused_or_read(text: str, **more: Any) -> None:
    try:
        parse(text, environ={"X": "planted"}, folder=MARKET.parent, **more)
    except ConfigError as error:
        problems = error.problems
    else:
        return
    assert problems
    assert all(problem.message and str(problem) for problem in problems)


def paths(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    children = (
        tree.items()
        if isinstance(tree, dict)
        else enumerate(tree)
        if isinstance(tree, list)
        else ()
    )
    for name, inner in children:
        found += paths(inner, (*path, name))
    return found


@EXAMPLES
@given(st.sampled_from(FILES), st.data())
def test_a_value_that_is_another(text: str, data: st.DataObject) -> None:
    tree = yaml.safe_load(text)
    for _ in range(data.draw(st.integers(1, 3))):
        *above, last = data.draw(st.sampled_from(paths(tree)))
        inside = tree
        for part in above:
            inside = inside[part]
        inside[last] = deepcopy(data.draw(SCALARS))  # else a drawn {} is in itself the next time
    refused_or_read(yaml.safe_dump(tree, allow_unicode=True))


@EXAMPLES
@given(st.sampled_from(FILES), st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 9), st.text(max_size=6)), max_size=4))  # fmt: skip
def test_a_text_that_was_damaged(text: str, changes: list[tuple[int, int, str]]) -> None:
    for place, length, more in changes:
        text = text[:place] + more + text[place + length :]
    refused_or_read(text)


@EXAMPLES
@given(st.text(max_size=200) | st.sampled_from(["&a [*a]", "a: &a [*a, *a]", "? [a]: b", "{" * 2_000, "- " * 3_000, "!!python/object:os.system x"]))  # fmt: skip
def test_any_text(text: str) -> None:
    refused_or_read(text)


@EXAMPLES
@given(st.lists(st.text(max_size=30) | st.builds("{}={}".format, st.sampled_from(["name", "source.kafka.topics.0", "lanes.0.when", "a..b", ".", "telemetry.metrics.token"]), st.text(max_size=20)), max_size=3))  # fmt: skip
def test_any_override(overrides: list[str]) -> None:
    refused_or_read(FILES[0], overrides=overrides)
