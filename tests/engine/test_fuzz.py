"""Anything as value, key and headers, through a whole pipeline with each codec: no crash, and nothing lost."""

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from streamproc.codecs import ArrowCodec, JsonCodec, TensorCodec
from streamproc.core import Reason
from streamproc.testing import PipelineTest, assert_accounts
from tests.engine.pipelines import pipeline, within
from tests.support.fuzzing import examples

EXAMPLES = examples(60)
NAMES = st.sampled_from(
    ["x-deadline-ns", "traceparent", "tracestate", "streamproc-outcome", "streamproc-source", "own"]
)
TEXTS = st.sampled_from(
    [b"0", b"-1", b"1" * 5_000, b"9" * 19, b"1e9", b" 5", b"00-" + b"0" * 32 + b"-" + b"1" * 16 + b"-01", b"\xff"]
)  # fmt: skip
HEADERS = st.lists(
    st.tuples(NAMES | st.text(max_size=8), st.none() | st.binary(max_size=40) | TEXTS), max_size=6
)
KEYS = st.none() | st.binary(max_size=20)
TIMES = st.none() | st.sampled_from([-1, 0, 1, 10**18, (1 << 63) - 1])


def arrow(**columns: Any) -> bytes:
    batch = pa.RecordBatch.from_pydict(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    made: bytes = sink.getvalue().to_pybytes()
    return made


def records(*good: bytes) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """Values that are good, good ones that were damaged, and any bytes; with keys, headers and timestamps."""

    @st.composite
    def damaged(draw: st.DrawFn) -> bytes:
        value = bytearray(draw(st.sampled_from(good)))
        for _ in range(draw(st.integers(1, 4))):
            place = draw(st.integers(0, len(value) - 1))
            value[place : place + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
            if not value:
                break
        return bytes(value)

    values = st.none() | st.sampled_from(good) | damaged() | st.binary(max_size=60)
    return st.lists(st.tuples(values, KEYS, HEADERS, TIMES), min_size=1, max_size=12)


def assert_nothing_is_lost(codec: Any, features: tuple[str, ...], given_: list[Any]) -> None:
    config = pipeline(codec=codec, features=features, deadline=within("1s", from_="arrival"))
    test = PipelineTest(config, partitions=1)
    for value, key, headers, time_ns in given_:
        test.send("ticks", value, key=key, headers=headers, partition=0, timestamp_ns=time_ns)
    result = test.run()
    assert_accounts(result.summary)
    assert result.in_flight == 0
    records_final = {event.rsplit("/", event.count("/") - 2)[0] for event in result.final}
    assert records_final == {f"ticks/0/{n}" for n in range(len(given_))}
    assert all(len(finals) == 1 for finals in result.final.values())
    known = {str(reason) for reason in Reason}
    for letter in result.dead_letters:
        assert letter.reason in known
        number = int(letter.id.rsplit("/", 1)[1])
        assert letter.record.value == given_[number][0]
        assert letter.record.key == given_[number][1]


@EXAMPLES
@given(records(b'{"x": 1.5, "n": {"s": "a"}}', b'{"x": -0.0, "n": {"s": ""}, "more": [1, [2]]}'))
def test_json(given_: list[Any]) -> None:
    codec = JsonCodec(fields={"x": "float32", "n.s": "str"})
    assert_nothing_is_lost(codec, ("x",), given_)


@EXAMPLES
@given(records(np.arange(3, dtype="<f4").tobytes(), np.array([np.nan, 1, 2], "<f4").tobytes()))
def test_tensor(given_: list[Any]) -> None:
    assert_nothing_is_lost(TensorCodec(type="float32[3]"), ("tensor",), given_)


@EXAMPLES
@given(records(arrow(x=[1.0, 2.0], s=["a", "b"]), arrow(x=[1.0]), arrow(x=pa.array([None, 1.0]))))
def test_arrow(given_: list[Any]) -> None:
    assert_nothing_is_lost(ArrowCodec(fields={"x": "float64"}), ("x",), given_)
