"""Bad input among good: every bad record is a dead letter as it came, with its reason; the good are decided."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import orjson

from tests.integration.pipelines import (
    TICK,
    InThread,
    assert_adds_up,
    decisions,
    headers,
    letter_ids,
    write_config,
)
from tests.support.kafka import Message, committed, create_topics, end_offsets, fill, read

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.support.kafka import KafkaBroker

PARTITIONS = 2
FIVE_MB = 5 << 20
GOOD = {"ts": 1, "features": [0.5] * 16}


def _event(**changes: object) -> bytes:
    return orjson.dumps({**GOOD, **changes})


def _with_number(text: bytes) -> bytes:
    return _event().replace(b"0.5", text, 1)


BAD: list[tuple[bytes | None, str]] = [
    (b'{"ts": 1, "features": [0.5', "undecodable"),
    (b"not json at all", "undecodable"),
    (b"\xff\xfe\x00", "undecodable"),
    (b"[1, 2]", "undecodable"),
    (b"7", "undecodable"),
    (b"null", "undecodable"),
    (_event(ts="one"), "wrong_type"),
    (_event(ts=1.5), "wrong_type"),
    (_event(ts=None), "wrong_type"),
    (_event(ts=1 << 63), "wrong_type"),
    (_event(features="many"), "wrong_type"),
    (_event(features=["a"] * 16), "wrong_type"),
    (_event(features=[True] * 16), "wrong_type"),
    (_event(features=[[0.5]] * 16), "wrong_type"),
    (b'{"features": [0.5]}', "missing_field"),
    (b'{"ts": 1}', "missing_field"),
    (b"{}", "missing_field"),
    (_event(features=[]), "wrong_length"),
    (_event(features=[0.5] * 15), "wrong_length"),
    (_event(features=[0.5] * 17), "wrong_length"),
    (_with_number(b"NaN"), "undecodable"),  # JSON has no such number
    (_with_number(b"1e39"), "not_finite"),  # beyond float32
    (_with_number(b"1e400"), "undecodable"),  # beyond float64
    (_with_number(b"null"), "wrong_type"),
    (b"", "empty"),
    (None, "empty"),
]
LIKELY = {
    b"[1, 2]": {"undecodable", "wrong_type"},
    b"7": {"undecodable", "wrong_type"},
    b"null": {"undecodable", "wrong_type"},
    _with_number(b"NaN"): {"undecodable", "not_finite"},
    _with_number(b"1e400"): {"undecodable", "not_finite"},
    _event(features=[[0.5]] * 16): {"wrong_type", "wrong_length"},
}


def test_each_kind_of_bad_record_is_a_dead_letter(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    source, sink, letters = topic_name, f"{topic_name}-out", f"{topic_name}.dlq"
    create_topics(kafka.bootstrap, source, sink, partitions=PARTITIONS)
    own = (("mine", b"\x00\xff"), ("streamproc-reason", b"forged"), ("nothing", None))
    good = list(TICK.messages(2_000))
    sent: list[Message] = []
    for number, message in enumerate(good):
        sent.append(message._replace(partition=number % PARTITIONS))
        if number % 20 == 0:
            value, _ = BAD[number // 20 % len(BAD)]
            sent.append(Message(value, b"bad-%d" % number, own, number % PARTITIONS))
    fill(kafka.bootstrap, source, sent)
    config = write_config(
        tmp_path, name=topic_name, bootstrap=kafka.bootstrap, topic=source, sink=sink
    )

    summary = InThread(config, stop_after=len(sent)).result()

    assert_adds_up(summary)
    assert summary["outcomes"]["on_time"] == len(good)
    assert summary["outcomes"]["dead_letter"] == len(sent) - len(good)
    assert sum(summary["reasons"].values()) == len(sent) - len(good)
    inputs = {f"{source}/{r.partition}/{r.offset}": r for r in read(kafka.bootstrap, source)}
    dead = read(kafka.bootstrap, letters, at_least=len(sent) - len(good))
    decided = [d.id for _, d in decisions(kafka.bootstrap, sink)]
    assert sorted([*decided, *letter_ids(dead)]) == sorted(inputs)
    why = dict(BAD)
    for letter, about in zip(dead, letter_ids(dead), strict=True):
        event, found = inputs[about], headers(letter)
        assert (letter.key, letter.value, letter.partition) == (
            event.key,
            event.value,
            event.partition,
        )
        assert found["mine"] == b"\x00\xff"
        assert found["nothing"] is None
        assert found["streamproc-outcome"] == b"dead_letter"
        reason = (found["streamproc-reason"] or b"").decode()
        assert reason in LIKELY.get(event.value or b"", {why[event.value]}), event.value
        assert [name for name, _ in letter.headers].count("streamproc-reason") == 1
        assert found["streamproc-detail"]
    assert committed(kafka.bootstrap, topic_name, source) == end_offsets(kafka.bootstrap, source)
    assert end_offsets(kafka.bootstrap, letters).keys() == set(
        range(PARTITIONS)
    )  # made as the input


def test_a_record_of_5_mb_leaves_its_size_and_digest(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    source, sink, letters = topic_name, f"{topic_name}-out", f"{topic_name}.dlq"
    large = {"max.message.bytes": str(FIVE_MB + 100_000)}
    create_topics(kafka.bootstrap, source, partitions=1, config=large)
    create_topics(kafka.bootstrap, sink, partitions=1)
    good = list(TICK.messages(100))
    huge = [
        b'{"ts": 1, "features": [' + b"0.5," * (FIVE_MB // 4) + b"1]}",
        _event(note="x" * FIVE_MB),
    ]
    edge = _event(note="y" * 1_018_000)  # parsed and decided: below codec.json.max_bytes
    sent = [*good[:50], Message(huge[0], b"h0"), *good[50:], Message(huge[1], b"h1"), Message(edge)]
    fill(
        kafka.bootstrap,
        source,
        sent,
        {"message.max.bytes": FIVE_MB + 100_000, "batch.size": 100_000},
    )
    config = write_config(
        tmp_path, name=topic_name, bootstrap=kafka.bootstrap, topic=source, sink=sink
    )

    summary = InThread(config, stop_after=len(sent)).result()

    assert_adds_up(summary)
    assert summary["outcomes"]["on_time"] == len(good) + 1
    assert summary["reasons"] == {"too_large": 2}
    dead = read(kafka.bootstrap, letters, at_least=2)
    assert [r.key for r in dead] == [b"h0", b"h1"]
    for letter, value in zip(dead, huge, strict=True):
        found = headers(letter)
        assert letter.value is None
        assert found["streamproc-size"] == str(len(value)).encode()
        assert found["streamproc-sha256"] == hashlib.sha256(value).hexdigest().encode()
        assert found["streamproc-reason"] == b"too_large"


def test_what_the_users_functions_raise_is_in_the_letter(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, sink, letters = topic_name, f"{topic_name}-out", f"{topic_name}.dlq"
    create_topics(kafka.bootstrap, source, sink, partitions=1)
    module = f"user_{topic_name.rpartition('-')[2]}"
    (tmp_path / f"{module}.py").write_text(
        "import numpy as np\n"
        "def features(batch):\n"
        "    if (batch['ts'] == 3).any():\n"
        "        raise LookupError('no rate for event 3')\n"
        "    rows = batch['features'].copy()\n"
        "    rows[batch['ts'] == 4] = np.nan\n"
        "    return rows\n"
        "def decide(batch, outputs):\n"
        "    if (batch['ts'] == 5).any():\n"
        "        raise ZeroDivisionError('event 5')\n"
        "    return {'best': outputs['out'].argmax(axis=1)}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    fill(kafka.bootstrap, source, [Message(_event(ts=number)) for number in range(300)])
    config = write_config(
        tmp_path,
        name=topic_name,
        bootstrap=kafka.bootstrap,
        topic=source,
        sink=sink,
        features={"python": f"{module}:features"},
        output={"python": f"{module}:decide"},
    )
    summary = InThread(config, stop_after=300).result()

    assert_adds_up(summary)
    dead = {
        (headers(r)["streamproc-source"] or b"").rpartition(b"/")[2]: headers(r)
        for r in read(kafka.bootstrap, letters, at_least=3)
    }
    reasons = {offset: found["streamproc-reason"] for offset, found in dead.items()}
    assert reasons == {b"3": b"features_failed", b"4": b"not_finite", b"5": b"decide_failed"}
    assert dead[b"3"]["streamproc-detail"] == b"LookupError: no rate for event 3"
    assert dead[b"5"]["streamproc-detail"] == b"ZeroDivisionError: event 5"
    assert summary["outcomes"]["on_time"] == 297
    assert len(decisions(kafka.bootstrap, sink, at_least=297)) == 297
