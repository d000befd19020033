"""A field that some topics do not have is NaN there, and in all that is remembered of it: check says so."""

from pathlib import Path

import pytest

from streamproc.cli.topic_words import warnings
from streamproc.config import parse

PIPELINE = """
name: p
source: {{kafka: {{topics: [quotes, trades]}}}}
codec:
  by_topic:
    codecs:
      quotes: {{json: {{fields: {{symbol: str, bid: float64}}}}}}
      trades: {{json: {{fields: {{symbol: str, size: float64, side: str, count: int64}}}}}}
{more}
key: symbol
reorder: {{slack: 10ms, idle: 10ms}}
features:
  - {feature}
state: {{ttl: 1h}}
model: {{executor: {{simulated: {{}}}}}}
sink: {{kafka: {{topic: out}}}}
"""


def said(feature: str, more: str = "") -> list[tuple[str, str]]:
    text = PIPELINE.format(feature=feature, more=more)
    return [(p.key, p.message) for p in warnings(parse(text, folder=Path()).config)]


@pytest.mark.parametrize(
    "feature",
    [
        "rolling: {field: size, take: [mean], events: 5}",
        "ewm: {field: size, take: [mean], half_life: 1s}",
        "sequence: {fields: [bid, size], steps: 5}",
    ],
)
def test_what_remembers_a_field_of_some_topics_needs_a_condition(feature: str) -> None:
    ((key, message),) = said(feature)
    assert key == "features[0]"
    assert "is NaN" in message
    assert 'when: "topic == ' in message


@pytest.mark.parametrize(
    ("feature", "more"),
    [
        ("rolling: {field: size, take: [mean], events: 5, when: \"topic == 'trades'\"}", ""),
        ("rolling: {field: size, take: [mean], events: 5}", "    fill: 0"),
        ("rolling: {field: count, take: [mean], events: 5}", ""),  # 0 stands for whole numbers
        ("scale: {field: size, mean: 1, std: 2}", ""),  # of one event alone
        ("size", ""),
        ("as_of: {when: \"topic == 'quotes'\", fields: [bid], within: 5s}", ""),
    ],
)
def test_what_holds_no_nan_is_let_be(feature: str, more: str) -> None:
    assert said(feature, more) == []
