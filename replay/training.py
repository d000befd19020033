"""How each demo's model is trained from the command line: one thread, the model and its report written, the versions in it."""

import argparse
import hashlib
import json
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import sklearn
from threadpoolctl import threadpool_limits

Train = Callable[[Path], tuple[bytes, dict[str, Any]]]
"""Trains of what a path names; gives the ONNX bytes and the report."""


def sha256(content: bytes) -> str:
    """The SHA-256 of the bytes in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def versions() -> dict[str, str]:
    """Of all that decides about the model's bytes."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
        "machine": platform.machine(),
    }


def train_and_write(train: Train, report_path: Path, *, what: str, source: str) -> None:
    """Write the model and the report that the command line asks for, and print the report.

    Args:
        train: trains it.
        report_path: where the report goes.
        what: is trained, for people.
        source: what the first argument is, for people.
    """
    parser = argparse.ArgumentParser(description=f"Train the {what} model.")
    parser.add_argument("source", type=Path, help=source)
    parser.add_argument("out_onnx", type=Path, help="model to write")
    arguments = parser.parse_args()

    # One thread: the order of the sums, and so the bytes, must not depend on the cores.
    with threadpool_limits(limits=1):
        model, report = train(arguments.source)
    arguments.out_onnx.write_bytes(model)
    text = json.dumps(report, indent=2) + "\n"
    report_path.write_text(text, encoding="utf-8")
    print(text, end="")
