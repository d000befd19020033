"""Features in the file: operators by name, and what cannot be remembered or restored."""

import pytest

from streamproc.core import Duration
from streamproc.features.operators import Lag, Rolling
from tests.config.conftest import Problems, Read

TTL = "state: {ttl: 1h}\n"
LOG = "state: {changelog: {topic: kept}}\n"


def test_fields_and_operators_stand_side_by_side(read: Read, minimal: str) -> None:
    text = "features:\n  - price\n  - lag: {field: price, as: before}\n  - rolling: {field: price, take: [mean], time: 5s}\n"
    config = read(minimal + text + TTL).config
    time = Duration.parse("5s")
    assert config.features == (
        "price",
        Lag(field="price", as_="before"),
        Rolling(field="price", take=("mean",), time=time),
    )
    assert config.state.ttl == Duration.parse("1h")


@pytest.mark.parametrize(
    ("lines", "key", "text"),
    [
        ("features: [price, {lag: {field: prize}}]\n" + TTL, "features[1]", "'prize' is no field"),
        ("features: [{lag: {field: symbol}}]\n" + TTL, "features[0]", "'symbol' is a str"),
        ("features: [{lag: {field: f}}]\n" + TTL, "features[0]", "a single number is needed"),
        ("features: [{lagg: {field: f}}]\n" + TTL, "features[0].lagg", "did you mean lag"),
        ("features: [{lag: {field: price}}, {lag: {field: price}}]\n" + TTL, "features[1]", "is there already"),
        ("features: [{rolling: {field: price, take: [mean]}}]\n", "features[0].rolling", "needs events"),
        ("features: [{rolling: {field: price, take: [median], events: 3}}]\n", "features[0].rolling.take[0]", "must be"),
        ("features: [{sequence: {fields: [f], steps: 1, every: 1s}}]\n" + TTL, "features[0].sequence.every", "at least 2 steps"),
        ("features: [{sequence: {fields: [f], steps: 9, every: 0s}}]\n" + TTL, "features[0].sequence.every", "longer than 0"),
        ("features: [{lag: {field: price}}]\n", "state.ttl", "is needed"),
        ("features: [{lag: {field: price}}]\nshed: [conflate]\n" + TTL, "shed[0]", "on_gap"),
        (
            "features: [{lookup: {field: symbol, file: no.csv, key: k, fields: [a]}}]\n",
            "features[0].lookup.file",
            "there is no file",
        ),
        ("duplicates: {field: price, within: 1m}\n", "duplicates.field", "price is float64"),
        ("filter: price\n", "filter", "must be a condition"),
        ("absorb: prize > 1\n", "absorb", "prize"),
        (
            "features: [{custom: {python: 'a:b', as: c, state: {n: int64}}}]\n",
            "state.restore",
            "remembers",
        ),
        ("features: [{cumulative: {field: price}}]\nstate: {ttl: 1h}\n", "state.restore", "changelog: {topic: NAME}"),
        ("features: [{cumulative: {field: price, take: [min], half_life: 1s}}]\n" + LOG, "features[0].cumulative", "do not fade"),
        ("features: [price]\n" + LOG, "state.changelog", "no feature remembers"),
        ("features: [{lag: {field: price}}]\nstate: {changelog: {topic: a b}}\n", "state.changelog.topic", "topic's name"),
        ("features: [{lag: {field: price}}]\nstate: {changelog: {topic: decisions}}\n", "state.changelog.topic", "of its own"),
        ("features: [{lag: {field: price, by: 30000}}]\n" + LOG, "state.changelog", "remember fewer events"),
        ("features: [{lag: {field: price}}]\nstate: {restore: none, changelog: {topic: a}}\n", "state.restore", "exclude each other"),
        (
            "features: [{lag: {field: price}}]\nstate: {changelog: {topic: a, interval: 0s}}\n",
            "state.changelog.interval",
            "must be longer than 0",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_at_its_line(
    problems: Problems, minimal: str, lines: str, key: str, text: str
) -> None:
    (found,) = problems(minimal + lines)
    assert found.key == key
    assert text in found.message
    assert found.line is not None


def test_with_a_changelog_nothing_needs_a_bound(read: Read, minimal: str) -> None:
    read(minimal + "features: [{lag: {field: price}}, {cumulative: {field: price}}]\n" + LOG)
    custom = "{custom: {python: 'a:b', as: c, state: {n: int64}}}"
    read(minimal + f"features: [{custom}]\n" + LOG)


def test_what_needs_nothing_remembered_needs_no_bounds(read: Read, minimal: str) -> None:
    read(
        minimal + "features: [price, {scale: {field: price, mean: 3, std: 2}}]\nshed: [conflate]\n"
    )
    read(minimal + "features: [{lag: {field: price}}]\nstate: {restore: none}\n")
    read(
        minimal
        + "features: [{lag: {field: price}}]\nstate: {ttl: 1h, on_gap: keep}\nshed: [conflate]\n"
    )
