"""The labelled recordings of the sensor demo, and how they are cut into windows.

`watch_activity.npz` holds 140 recordings of a watch's accelerometer (ax ay az, in g) and gyroscope (gx gy gz,
in rad/s by their size) at 50 Hz: 10 people x 7 exercises x 2 arms, each 19-52 s. A window is 2 s, and there is
one each second. The label is the recording's, so the still first and last second of each carry it too.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

WINDOW_ROWS: Final = 100
HOP_ROWS: Final = 50
PERIOD_NS: Final = 20_000_000
SIDES: Final = ("left", "right")

# The split is by person: windows overlap, and a person is more like himself than like another.
TRAIN_SUBJECTS: Final = (1, 2, 3, 4, 5, 6, 7)
TEST_SUBJECTS: Final = (8, 9, 10)


@dataclass(frozen=True, slots=True)
class Dataset:
    """All recordings, one after the other.

    Attributes:
        signal: float32 [rows, 6], in g and rad/s.
        offset: int64 [recordings + 1]; recording i has the rows ``offset[i]:offset[i + 1]``.
        label: int64 [recordings], places in ``label_names``.
        subject: int64 [recordings], 1-10.
        side: int64 [recordings], places in SIDES: the arm that wears the watch.
        label_names: the exercises.
        channel_names: ax ay az gx gy gz.
    """

    signal: Float32Array
    offset: IntArray
    label: IntArray
    subject: IntArray
    side: IntArray
    label_names: tuple[str, ...]
    channel_names: tuple[str, ...]

    def key(self, recording: int) -> str:
        """The key of a recording's events, such as ``s08-left-ROW``."""
        name = self.label_names[self.label[recording]]
        return f"s{self.subject[recording]:02}-{SIDES[self.side[recording]]}-{name}"


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of some recordings.

    Attributes:
        window: float32 [n, 100, 6].
        label: int64 [n].
        subject: int64 [n].
        recording: int64 [n], the recording that each is from.
    """

    window: Float32Array
    label: IntArray
    subject: IntArray
    recording: IntArray

    def of_subjects(self, subjects: tuple[int, ...]) -> "Windows":
        """Those of some people."""
        kept = np.isin(self.subject, subjects)
        return Windows(
            self.window[kept], self.label[kept], self.subject[kept], self.recording[kept]
        )


def load(path: Path) -> Dataset:
    """Read `watch_activity.npz`.

    Raises:
        ValueError: it is sampled at another rate.
    """
    with np.load(path, allow_pickle=False) as file:
        if int(file["period_ns"]) != PERIOD_NS:
            msg = (
                f"{path} must have a sample every {PERIOD_NS} ns, has one every {file['period_ns']}"
            )
            raise ValueError(msg)
        columns = {name: file[name].astype(np.int64) for name in ("label", "subject", "side")}
        return Dataset(
            signal=file["signal"],
            offset=file["offset"],
            label_names=tuple(file["label_names"].tolist()),
            channel_names=tuple(file["channel_names"].tolist()),
            **columns,
        )


def cut(data: Dataset) -> Windows:
    """Cut all recordings into windows; what is left at an end is not used."""
    first = [
        np.arange(start, end - WINDOW_ROWS + 1, HOP_ROWS)
        for start, end in zip(data.offset[:-1], data.offset[1:], strict=True)
    ]
    rows = np.concatenate(first)[:, None] + np.arange(WINDOW_ROWS)
    recording = np.repeat(np.arange(len(first)), [len(some) for some in first])
    return Windows(data.signal[rows], data.label[recording], data.subject[recording], recording)
