"""Write the two clocks of the market recording: the exchange's and the recorder's.

    python -m replay.market.make_exchange_times RAW_DIR replay/market/exchange_times.npz

Of every trade and depth line of BTC 2024-08-09, in order of receipt (bookTicker lines have no exchange time):
`receive_ns` int64 [n], ns since 1970, by the recorder's clock; `exchange_ms` int64 [n], the event time E in
ms, by the exchange's, which is 1.27 s ahead.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from replay.market.features import TEST_FILE, read_lines


def exchange_times(raw: Path) -> dict[str, npt.NDArray[np.int64]]:
    """Return both columns of a raw file."""
    stamped: list[tuple[int, Any]] = [
        (receive_ns, line["data"]["E"])
        for receive_ns, line in read_lines(raw)
        if "E" in line.get("data", {})
    ]
    columns = np.array(stamped, np.int64)
    return {"receive_ns": columns[:, 0], "exchange_ms": columns[:, 1]}


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw_dir", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    columns = exchange_times(options.raw_dir / TEST_FILE)
    np.savez_compressed(options.out, **columns)
    ahead_ms = columns["exchange_ms"] - columns["receive_ns"] / 1e6
    low, middle, high = np.percentile(ahead_ms, [0, 50, 100])
    print(
        f"{len(ahead_ms):,} events; the exchange's clock is ahead by {low:.1f} to {high:.1f} ms, median {middle:.1f}"
    )
    print(f"{options.out}: {options.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
