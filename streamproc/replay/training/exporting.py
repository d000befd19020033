"""``export --training``: a recording's features and their labels as one Parquet file."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from streamproc.config import PipelineConfig
from streamproc.core import VERSION, Array, ConfigError, RecordBatch
from streamproc.engine import PythonFunction
from streamproc.replay.playback import TableHistory
from streamproc.replay.training.features import FeatureRows, features_of
from streamproc.replay.training.labels import NONE, Labels
from streamproc.replay.training.leaks import EqualToLabel, KnownAt, Leak, LeakCount, look_ahead

ROWS: Final = 65_536
"""Of a row group: what is in memory at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """What is exported.

    Attributes:
        config: the pipeline.
        config_text: its file, for the digest; secrets not filled in.
        records: reads the recording from its begin.
        recording: tells it from others.
        out: the file.
        labels: what is joined; None for features alone.
        known_at: decoded fields that tell when something was known, and their units in ns.
        look_ahead_max: of how many records the features are made twice, to see that they know nothing of what
            comes after; 0 for none.
        tables: what lookups found; None where they look into nothing that changes.
    """

    config: PipelineConfig
    config_text: str
    records: Callable[[], Iterable[RecordBatch]]
    recording: str
    out: Path
    labels: Labels | None = None
    known_at: Mapping[str, int] = field(default_factory=dict)
    look_ahead_max: int = 10_000
    tables: TableHistory | None = None


@dataclass(frozen=True, slots=True)
class Exported:
    """What came of it.

    Attributes:
        events: how many rows were written.
        labelled: how many of them have a label.
        leaks: what came from the future; with any, nothing is written.
        columns: the features, and how many numbers each has.
    """

    events: int
    labelled: int
    leaks: tuple[Leak, ...]
    columns: Mapping[str, int]


def config_digest(text: str) -> str:
    """``sha256:`` and the digest of a configuration's text."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def export_training(job: TrainingJob) -> Exported:
    """Write the features of a recording, and their labels.

    Raises:
        ConfigError: the features do not fit, a field is not there, or pyarrow is not installed.
        OSError: the file cannot be written.
    """
    writer = _Writer(job)
    for name in job.known_at:
        if name not in getattr(job.config.codec, "fields", {}):
            msg = f"--known-at {name}: the codec has no such field"
            raise ConfigError(msg)
    leaks: list[Leak] = []
    if job.look_ahead_max:
        leaks += look_ahead(
            job.config, job.records, records_max=job.look_ahead_max, tables=job.tables
        )
    try:
        if not leaks:
            features_of(job.config, job.records, writer.take, job.tables)
            leaks += writer.finish()
        writer.close(keep=not leaks)
    except BaseException:
        writer.close(keep=False)
        raise
    return Exported(writer.events, writer.labelled, tuple(leaks), writer.columns)


class _Writer:
    """Gathers rows, and writes them a row group at a time beside the file, which is there when all is well."""

    def __init__(self, job: TrainingJob) -> None:
        try:
            import pyarrow as pa  # noqa: PLC0415 - an extra
            import pyarrow.parquet  # noqa: PLC0415
        except ImportError as error:
            msg = "Parquet needs pyarrow: pip install 'streamproc[arrow]'"
            raise ConfigError(msg) from error
        self._pa: Any = pa
        self._job = job
        self._part = job.out.with_name(job.out.name + ".part")
        self._file: Any = None
        self._held: list[Any] = []
        self._held_rows = 0
        self._found = LeakCount()
        self._known_at = KnownAt(dict(job.known_at), self._found)
        self._equal = EqualToLabel()
        self.events = 0
        self.labelled = 0
        self.columns: dict[str, int] = {}

    def take(self, rows: FeatureRows) -> None:
        """See ``features_of``."""
        pa = self._pa
        ids = rows.ids()
        self._known_at.look(rows)
        columns = {**self._coordinates(rows, ids), **self._features(rows)}
        if self._job.labels is not None:
            place = self._job.labels.of(rows, ids, self._found)
            columns |= self._labels(self._job.labels, place)
            self._look_for_equals(rows, ids, place)
        self.events += len(ids)
        self._held.append(pa.table(columns))
        self._held_rows += len(ids)
        if self._held_rows >= ROWS:
            self._write()

    def finish(self) -> list[Leak]:
        """All rows were taken; what leaked."""
        self._write()
        return self._found.leaks() + self._equal.leaks()

    def close(self, *, keep: bool) -> None:
        """The file is there, or nothing is."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if keep and self._part.exists():
            self._part.replace(self._job.out)
        else:
            self._part.unlink(missing_ok=True)

    def _coordinates(self, rows: FeatureRows, ids: list[str]) -> dict[str, Any]:
        pa, events = self._pa, rows.events
        instant = pa.timestamp("ns", tz="UTC")
        return {
            "id": pa.array(ids, pa.string()),
            "key": pa.array(events.key.tolist(), pa.binary()),
            "event_time": pa.array(events.event_time_ns).cast(instant),
            "arrival": pa.array(events.arrival_ns).cast(instant),
        }

    def _features(self, rows: FeatureRows) -> dict[str, Any]:
        from streamproc.codecs.arrow import to_array  # noqa: PLC0415 - an extra

        found = {}
        for name, array in rows.events.inputs.items():
            self.columns[name] = int(np.prod(array.shape[1:], dtype=np.int64))
            found[f"feature.{name}"] = to_array(array)
        return found

    def _labels(self, labels: Labels, place: Any) -> dict[str, Any]:  # noqa: ANN401
        pa = self._pa
        rows = pa.array(place, mask=place == NONE)
        self.labelled += int((place != NONE).sum())
        found = {f"label.{name}": labels.values.column(name).take(rows) for name in labels.values.column_names}  # fmt: skip
        if labels.time_ns is not None:
            instants = pa.array(labels.time_ns).cast(pa.timestamp("ns", tz="UTC"))
            found["label_time"] = instants.take(rows)
        return found

    def _look_for_equals(self, rows: FeatureRows, ids: list[str], place: Any) -> None:  # noqa: ANN401
        labels = self._job.labels
        mine = np.flatnonzero(place != NONE)
        if labels is None or not len(mine):
            return
        taken = labels.values.take(self._pa.array(place[mine]))
        numbers: dict[str, Array] = {
            name: taken.column(name).to_numpy()
            for name in taken.column_names
            if self._pa.types.is_floating(taken.column(name).type)
            or self._pa.types.is_integer(taken.column(name).type)
        }
        inputs = {name: array[mine] for name, array in rows.events.inputs.items()}
        self._equal.look([ids[row] for row in mine.tolist()], inputs, numbers)

    def _write(self) -> None:
        if not self._held:
            return
        pa = self._pa
        table = pa.concat_tables(self._held)
        self._held, self._held_rows = [], 0
        if self._file is None:
            schema = table.schema.with_metadata(self._metadata())
            self._job.out.parent.mkdir(parents=True, exist_ok=True)
            self._file = pa.parquet.ParquetWriter(self._part, schema, compression="zstd")
        self._file.write_table(table.replace_schema_metadata(self._metadata()))

    def _metadata(self) -> dict[str, str]:
        job = self._job
        features = job.config.features
        if isinstance(features, PythonFunction):
            names = [features.python]
        else:
            names = [one if isinstance(one, str) else type(one).__name__ for one in features]
        said = {
            "version": VERSION,
            "pipeline": job.config.name,
            "config": config_digest(job.config_text),
            "recording": job.recording,
            "features": names,
        }
        return {"streamproc": json.dumps(said)}
