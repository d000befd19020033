"""What a chain of three sessions costs beside one session of the graphs merged into one.

    python -m tests.benchmarks.chain_seam [ROUNDS]

The models do nearly nothing, so what differs is the price of two seams: what a chain pays whatever its models are. CPU time of
one thread, in turns.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from onnx import compose

from streamproc.core import SystemClock
from streamproc.executors import ChainStage, Model, load_executors
from streamproc.modeling.measuring import in_turns
from tests.support.chains import chain_files

SIZES = (1, 32, 256)


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = chain_files(folder, opsets=(17, 17, 17))
        scale, linear, softmax = map(onnx.load, files)
        both = compose.merge_models(scale, linear, io_map=[("scaled", "x")])
        onnx.save(
            compose.merge_models(both, softmax, io_map=[("y", "logits")]), folder / "one.onnx"
        )
        chain = (
            ChainStage(files.scale),
            ChainStage(files.linear, inputs={"x": "scaled"}),
            ChainStage(files.softmax, inputs={"logits": "y"}),
        )
        clock = SystemClock()
        (chained,) = load_executors(Model(chain=chain), clock)
        (merged,) = load_executors(Model(str(folder / "one.onnx")), clock)
    print("batch   merged us   chain us   a seam us")
    for size in SIZES:
        given = {"raw": np.ones((size, 3), np.float32)}
        runs = {"merged": partial(merged.run, given), "chain": partial(chained.run, given)}
        found = in_turns(runs, rounds=rounds)
        one, three = found["merged"].p50 / 1e3, found["chain"].p50 / 1e3
        print(f"{size:5}   {one:9.1f}   {three:8.1f}   {(three - one) / 2:9.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
