"""Lookups: the file, what it may not be, and what events get of it."""

from pathlib import Path

import pytest

from streamproc.codecs import JsonCodec
from streamproc.core import ConfigError
from streamproc.features.operators import Lookup
from streamproc.runtime.lookup_tables import make_tables
from streamproc.testing import FakeExecutor, PipelineTest
from tests.engine.pipelines import pipeline

GOOD = "symbol,tick,lot\nBTC,0.25,2\nETH,0.5,3\n"


def lookup(folder: Path, text: str = GOOD, **changes: object) -> Lookup:
    file = folder / "table.csv"
    file.write_text(text)
    options = {"field": "s", "file": str(file), "key": "symbol", "fields": ("tick", "lot")}
    return Lookup(**(options | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("missing", ["fill", "dead_letter"])
def test_events_get_the_numbers_of_their_category(tmp_path: Path, missing: str) -> None:
    test = PipelineTest(
        pipeline(
            codec=JsonCodec(fields={"s": "str"}),
            features=[lookup(tmp_path, missing=missing, fill=-1.0)],
        ),
        executor=FakeExecutor(lambda inputs: {"output": inputs["input"]}),
    )
    for symbol in ("ETH", "BTC", "XRP"):
        test.send("ticks", {"s": symbol})
    result = test.run()
    wanted = [[0.5, 3], [0.25, 2]] + ([[-1, -1]] if missing == "fill" else [])
    assert [d.output for d in result.decisions] == wanted
    assert [r.reason for r in result.dead_letters] == ["no_partner"] * (missing == "dead_letter")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("symbol,tick\nBTC,1\n", "has no column lot; there are symbol, tick"),
        ("", "there are none"),
        (GOOD + "BTC,1,1\n", "line 4: 'BTC' is there twice"),
        (GOOD + "XRP,one,1\n", "line 4: tick is 'one'"),
        (GOOD + "XRP,1,nan\n", "line 4: lot is 'nan'"),
        (GOOD + "XRP,1\n", "line 4: lot is None"),
    ],
)
def test_what_is_wrong_with_the_file_is_said(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        make_tables([lookup(tmp_path, text)], [3])
    assert caught.value.problems[0].key == "features[3].lookup.file"


def weights(symbols: list[str]) -> dict[str, dict[str, float]]:
    if "poison" in symbols:
        msg = "no such thing"
        raise ValueError(msg)
    return {symbol: {"weight": float(len(symbol))} for symbol in symbols if symbol != "XRP"}


def test_a_function_is_looked_into_and_where_it_fails_only_those_at_fault_do() -> None:
    asked = Lookup(
        field="s", python=f"{__name__}:weights", fields=("weight",), missing="dead_letter"
    )
    test = PipelineTest(
        pipeline(codec=JsonCodec(fields={"s": "str"}), features=[asked]),
        executor=FakeExecutor(lambda inputs: {"output": inputs["input"]}),
    )
    for symbol in ("ETH", "poison", "XRP", "DOGE"):
        test.send("ticks", {"s": symbol})
    result = test.run()
    assert {d.id: d.output for d in result.decisions} == {"ticks/0/0": [3], "ticks/0/3": [4]}
    reasons = {letter.id: letter.reason for letter in result.dead_letters}
    assert reasons == {"ticks/0/1": "features_failed", "ticks/0/2": "no_partner"}
