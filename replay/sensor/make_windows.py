"""The source's windows as `streamproc optimize` reads them: an archive with the model's input, label, group and part.

    python -m replay.sensor.make_windows watch_activity.npz windows.npz

Subjects 1-5 train, 6 and 7 choose, 8-10 are reported; a group is a recording. The teacher has seen 6 and 7, so what a
variant loses there is, if anything, too large.
"""

import argparse
from pathlib import Path
from typing import Final

import numpy as np

from replay.sensor.dataset import TEST_SUBJECTS, TRAIN_SUBJECTS, Windows, cut, load

VALIDATION_SUBJECTS: Final = TRAIN_SUBJECTS[-2:]


def parts(windows: Windows) -> dict[str, np.ndarray]:
    """The arrays of the archive."""
    part = np.where(np.isin(windows.subject, VALIDATION_SUBJECTS), "validation", "train")
    part = np.where(np.isin(windows.subject, TEST_SUBJECTS), "test", part)
    return {
        "window": windows.window,
        "label": windows.label,
        "group": windows.recording,
        "part": part,
    }


def main() -> None:
    """Write the archive."""
    parser = argparse.ArgumentParser(description="Windows for streamproc optimize.")
    parser.add_argument("source", type=Path, help="watch_activity.npz")
    parser.add_argument("out", type=Path, help="archive to write")
    arguments = parser.parse_args()
    np.savez_compressed(arguments.out, **parts(cut(load(arguments.source))))


if __name__ == "__main__":
    main()
