"""Source topics with codecs of their own: what cannot be, with its line."""

from pathlib import Path

import pytest

from streamproc.codecs import AvroCodec, JsonCodec, TopicCodecs
from tests.config.conftest import Problems, Read

TEXT = """\
name: joined
source: {kafka: {topics: [quotes, trades]}}
codec:
  by_topic:
    codecs:
      quotes: {json: {fields: {symbol: str, ts: int64, bid: float64}}}
      trades: {json: {fields: {symbol: str, ts: {path: time, type: int64}, size: float64}}}
key: symbol
event_time: {field: ts}
features: [size]
absorb: "topic == 'quotes'"
model: {path: model.onnx}
sink: {kafka: {topic: decisions}}
"""


def test_topics_have_codecs_of_their_own(read: Read) -> None:
    codec = read(TEXT).config.codec
    assert isinstance(codec, TopicCodecs)
    assert codec.fields == {
        "symbol": "str", "ts": "int64", "bid": "float64", "size": "float64", "topic": "str",
    }  # fmt: skip
    assert all(isinstance(one, JsonCodec) for one in codec.codecs.values())


@pytest.mark.parametrize(
    ("before", "after", "key", "words"),
    [
        ("[quotes, trades]", "[quotes, trades, news]", "source.kafka.topics[2]", "has no codec"),
        ("[quotes, trades]", "[trades]", "codec.by_topic.codecs.quotes", "is no topic of"),
        ("size: float64", "bid: int64, size: float64", "codec.by_topic.codecs.trades", "'bid' is"),
        ("size: float64", "topic: str, size: float64", "codec.by_topic.codecs.trades", "another"),
        ("ts: int64, bid", "bid", "event_time.field", "no field of quotes"),
        ("symbol: str, ts: int64, bid", "ts: int64, bid", "key", "no field of quotes"),
        ("bid: float64", "bid: number", "codec.by_topic.codecs.quotes.json.fields.bid", "no field"),
        ("bid: float64", "bid: float64}, what: {", "codec.by_topic.codecs.quotes.json.what", "key"),
        ("topic == 'quotes'", "kind == 'quotes'", "absorb", "kind"),
        ("features: [size]", "features: [ask]", "features[0]", "no field of codec.by_topic"),
        ("key: symbol", "key: symbol\nreorder: {slack: 2s}", "reorder.slack", "deadline.budget"),
        (
            "key: symbol",
            "key: symbol\nreorder: {slack: 20ms, max_events: 100}",
            "reorder.max_events",
            "at least 4096",
        ),
        ("key: symbol", "key: symbol\nreorder: {slack: -1s}", "reorder.slack", ""),
        (
            "key: symbol",
            "key: symbol\nreorder: {slack: 20ms}\nstate: {grace: 10ms}",
            "state.grace",
            "at least reorder.slack",
        ),
        (
            "key: symbol",
            "key: symbol\nreorder: {slack: 20ms}\nshed: [skip_ahead]",
            "shed[0]",
            "jumps over",
        ),
        (
            "features: [size]",
            "features: [{as_of: {when: \"topic == 'quotes'\", fields: [bid], within: 1s}}]",
            "features[0]",
            "without reorder",
        ),
        (
            "features: [size]",
            "features: [{interval: {when: \"topic == 'quotes'\", before: 1s}}]",
            "features[0].interval",
            "needs reorder",
        ),
        (
            "features: [size]",
            "reorder: {slack: 20ms}\nfeatures: [{interval: {when: \"topic == 'quotes'\", before: 1s, after: 1s}}]",
            "features[0].interval.after",
            "deadline.budget",
        ),
    ],
)
def test_what_cannot_be_is_refused_at_its_place(
    problems: Problems, before: str, after: str, key: str, words: str
) -> None:
    assert before in TEXT
    found = problems(TEXT.replace(before, after, 1))
    assert (key, True) in [(p.key, words in p.message) for p in found], found
    assert all(problem.line for problem in found)


def test_schemas_files_of_topics_start_from_the_configurations_folder(
    read: Read, folder: Path
) -> None:
    (folder / "quote.avsc").write_text("{}")
    text = TEXT.replace("{json: {fields: {symbol: str, ts: int64, bid: float64}}}",
        "{avro: {schema: quote.avsc, fields: {symbol: str, ts: int64, bid: float64}}}")  # fmt: skip
    codec = read(text).config.codec
    assert isinstance(codec, TopicCodecs)
    avro = codec.codecs["quotes"]
    assert isinstance(avro, AvroCodec)
    assert avro.schema == str(folder / "quote.avsc")


@pytest.mark.parametrize(
    ("lookup", "key", "words"),
    [
        ("topic: quotes", "features[0].lookup.topic", "join it with as_of"),
        ("topic: profiles, ttl: 1s", "features[0].lookup.ttl", "python"),
        ("python: profiles", "features[0].lookup.python", "package.module:name"),
    ],
)
def test_lookups_that_cannot_be_are_refused(
    problems: Problems, lookup: str, key: str, words: str
) -> None:
    text = f"features: [{{lookup: {{field: symbol, fields: [x], {lookup}}}}}]"
    found = problems(TEXT.replace("features: [size]", text))
    assert (key, True) in [(p.key, words in p.message) for p in found], found
