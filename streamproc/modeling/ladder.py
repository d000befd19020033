"""Writes what ``optimize`` found as a ladder of variants that a pipeline can serve."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from streamproc.core import ExternalError
from streamproc.modeling.graphs import save_graph
from streamproc.modeling.optimizing import Optimized, Row
from streamproc.modeling.traffic import Events

_AGREEMENT_EVENTS = 256
_AGREEMENT_SLACK = 0.02
"""Below what was measured on this machine: another kind of processor rounds otherwise, one that saturates is far off."""


def write_ladder(found: Optimized, events: Events, folder: Path) -> list[Path]:
    """Write the variants, the events on which they must agree, and the part of a configuration that serves them.

    Args:
        found: what was tried.
        events: held-back ones, a few of which are kept for the agreement.
        folder: where; made if it is not there.

    Returns:
        the files.

    Raises:
        ExternalError: they cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for row in found.ladder:
            path = folder / f"{row.candidate.label}.onnx"
            save_graph(row.candidate.model, path)
            written.append(path)
        kept = events.first(_AGREEMENT_EVENTS)
        agreement = folder / "events.npz"
        # Objects would be pickled, which nothing reads.
        plain = {n: a.astype(str) if a.dtype == np.object_ else a for n, a in kept.inputs.items()}
        np.savez_compressed(agreement, **plain)  # type: ignore[arg-type]
        text = folder / "model.yaml"
        text.write_text(ladder_text(found.ladder), encoding="utf-8")
    except OSError as error:
        msg = f"cannot write to {folder}: {error.strerror or error}"
        raise ExternalError(msg) from error
    return [*written, agreement, text]


def ladder_text(ladder: Sequence[Row]) -> str:
    """The part of a configuration that serves a ladder, the best variant first.

    Paths start from the folder that it is written to.
    """
    lines = [
        "# Written by `streamproc optimize`: put it into the pipeline's file; paths start from that file's folder.",
        "model:",
        "  variants:",
    ]
    qualities: list[float] = []
    for row in ladder:
        quality = round(1.0 - row.validation.flips, 3)
        if qualities:  # the ladder's order is that of quality, so no two may be alike
            quality = min(quality, round(qualities[-1] - 0.001, 3))
        qualities.append(quality)
        runtime = ", executor: {openvino: {}}" if row.candidate.runtime == "openvino" else ""
        speeds = ", ".join(f"{s:.1f}x at batch {size}" for size, s in row.speedups.items())
        lines.append(
            f"    - {{name: {row.candidate.label}, path: {row.candidate.label}.onnx, quality: {quality:g}{runtime}}}"
            f"   # {speeds}"
        )
    least = max(0.5, round(min(1 - row.test.flips for row in ladder) - _AGREEMENT_SLACK, 3))
    lines.append(f"  agreement: {{path: events.npz, at_least: {least:g}}}")
    return "\n".join([*lines, ""])
