"""Write the recording of raw ticks: BTC 2024-08-09, for the template `market-quotes`.

    python -m replay.market.make_ticks RAW_DIR replay/market/ticks.jsonl.gz

One JSON object a line, by receive time in whole microseconds:

    {"timestamp_ns": 1723161600001692000, "key": "BTCUSDT", "value": {"kind": "bid", "price": 61685.99, "size": 1.25869}}
"""

import argparse
from pathlib import Path
from typing import Final

import orjson

from replay.market.features import TEST_FILE, read_lines
from replay.market.make_recording import write_gzip
from replay.market.quotes import Tick, ticks

STEP_NS: Final = 1_000
"""Of the times: nanoseconds would make the file an eighth larger, and Kafka has milliseconds."""


def as_line(tick: Tick) -> bytes:
    """Return one line of the recording, with its line end."""
    record = {
        "timestamp_ns": tick.receive_ns // STEP_NS * STEP_NS,
        "key": tick.symbol,
        "value": {"kind": tick.kind, "price": tick.price, "size": tick.size},
    }
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def main() -> None:
    """Write the recording and print what is in it."""
    parser = argparse.ArgumentParser(description="Write the recording of raw ticks.")
    parser.add_argument("raw_dir", type=Path, help="folder of the raw binance_spot_*.gz files")
    parser.add_argument("out", type=Path, help="recording to write (.jsonl.gz)")
    arguments = parser.parse_args()
    lines = [as_line(tick) for tick in ticks(read_lines(arguments.raw_dir / TEST_FILE))]
    size = write_gzip(arguments.out, b"".join(lines))
    print(f"{arguments.out}: {len(lines)} ticks, {size} bytes")


if __name__ == "__main__":
    main()
