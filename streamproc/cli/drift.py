"""``streamproc drift``: a reference of features' distributions, and a recording held against one."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from streamproc.cli import options
from streamproc.cli.failures import DONE, FAILED, located
from streamproc.cli.replay_plan import choose, say_recording
from streamproc.cli.screen import line, print_json, result_console, table
from streamproc.config import load
from streamproc.connectors.capture import CaptureReader
from streamproc.core import Columns, ConfigError, ExternalError
from streamproc.engine import PythonFunction
from streamproc.replay.training import FeatureRows, features_of
from streamproc.runtime import Pipeline, read_reference
from streamproc.telemetry import DriftMonitor, DriftReference, DriftState

group = typer.Typer(
    add_completion=False, rich_markup_mode=None, help="Whether features are as they were."
)
_UNBOUNDED = 1 << 62
_MOVED = 0.25
"""By custom, from here on a distribution is another one."""


@group.command("reference")
def reference(
    recording: Annotated[
        Path, typer.Argument(metavar="F", help="A recording, or a .parquet of export --training.")
    ],
    config: Annotated[
        Path | None,
        typer.Argument(metavar="[CONFIG]", help="The pipeline's YAML file; not for .parquet."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="F.json", help="Where to.")] = Path("drift.json"),
    events: Annotated[
        int, typer.Option(min=10, help="How many events it is made of, at most.")
    ] = 200_000,
    set_: options.Set = None,
    json: options.Json = False,
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Write down how features are distributed: what the model was trained on."""
    if recording.suffix == ".parquet":
        columns, names = _of_parquet(recording, events)
    else:
        columns, names = _of_recording(recording, config, set_ or (), events)
    if not columns or not len(next(iter(columns.values()))):
        msg = f"{recording} holds no events with features"
        raise ConfigError(msg)
    try:
        made = DriftReference.of(columns, names)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    try:
        out.write_text(made.to_json(), encoding="utf-8")
    except OSError as error:
        msg = f"cannot write {out}: {error.strerror or error}"
        raise ExternalError(msg) from error
    if json:
        print_json({"out": str(out), "events": made.events, "features": list(made.names)})
    else:
        said = f"wrote the distributions of {len(made.names)} features of {made.events:,} events to {out}"
        line(result_console(as_json=False), said)
    return DONE


@group.command("compare")
def compare(
    recording: Annotated[Path, typer.Argument(metavar="F.mcap", help="A recording.")],
    config: options.Config,
    against: Annotated[Path, typer.Option("--reference", metavar="F.json", help="The reference.")],
    limit: Annotated[
        float, typer.Option(min=0.0, help="Of the population stability index; above it exit 1.")
    ] = _MOVED,
    set_: options.Set = None,
    json: options.Json = False,
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Hold a recording against a reference; exit 1 where a feature has moved."""
    monitor = DriftMonitor(read_reference(against), window=_UNBOUNDED)
    _play(recording, config, set_ or (), lambda rows: monitor.observe(rows.events.inputs))
    if not monitor.fits:
        msg = f"{against} is of other features than the pipeline's"
        raise ConfigError(msg)
    state = monitor.unfinished()
    moved = np.greater(state.psi(), limit)
    _tell(state, limit, as_json=json)
    return FAILED if moved.any() else DONE


def _tell(state: DriftState, limit: float, *, as_json: bool) -> None:
    columns = [values.tolist() for values in (state.psi(), state.missing_share(), state.outside_share())]  # fmt: skip
    if as_json:
        features = [
            {"name": name, "psi": psi, "missing": missing, "outside": outside}
            for name, psi, missing, outside in zip(state.names, *columns, strict=True)
        ]
        print_json({"events": state.events, "limit": limit, "features": features})
        return
    console = result_console(as_json=False)
    rows = table("feature", "PSI", "missing", "outside")
    worst_first = np.argsort(-np.array(columns[0]), kind="stable").tolist()
    for place in worst_first:
        psi, missing, outside = (column[place] for column in columns)
        mark = " !" if psi > limit else ""
        rows.add_row(state.names[place], f"{psi:.3f}{mark}", f"{missing:.2%}", f"{outside:.2%}")
    console.print(rows)
    line(console, f"{state.events:,} events")


def _of_recording(
    recording: Path, config: Path | None, overrides: Iterable[str], events: int
) -> tuple[Columns, tuple[str, ...]]:
    """The features of some events, evenly over a recording, and their names."""
    if config is None:
        msg = "write drift reference F.mcap CONFIG: the features of a recording are made by its pipeline"
        raise ConfigError(msg)
    held = _Thinned(events)
    pipeline = _play(recording, config, tuple(overrides), lambda rows: held.add(rows.events.inputs))
    columns = held.columns()
    return columns, _names(pipeline, columns)


def _play(
    recording: Path,
    config: Path,
    overrides: Iterable[str],
    take: Callable[[FeatureRows], None],
) -> Pipeline:
    loaded = load(config, overrides=tuple(overrides))
    with CaptureReader([recording]) as reader, located(loaded):
        say_recording(reader)
        pipeline = Pipeline.from_file(loaded)
        chosen = choose(reader, pipeline, topics=(), start=None, end=None)
        features_of(pipeline, chosen.records, take)
    return pipeline


def _names(pipeline: Pipeline, columns: Columns) -> tuple[str, ...]:
    """The names of the fields, where the features are fields side by side."""
    features = pipeline.features
    if isinstance(features, PythonFunction) or len(columns) != 1:
        return ()
    names = tuple(one for one in features if isinstance(one, str))
    (array,) = columns.values()
    return names if len(names) == len(features) and array.shape[1:] == (len(names),) else ()


def _of_parquet(path: Path, events: int) -> tuple[Columns, tuple[str, ...]]:
    """The features of a file of ``export --training``."""
    try:
        import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

        found = pq.read_table(path)
    except ImportError as error:
        msg = "Parquet needs pyarrow: pip install 'streamproc[arrow]'"
        raise ConfigError(msg) from error
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read: {str(error).splitlines()[0]}"
        raise ConfigError(msg) from error
    step = max(1, -(-found.num_rows // events))
    columns: Columns = {}
    for name in found.column_names:
        if name.startswith("feature."):
            flat = found.column(name).combine_chunks()
            while hasattr(flat, "flatten") and hasattr(flat.type, "list_size"):
                flat = flat.flatten()
            array = flat.to_numpy(zero_copy_only=False).reshape(found.num_rows, -1)
            columns[name.removeprefix("feature.")] = array[::step]
    return columns, ()


class _Thinned:
    """Keeps at most so many events, evenly spread: each time that there are too many, every second one goes.

    Args:
        most: how many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._step = 1
        self._seen = 0
        self._parts: list[Columns] = []
        self._count = 0

    def add(self, inputs: Columns) -> None:
        """More events."""
        count = len(next(iter(inputs.values())))
        start = -self._seen % self._step
        part = {name: array[start :: self._step] for name, array in inputs.items()}
        self._seen += count
        self._parts.append(part)
        self._count += len(next(iter(part.values())))
        if self._count > self._most:
            whole = self.columns()
            self._parts = [{name: array[::2] for name, array in whole.items()}]
            self._step *= 2
            self._count = len(next(iter(self._parts[0].values())))

    def columns(self) -> Columns:
        """All that are kept."""
        if not self._parts:
            return {}
        return {
            name: np.concatenate([part[name] for part in self._parts]) for name in self._parts[0]
        }
