"""Topics with codecs of their own: all events have all columns, and what is another topic's is filled."""

import math

import numpy as np
import pytest

from streamproc.codecs import JsonCodec, JsonDecoder, TopicCodecs, TopicDecoders
from streamproc.core import Reason

QUOTES = JsonCodec({"symbol": "str", "bid": "float64", "depth": "float32[2]"})
TRADES = JsonCodec({"symbol": "str", "size": "int64", "buy": "bool", "venue": "str"})


@pytest.fixture
def decoders() -> TopicDecoders:
    made = {"quotes": JsonDecoder(QUOTES), "trades": JsonDecoder(TRADES)}
    return TopicDecoders(made, fill=math.nan)


def test_an_event_has_the_fields_of_all_topics_and_its_topics_name(decoders: TopicDecoders) -> None:
    values: list[bytes | None] = [b'{"symbol": "A", "bid": 1.5, "depth": [1, 2]}', b"{", None]
    quotes = decoders.of("quotes").decode(values)
    assert quotes.columns["bid"].tolist() == [1.5]
    assert quotes.columns["topic"].tolist() == ["quotes"]
    filled = [quotes.columns[name].tolist() for name in ("size", "buy", "venue")]
    assert filled == [[0], [False], [""]]
    assert list(quotes.rejected) == [1, 2]
    trades = decoders.of("trades").decode(
        [b'{"symbol": "A", "size": 3, "buy": true, "venue": "x"}'] * 2
    )
    assert np.isnan(trades.columns["bid"]).all()
    assert trades.columns["depth"].shape == (2, 2)
    assert list(trades.columns) == list(quotes.columns) == list(decoders.fields)
    assert trades.record is None


def test_the_columns_types_do_not_depend_on_the_topic(decoders: TopicDecoders) -> None:
    first = decoders.of("quotes").decode([b'{"symbol": "A", "bid": 1.5, "depth": [1, 2]}'])
    second = decoders.of("trades").decode(
        [b'{"symbol": "A", "size": 3, "buy": true, "venue": "x"}']
    )
    for name, column in first.columns.items():
        assert column.dtype == second.columns[name].dtype, name


def test_which_topics_have_a_field_is_known(decoders: TopicDecoders) -> None:
    assert decoders.having("size") == {"trades"}
    assert decoders.having("symbol") == {"quotes", "trades"}


def test_a_topic_without_a_codec_is_rejected(decoders: TopicDecoders) -> None:
    decoded = decoders.of("news").decode([b"{}", None])
    assert [error.reason for error in decoded.rejected.values()] == [Reason.UNDECODABLE] * 2
    assert all(len(column) == 0 for column in decoded.columns.values())


def test_the_fields_of_the_options_are_those_of_the_decoders(decoders: TopicDecoders) -> None:
    options = TopicCodecs({"quotes": QUOTES, "trades": TRADES})
    assert options.fields == {name: str(kind) for name, kind in decoders.fields.items()}
