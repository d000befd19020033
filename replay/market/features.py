"""The 24 features of the market demo, computed event by event from raw Binance lines.

Nothing in here reads a clock or a socket: lines go in with their receive time, feature rows
come out. A row uses only the lines up to its own event, so that live code which feeds the same
lines to `MarketFeatures` gets the same numbers.

An **event** is a `bookTicker` or a `trade` line. `depth` lines and the REST snapshot keep the
order book and give no row. The clock is the **receive** time: the exchange's is 1.27 s ahead of
it, and `bookTicker` has none at all.

Notation. At event i, received at t (seconds), after its line has been applied:

- ``b, B, a, A``: best bid and its size, best ask and its size, from `bookTicker`.
  ``mid = (b + a) / 2``, ``m = ln(mid)``; a trade leaves all of them as they were.
- ``h``: a horizon, one of 0.1, 0.5, 2, 10 and 30 s.
- ``S_h(x)``: decayed sum, ``sum over events j <= i of x_j * exp(-(t - t_j) / h)``. At a steady
  rate r per second of x it settles at ``r * h``.
- ``M_h(x)``: decayed mean of a value that holds between events: from one event to the next
  ``M <- M * d + x_before * (1 - d)``, ``d = exp(-dt / h)``; it starts at the first x.
- ``flow_h(x) = S_h(x) / (S_h(|x|) + h * S_30(|x|) / 30)``: net over gross flow, in (-1, 1). The
  second term is the flow that a horizon usually sees: it pulls a silent horizon to 0, where
  the plain ratio would keep the sign of the last event for ever. 0 if nothing flowed yet.
- ``ofi``: order-flow imbalance of one quote change, by size (Cont, Kukanov and Stoikov 2014):
  ``[b >= b'] B - [b <= b'] B' - [a <= a'] A + [a >= a'] A'``, the dashed ones from the
  `bookTicker` before; 0 at a trade.
- ``vol``: size of the trade, negative if the taker sold (``m`` is true); 0 at a quote.
- ``sigma_h = max(sqrt(S_h(dm ** 2) / h), 1e-6)``: volatility, ln units per square root of a
  second; the floor is 0.01 basis points.
- ``moves``: 1 at an event that changed mid, else 0. ``n``: 1 at every event.
- ``depth_k``: ``(bid - ask) / (bid + ask)`` of the summed sizes of the best k levels of the
  order book (which lags `bookTicker` by up to 100 ms).

| #     | name               | formula                                | sign   |
|-------|--------------------|----------------------------------------|--------|
| 0     | top_imbalance      | (B - A) / (B + A)                      | odd    |
| 1     | microprice_offset  | (microprice - mid) / (mid sigma_30),   | odd    |
|       |                    | microprice = (b A + a B) / (A + B)     |        |
| 2     | imbalance_5        | depth_5                                | odd    |
| 3     | imbalance_20       | depth_20                               | odd    |
| 4-8   | ofi_h              | flow_h(ofi), five horizons             | odd    |
| 9-13  | volume_h           | flow_h(vol), five horizons             | odd    |
| 14-17 | return_h           | (m - M_h(m)) / (sigma_30 sqrt(h)),     | odd    |
|       |                    | h = 0.1, 0.5, 2 and 10 s               |        |
| 18    | spread             | ln((a - b) / M_30(a - b))              | even   |
| 19    | top_size           | ln((B + A) / M_30(B + A))              | even   |
| 20    | volatility         | ln(sigma_2 / sigma_30)                 | even   |
| 21-22 | moves_h            | ln(1 + S_h(moves) / h), h = 0.5, 10 s  | even   |
| 23    | event_rate         | ln((1 + S_0.5(n) / 0.5) / (1 + S_30(n) / 30)) | even |

Every feature is free of the symbol's price, tick and lot (ratios, or units of its own recent
volatility), and clipped to [-10, 10]. *Odd* features change their sign if bids and asks, buys
and sells are swapped; *even* ones do not.
"""

import gzip
import math
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import orjson

Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
Kind = Literal["book", "trade"]

