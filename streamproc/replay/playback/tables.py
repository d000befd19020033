"""The tables of lookups as a recording tells of them: what they held, and each change at the instant since when it was seen."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from streamproc.config import PipelineConfig
from streamproc.connectors.capture import CaptureReader
from streamproc.core import ConfigError, TableRows
from streamproc.features import FedTable
from streamproc.runtime import Assembly, fed_tables


@dataclass(frozen=True, slots=True)
class TableHistory:
    """What a recording tells of the tables that a pipeline looks into.

    Attributes:
        read: reads it from the recording's begin.
        recorded_as: by lookup, the name under which its table was recorded.
        missing: which tables it does not tell of, and what to do, in words; None where it tells of all.
    """

    read: Callable[[], Iterable[TableRows]]
    recorded_as: Mapping[str, str]
    missing: str | None = None

    def fill(
        self, config: PipelineConfig, assembly: Assembly, *, at: tuple[int, int] | None = (0, 0)
    ) -> "TableReplay":
        """Fill the tables of a pipeline while it is played.

        Args:
            config: the pipeline.
            assembly: its parts.
            at: see ``TableReplay``.
        """
        tables = {} if assembly.program is None else assembly.program.tables
        played = TableReplay(fed_tables(config, tables), self)
        played.at = at
        assembly.engine.tables = played
        return played


class TableReplay:
    """Fills tables with what was seen of them then; see ``core.ChangingTables``.

    Args:
        fed: the tables, by their lookups.
        history: what was seen.

    Attributes:
        at: when the batch that comes next arrived, as it was recorded, and in which lap; None where the engine is told
            the recorded instants themselves.
    """

    def __init__(self, fed: Mapping[str, FedTable], history: TableHistory) -> None:
        self._fed: dict[str, list[FedTable]] = {}
        for name, recorded in history.recorded_as.items():
            self._fed.setdefault(recorded, []).append(fed[name])
        self._read = history.read
        self._lap = 0
        self._next: TableRows | None = None
        self.at: tuple[int, int] | None = None
        self._begin()

    def advance(self, before_ns: int) -> None:
        """Let events see what was seen before an instant."""
        if self.at is not None:
            before_ns, lap = self.at
            if lap != self._lap:
                self._lap = lap
                self._begin()
        while (rows := self._next) is not None and rows.seen_ns < before_ns:
            for fed in self._fed.get(rows.name, ()):
                fed.apply(_fields_of(rows, fed.told.fields))
            self._next = next(self._rows, None)

    def changes_at(self, arrival_ns: int, lap: int) -> bool:
        """Whether the tables are others for a batch that arrived then, as it was recorded."""
        return lap != self._lap or (self._next is not None and self._next.seen_ns < arrival_ns)

    def _begin(self) -> None:
        self._rows: Iterator[TableRows] = iter(self._read())
        self._next = next(self._rows, None)


def table_history(config: PipelineConfig, capture: CaptureReader | None) -> TableHistory | None:
    """What a recording tells of the tables that a pipeline looks into; None where it looks into none that change.

    Args:
        config: the pipeline.
        capture: the recording; None for one of another kind, which tells of records alone.
    """
    wanted = fed_tables(config)
    if not wanted:
        return None
    there: dict[str, TableRows] = {}
    for rows in () if capture is None else capture.tables():
        there.setdefault(rows.name, rows)
        if capture is not None and len(there) == len(capture.summary.tables):
            break
    recorded_as, missing = {}, []
    for name, fed in wanted.items():
        names = [one for one in sorted(there) if _holds(there[one], fed)]
        if names:
            recorded_as[name] = name if name in names else names[0]
        else:
            missing.append(f"{fed.told.topic} ({', '.join(fed.told.fields)})")
    words = None
    if missing:
        words = (
            f"the recording does not hold what lookups found in {'; '.join(missing)}: it was made by a release before "
            "tables were recorded, or of a pipeline that looked up something else. In a replay these tables are empty. Record "
            "again with the pipeline as it is now, or join the topic with as_of"
        )
    return TableHistory(tuple if capture is None else capture.tables, recorded_as, words)


def needed(config: PipelineConfig, tables: TableHistory | None) -> None:
    """See that a replay knows what lookups found.

    Raises:
        ConfigError: nobody says what their tables held.
    """
    if tables is None and fed_tables(config):
        msg = "the pipeline looks into topics: give the replay what they held, tables=table_history(config, capture)"
        raise ConfigError(msg)


def _holds(rows: TableRows, fed: FedTable) -> bool:
    return rows.topic == fed.told.topic and set(fed.told.fields) <= set(rows.fields)


def _fields_of(rows: TableRows, fields: tuple[str, ...]) -> TableRows:
    """The numbers that a lookup takes."""
    if rows.fields == fields:
        return rows
    places = [rows.fields.index(name) for name in fields]
    return replace(rows, fields=fields, numbers=rows.numbers[:, places])
