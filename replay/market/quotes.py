"""The raw ticks of the market demo with windows: what a feed handler sends, and nothing made of it.

Each `bookTicker` line gives a tick for each side of the book that it changes, `bid` or `ask`, with the new best price
and its size; each `trade` line a tick `buy` or `sell`, by the side of the taker. All have the time at which the line
was received.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal, NamedTuple

Kind = Literal["bid", "ask", "buy", "sell"]
QUOTES: Final[tuple[Kind, Kind]] = ("bid", "ask")


class Tick(NamedTuple):
    """One tick.

    Attributes:
        receive_ns: when its line was received, ns since 1970 by the recorder's clock.
        symbol: such as BTCUSDT.
        kind: what it is.
        price: in units of the quote currency.
        size: in units of the base currency.
    """

    receive_ns: int
    symbol: str
    kind: Kind
    price: float
    size: float


def ticks(lines: Iterable[tuple[int, dict[str, Any]]]) -> Iterator[Tick]:
    """The ticks of raw lines (see `features.read_lines`), in their order."""
    best: dict[tuple[str, str], tuple[str, str]] = {}
    for receive_ns, message in lines:
        stream, data = message.get("stream", ""), message.get("data", {})
        if stream.endswith("@bookTicker"):
            for kind, price, size in (("bid", "b", "B"), ("ask", "a", "A")):
                side = (data[price], data[size])
                if best.get((data["s"], kind)) != side:
                    best[data["s"], kind] = side
                    yield Tick(receive_ns, data["s"], kind, float(side[0]), float(side[1]))  # type: ignore[arg-type]
        elif stream.endswith("@trade"):
            # The buyer was the maker: who took, sold.
            kind = "sell" if data["m"] else "buy"
            yield Tick(receive_ns, data["s"], kind, float(data["p"]), float(data["q"]))