HORIZONS_S: Final = (0.1, 0.5, 2.0, 10.0, 30.0)
FEATURE_NAMES: Final[tuple[str, ...]] = (
    "top_imbalance",
    "microprice_offset",
    "imbalance_5",
    "imbalance_20",
    *(f"ofi_{horizon:g}s" for horizon in HORIZONS_S),
    *(f"volume_{horizon:g}s" for horizon in HORIZONS_S),
    *(f"return_{horizon:g}s" for horizon in HORIZONS_S[:4]),
    "spread",
    "top_size",
    "volatility",
    "moves_0.5s",
    "moves_10s",
    "event_rate",
)
ODD_COUNT: Final = 18  # the first 18 are odd, the other 6 even; see the table
SIGMA_MIN: Final = 1e-6
FEATURE_ABS_MAX: Final = 10.0
LEVELS_MAX: Final = 20

# The longest horizon's sums reach 63% of their level after this time, 86% after twice of it.
# A row before it is computed, but should be neither trained on nor trusted.
WARM_UP_NS: Final = 30_000_000_000

TRAIN_FILE: Final = "binance_spot_btcusdt_20240808.gz"
TEST_FILE: Final = "binance_spot_btcusdt_20240809.gz"

# Rows of the decayed sums (see `MarketFeatures`), then of the decayed means.
_OFI, _OFI_ABS, _VOL, _VOL_ABS, _SQUARES, _MOVES, _EVENTS = range(7)
_LOG_MID, _SPREAD, _TOP_SIZE = range(3)
# Columns: places in HORIZONS_S.
_H_0_5, _H_2, _H_10, _H_30 = range(1, 5)


@dataclass(frozen=True, slots=True)
class MarketEvent:
    """One event with its features.

    Attributes:
        receive_ns: when the line was received, ns since 1970 by the recorder's clock.
        symbol: for example BTCUSDT.
        kind: "book" (bookTicker) or "trade".
        mid_e8_twice: best bid plus best ask in units of 1e-8: twice the mid price, exact.
        features: float32 [24], in the order of FEATURE_NAMES, read-only.
    """

    receive_ns: int
    symbol: str
    kind: Kind
    mid_e8_twice: int
    features: Float32Array


@dataclass(frozen=True, slots=True)
class _Top:
    """Best bid and ask with their sizes; prices in units of 1e-8, exact."""

    bid_e8: int
    bid_size: float
    ask_e8: int
    ask_size: float


def to_e8(price: str) -> int:
    """Return a price as a whole number of 1e-8, exactly.

    Args:
        price: decimal string with eight decimals, as Binance sends them.

    Raises:
        ValueError: the string has not exactly eight decimals.
    """
    whole, _, decimals = price.partition(".")
    if len(decimals) != 8:
        msg = f"a price must have eight decimals, was {price!r}"
        raise ValueError(msg)
    return int(whole + decimals)


class _BookSide:
    """Sizes by price of one side of the order book, best price first.

    `sign` is -1 for bids and 1 for asks, so that the best has the smallest sort key.
    """

    def __init__(self, sign: Literal[-1, 1]) -> None:
        self._sign = sign
        self._keys: list[int] = []
        self._size_by_key: dict[int, float] = {}

    def set_levels(self, levels: Iterable[tuple[str, str]]) -> None:
        """Set (price, new absolute size) pairs; a size of 0 removes the level."""
        for price, size_text in levels:
            key, size = self._sign * to_e8(price), float(size_text)
            if size > 0.0:
                if key not in self._size_by_key:
                    insort(self._keys, key)
                self._size_by_key[key] = size
            elif self._size_by_key.pop(key, None) is not None:
                del self._keys[bisect_left(self._keys, key)]

    def sizes(self, levels_max: int) -> list[float]:
        """Return the sizes of the best levels, best first."""
        return [self._size_by_key[key] for key in self._keys[:levels_max]]


