"""The corpus of malformed records on a real broker: dead letters in order, and a pipeline that goes on as before."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import orjson

from tests.integration.pipelines import InThread, assert_adds_up, headers, letter_ids, set_up
from tests.support.kafka import Message, committed, end_offsets, fill, read
from tests.support.malformed import FIELDS, corpus, valid

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import KafkaBroker

COUNT = 10_000
GOOD = 500
SEED = int(os.environ.get("STREAMPROC_SEED", "1"))
PARTITIONS = 2


def good() -> list[Message]:
    rng = np.random.default_rng(SEED)
    return [
        Message(orjson.dumps(valid(rng)), b"good", partition=n % PARTITIONS) for n in range(GOOD)
    ]


def test_ten_thousand_malformed_records(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    made = set_up(
        kafka,
        topic_name,
        tmp_path,
        partitions=PARTITIONS,
        codec={"json": {"fields": FIELDS}},
        features=["f"],
        model={"path": None, "executor": "simulated"},
        output={},
    )
    bad = [
        Message(value, key, own, n % PARTITIONS)
        for n, (key, value, own) in enumerate(corpus(SEED, COUNT))
    ]
    sent = [*good(), *bad, *good()]
    fill(kafka.bootstrap, made.source, sent)

    summary = InThread(made.config, stop_after=len(sent)).result(240)

    assert_adds_up(summary)
    assert summary["outcomes"]["dead_letter"] == COUNT
    assert summary["outcomes"]["on_time"] == 2 * GOOD
    letters = read(kafka.bootstrap, f"{topic_name}.dlq", at_least=COUNT)
    for partition in range(PARTITIONS):
        mine = [letter for letter in letters if letter.partition == partition]
        offsets = [int(about.rsplit("/", 1)[1]) for about in letter_ids(mine)]
        assert offsets == sorted(set(offsets))
        expected = [message for message in bad if message.partition == partition]
        assert [(r.key, r.value) for r in mine] == [(m.key, m.value) for m in expected]
        assert all(headers(letter)["streamproc-reason"] for letter in mine)
    assert committed(kafka.bootstrap, topic_name, made.source) == end_offsets(
        kafka.bootstrap, made.source
    )
