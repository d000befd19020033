"""Write the recording of the market demo: the events of BTC 2024-08-09 with their features.

    python -m replay.market.make_recording RAW_DIR replay/market/btcusdt.jsonl.gz

One JSON object a line, by receive time, which is never altered (the bursts are real):

    {"timestamp_ns": 1723161600001692584, "key": "BTCUSDT",
     "value": {"symbol": "BTCUSDT", "ts": 1723161600001, "kind": "book", "f": [24 numbers]}}

`ts` is the receive time in ms. `f` is the row of `features.py`, rounded to DIGITS significant
digits. The day before is run first, so that book and decayed sums are warm at the first line.
"""

import argparse
import gzip
import io
from pathlib import Path
from typing import Final

import numpy as np
import orjson

from replay.market.features import (
    TEST_FILE,
    TRAIN_FILE,
    Float32Array,
    MarketEvent,
    MarketFeatures,
    read_events,
)

DIGITS: Final = 5
FILE_BYTES_MAX: Final = 4_000_000


def rounded(features: Float32Array) -> list[float]:
    """Return the row as numbers of DIGITS significant digits, shortest decimal form.

    Numbers under 1e-5 become 0: no standardised feature can tell them apart.
    """
    numbers = [float(f"{value:.{DIGITS}g}") for value in features.tolist()]
    # "+ 0.0" makes -0.0 plain 0.
    return [0.0 if abs(number) < 10.0**-DIGITS else number + 0.0 for number in numbers]


def as_line(event: MarketEvent) -> bytes:
    """Return one line of the recording, with its line end."""
    record = {
        "timestamp_ns": event.receive_ns,
        "key": event.symbol,
        "value": {
            "symbol": event.symbol,
            "ts": event.receive_ns // 1_000_000,
            "kind": event.kind,
            "f": rounded(event.features),
        },
    }
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def write_gzip(path: Path, content: bytes) -> int:
    """Write `content` compressed, with no name or time in the header; return the bytes written.

    The same content gives the same bytes wherever zlib is the same.
    """
    packed = io.BytesIO()
    # Not gzip.compress: its header differs between Python versions.
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=packed, mtime=0) as out:
        out.write(content)
    return path.write_bytes(packed.getvalue())


def recorded_events(raw_dir: Path) -> list[MarketEvent]:
    """Return the events of the test file, its state carried over from the training file."""
    state = MarketFeatures()
    read_events(raw_dir / TRAIN_FILE, state)
    return read_events(raw_dir / TEST_FILE, state)


def main() -> None:
    """Write the recording and print what is in it."""
    parser = argparse.ArgumentParser(description="Write the market recording.")
    parser.add_argument("raw_dir", type=Path, help="folder of the raw binance_spot_*.gz files")
    parser.add_argument("out", type=Path, help="recording to write (.jsonl.gz)")
    arguments = parser.parse_args()

    events = recorded_events(arguments.raw_dir)
    content = b"".join(as_line(event) for event in events)
    size = write_gzip(arguments.out, content)
    if size >= FILE_BYTES_MAX:
        arguments.out.unlink()
        msg = f"the recording has {size} bytes, {FILE_BYTES_MAX} at most: lower DIGITS"
        raise SystemExit(msg)

    receive_ns = np.array([event.receive_ns for event in events])
    span_s = (receive_ns[-1] - receive_ns[0]) * 1e-9
    burst = np.bincount((receive_ns - receive_ns[0]) // 10_000_000).max()
    print(f"{arguments.out}: {len(events)} events over {span_s:.1f} s, {size} bytes")
    print(f"mean {len(events) / span_s:.0f} events/s, at most {burst} in a 10 ms bin")


if __name__ == "__main__":
    main()