class OrderBook:
    """Order book from a REST snapshot and the depth updates after it.

    Updates that came before the snapshot line are kept and applied to it, as the exchange
    prescribes: those that it already holds are dropped, and the rest must follow on without
    a gap.
    """

    def __init__(self) -> None:
        self._bids = _BookSide(-1)
        self._asks = _BookSide(1)
        self._last_update_id: int | None = None
        self._waiting: list[dict[str, Any]] = []

    def imbalances(self) -> tuple[float, float] | None:
        """Return depth_5 and depth_20 (see the module), or None before the snapshot."""
        bids, asks = self._bids.sizes(LEVELS_MAX), self._asks.sizes(LEVELS_MAX)
        if self._last_update_id is None or not bids or not asks:
            return None
        bid_5, ask_5 = sum(bids[:5]), sum(asks[:5])
        bid_20, ask_20 = sum(bids), sum(asks)
        return (bid_5 - ask_5) / (bid_5 + ask_5), (bid_20 - ask_20) / (bid_20 + ask_20)

    def start(self, snapshot: dict[str, Any]) -> None:
        """Begin anew from a REST snapshot (`lastUpdateId`, `bids`, `asks`)."""
        self._bids, self._asks = _BookSide(-1), _BookSide(1)
        self._bids.set_levels(snapshot["bids"])
        self._asks.set_levels(snapshot["asks"])
        self._last_update_id = snapshot["lastUpdateId"]
        waiting, self._waiting = self._waiting, []
        for update in waiting:
            self.update(update)

    def update(self, update: dict[str, Any]) -> None:
        """Apply one depth update (`U`, `u`, `b`, `a`).

        Raises:
            ValueError: updates are missing between this one and the book.
        """
        last = self._last_update_id
        if last is None:
            self._waiting.append(update)
            return
        if update["u"] <= last:
            return
        if update["U"] > last + 1:
            msg = f"depth updates {last + 1} to {update['U'] - 1} are missing: get a new snapshot"
            raise ValueError(msg)
        self._bids.set_levels(update["b"])
        self._asks.set_levels(update["a"])
        self._last_update_id = update["u"]


