"""``streamproc export --training F.mcap CONFIG``: features by the code that serves, and their labels, as Parquet."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from streamproc.cli.failures import DONE, FAILED, located
from streamproc.cli.replay_plan import choose, say_recording, tables_of
from streamproc.cli.screen import line, print_json, result_console
from streamproc.config import load
from streamproc.connectors.capture import CaptureReader
from streamproc.core import ConfigError, Duration, ExternalError
from streamproc.replay.training import (
    Exported,
    Joining,
    TrainingJob,
    export_training,
    read_labels,
)
from streamproc.replay.training.labels import UNITS_NS
from streamproc.runtime import Pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked for.

    Attributes:
        recording: the recording.
        config: the pipeline's file.
        out: where to.
        labels: the labels' file.
        label_unit: of times that are whole numbers.
        horizon: from an event to its label, at least.
        within: how much later, at most.
        known_at: ``FIELD`` or ``FIELD:UNIT`` each.
        look_ahead: how many records are looked at twice.
        overrides: ``KEY=VALUE`` each.
        json: one JSON object on stdout.
    """

    recording: Path
    config: Path
    out: Path
    labels: Path | None
    label_unit: str
    horizon: Duration | None
    within: Duration | None
    known_at: Sequence[str]
    look_ahead: int
    overrides: Sequence[str]
    json: bool


def run(asked: Asked) -> int:
    """Write the file; exit 1 where something leaked out of the future.

    Raises:
        ConfigError: the configuration or the labels do not fit.
        ExternalError: the file cannot be written.
        BadParameter: an option cannot be read.
    """
    loaded = load(asked.config, overrides=asked.overrides)
    joining = Joining(
        unit_ns=_unit_ns("--label-unit", asked.label_unit),
        horizon_ns=0 if asked.horizon is None else int(asked.horizon),
        within_ns=None if asked.within is None else int(asked.within),
    )
    known_at = {}
    for text in asked.known_at:
        name, _, unit = text.partition(":")
        known_at[name] = _unit_ns("--known-at", unit or "ns")
    with CaptureReader([asked.recording]) as reader, located(loaded):
        say_recording(reader)
        pipeline = Pipeline.from_file(loaded)
        chosen = choose(reader, pipeline, topics=(), start=None, end=None)
        job = TrainingJob(
            config=pipeline,
            config_text=loaded.source_text,
            records=chosen.records,
            recording=reader.metadata.recording,
            out=asked.out,
            labels=None if asked.labels is None else read_labels(asked.labels, joining),
            known_at=known_at,
            look_ahead_max=asked.look_ahead,
            tables=tables_of(reader, pipeline, all_needed=True),
        )
        try:
            exported = export_training(job)
        except OSError as error:
            msg = f"cannot write {asked.out}: {error.strerror or error}"
            raise ExternalError(msg) from error
    _say(asked, exported)
    return FAILED if exported.leaks else DONE


def _unit_ns(option: str, text: str) -> int:
    if text not in UNITS_NS:
        msg = f"{option} {text!r}: write one of {', '.join(UNITS_NS)}"
        raise typer.BadParameter(msg)
    return UNITS_NS[text]


def _say(asked: Asked, exported: Exported) -> None:
    if asked.json:
        told = {
            "events": exported.events,
            "labelled": exported.labelled if asked.labels else None,
            "features": dict(exported.columns),
            "leaks": [
                {"what": one.what, "why": one.why, "events": one.events, "first": one.first}
                for one in exported.leaks
            ],
            "out": None if exported.leaks else str(asked.out),
        }
        print_json(told)
        return
    console = result_console(as_json=False)
    for leak in exported.leaks:
        line(console, f"leak from the future: {leak}", "bold red")
    if exported.leaks:
        line(console, f"nothing was written to {asked.out}")
        return
    labelled = f", {exported.labelled:,} of them with labels" if asked.labels else ""
    features = ", ".join(f"{name} [{size}]" for name, size in exported.columns.items())
    line(console, f"wrote {exported.events:,} events{labelled} to {asked.out}: {features}")


def need_config(words: Sequence[Path]) -> Path:
    """The one word that is left beside ``--training F.mcap``.

    Raises:
        ConfigError: there is none, or more.
    """
    if len(words) != 1:
        msg = "write export --training F.mcap CONFIG --out F.parquet: one recording and one configuration"
        raise ConfigError(msg)
    return words[0]
