"""What operators over a key's last events have in common: which those are."""

from dataclasses import dataclass

from streamproc.core import Duration, Float64Array
from streamproc.features.history import Window
from streamproc.features.operators.operator import Need, View, window_name, window_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Windowed:
    """An operator over the key's last events, this one among them.

    Attributes:
        field: the field.
        events: the last so many events.
        time: the events of so long before this one happened, the beginning not included.
        max_events: of a window of ``time``, at most so many count, the last ones; it bounds the memory for each key.
        when: only events for which this holds; null for all.
        fill: the value where there is no member.
        as_: the name of what is made.
    """

    field: str
    events: int | None = None
    time: Duration | None = None
    max_events: int = 256
    when: str | None = None
    fill: float = 0.0
    as_: str | None = None

    def __post_init__(self) -> None:
        self._bounds()

    @property
    def need(self) -> Need | None:
        """The window."""
        return Need((self.field,), *self._bounds(), self.when)

    @property
    def _window_name(self) -> str:
        return window_name(self.field, self.events, self.time)

    def _bounds(self) -> tuple[int, int | None]:
        return window_of(self.events, self.time, self.max_events)

    def _members(self, view: View) -> tuple[Window, Float64Array]:
        """The window of each event, and the field's values in it (float64 [n, size])."""
        history = view.histories[self.when]
        size, time_ns = self._bounds()
        window = history.window(events=size, time_ns=time_ns)
        return window, history.values(window, self.field, view.columns)