class MarketFeatures:
    """State of one symbol's features: feed it every line in order of its receive time."""

    def __init__(self) -> None:
        self._book = OrderBook()
        self._depth: tuple[float, float] | None = None
        self._top: _Top | None = None
        self._seen_ns: int | None = None
        self._horizons_s = np.array(HORIZONS_S)
        self._root_horizons = np.sqrt(self._horizons_s[:4])
        self._sums = np.zeros((7, len(HORIZONS_S)))
        self._means = np.zeros((3, len(HORIZONS_S)))
        self._held = np.zeros((3, 1))

    def on_line(self, receive_ns: int, message: dict[str, Any]) -> MarketEvent | None:
        """Take one line.

        Args:
            receive_ns: its receive time, ns since 1970; never less than the one before.
            message: the decoded JSON of the line.

        Returns:
            The event with its features; None for a depth update or a snapshot, and for an
            event that comes before the first bookTicker or before the snapshot.

        Raises:
            ValueError: time goes back, depth updates are missing, or the stream is unknown.
        """
        if "lastUpdateId" in message:
            self._book.start(message)
            self._depth = self._book.imbalances()
            return None
        stream, data = message["stream"].partition("@")[2], message["data"]
        if stream == "depth@100ms":
            self._book.update(data)
            self._depth = self._book.imbalances()
            return None
        self._decay(receive_ns)
        if stream == "bookTicker":
            self._on_quote(data)
        elif stream == "trade":
            self._on_trade(data)
        else:
            msg = f"stream {stream!r} is not one of bookTicker, trade, depth@100ms"
            raise ValueError(msg)
        self._sums[_EVENTS] += 1.0
        if self._top is None or self._depth is None:
            return None
        return MarketEvent(
            receive_ns=receive_ns,
            symbol=data["s"],
            kind="book" if stream == "bookTicker" else "trade",
            mid_e8_twice=self._top.bid_e8 + self._top.ask_e8,
            features=self._row(self._top, self._depth),
        )

    def _decay(self, now_ns: int) -> None:
        """Bring the decayed sums and means to this time."""
        before_ns, self._seen_ns = self._seen_ns, now_ns
        if before_ns is None:
            return
        if now_ns < before_ns:
            msg = f"receive time goes back from {before_ns} to {now_ns} ns: sort the lines"
            raise ValueError(msg)
        decay = np.exp((before_ns - now_ns) * 1e-9 / self._horizons_s)
        self._sums *= decay
        self._means += (self._held - self._means) * (1.0 - decay)

    def _on_quote(self, data: dict[str, Any]) -> None:
        """Take a bookTicker: order flow, move of the mid price, held values."""
        old = self._top
        new = _Top(to_e8(data["b"]), float(data["B"]), to_e8(data["a"]), float(data["A"]))
        self._top = new
        log_mid_before = self._held[_LOG_MID, 0]
        self._held[_LOG_MID] = math.log((new.bid_e8 + new.ask_e8) * 0.5e-8)
        self._held[_SPREAD] = new.ask_e8 - new.bid_e8
        self._held[_TOP_SIZE] = new.bid_size + new.ask_size
        if old is None:
            self._means[:] = self._held
            return
        flow = _order_flow(old, new)
        self._sums[_OFI] += flow
        self._sums[_OFI_ABS] += abs(flow)
        if new.bid_e8 + new.ask_e8 != old.bid_e8 + old.ask_e8:
            self._sums[_MOVES] += 1.0
            self._sums[_SQUARES] += (self._held[_LOG_MID, 0] - log_mid_before) ** 2

    def _on_trade(self, data: dict[str, Any]) -> None:
        """Take a trade: volume by the side of the taker."""
        size = float(data["q"])
        self._sums[_VOL] += -size if data["m"] else size
        self._sums[_VOL_ABS] += size

    def _flow(self, net: int, gross: int) -> Float64Array:
        """Return flow_h at the five horizons (see the module)."""
        usual = self._sums[gross, _H_30] / HORIZONS_S[_H_30] * self._horizons_s
        total = self._sums[gross] + usual
        if total[_H_30] <= 0.0:
            return np.zeros_like(total)
        return np.asarray(self._sums[net] / total)

    def _sigma(self, horizon: int) -> float:
        """Return sigma_h; `horizon` is a place in HORIZONS_S."""
        variance = float(self._sums[_SQUARES, horizon]) / HORIZONS_S[horizon]
        return max(math.sqrt(variance), SIGMA_MIN)

    def _rate(self, row: int, horizon: int) -> float:
        """Return 1 + S_h / h of a count: one more than its rate per second."""
        return 1.0 + float(self._sums[row, horizon]) / HORIZONS_S[horizon]

    def _row(self, top: _Top, depth: tuple[float, float]) -> Float32Array:
        """Return float32 [24], in the order of the module's table."""
        sigma = self._sigma(_H_30)
        imbalance = (top.bid_size - top.ask_size) / (top.bid_size + top.ask_size)
        # microprice - mid is half the spread times the imbalance.
        half_spread = (top.ask_e8 - top.bid_e8) / (top.ask_e8 + top.bid_e8)
        trend = (self._held[_LOG_MID] - self._means[_LOG_MID, :4]) / (sigma * self._root_horizons)
        row = np.array(
            (
                imbalance,
                half_spread * imbalance / sigma,
                *depth,
                *self._flow(_OFI, _OFI_ABS),
                *self._flow(_VOL, _VOL_ABS),
                *trend,
                math.log(self._held[_SPREAD, 0] / self._means[_SPREAD, _H_30]),
                math.log(self._held[_TOP_SIZE, 0] / self._means[_TOP_SIZE, _H_30]),
                math.log(self._sigma(_H_2) / sigma),
                math.log(self._rate(_MOVES, _H_0_5)),
                math.log(self._rate(_MOVES, _H_10)),
                math.log(self._rate(_EVENTS, _H_0_5) / self._rate(_EVENTS, _H_30)),
            )
        )
        features = row.clip(-FEATURE_ABS_MAX, FEATURE_ABS_MAX).astype(np.float32)
        features.setflags(write=False)
        return features


def _order_flow(old: _Top, new: _Top) -> float:
    """Return the order-flow imbalance of one quote change (see `ofi` in the module)."""
    flow = 0.0
    if new.bid_e8 >= old.bid_e8:
        flow += new.bid_size
    if new.bid_e8 <= old.bid_e8:
        flow -= old.bid_size
    if new.ask_e8 <= old.ask_e8:
        flow -= new.ask_size
    if new.ask_e8 >= old.ask_e8:
        flow += old.ask_size
    return flow


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (receive time in ns, decoded message) of every line of a raw file."""
    with gzip.open(path, "rb") as lines:
        for line in lines:
            receive_ns, _, text = line.partition(b" ")
            yield int(receive_ns), orjson.loads(text)


def read_events(path: Path, state: MarketFeatures) -> list[MarketEvent]:
    """Run a raw file through `state` and return its events.

    For a file that goes on where another ended, hand over the state of that other.
    """
    events = (state.on_line(receive_ns, message) for receive_ns, message in read_lines(path))
    return [event for event in events if event is not None]
