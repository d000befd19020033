"""``streamproc optimize --tune``: a model's settings of onnxruntime, found by measuring them."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from streamproc.cli.failures import DONE
from streamproc.cli.screen import line, notes_console, print_json, result_console, table
from streamproc.core import (
    Columns,
    Executor,
    ExternalError,
    SystemClock,
    process_cpu_ns,
)
from streamproc.executors import Model, OnnxRuntime, load_executors
from streamproc.modeling.bench.targets import batches_of
from streamproc.modeling.pairs import Ratio, take_turns
from streamproc.modeling.traffic import Events, Traffic
from streamproc.modeling.tuning import Trial, Tuned, changes, settings_text, tune

_SIZE_MAX = 256
"""What ``batching.max_size`` is without a word."""
_FILE = "tuned.yaml"


def tune_model(
    model: Path,
    traffic: Traffic | None,
    *,
    batches: Sequence[int],
    rounds: int,
    out: Path | None,
    json: bool,
) -> int:
    """Find the settings, and say which they are and what each brought.

    Args:
        model: the ONNX file.
        traffic: recorded events; None draws numbers.
        batches: batch sizes that settings are judged by.
        rounds: turns of each setting.
        out: a folder that the lines are written to; None for none.
        json: whether one object goes to stdout.
    """
    clock, now = SystemClock(), OnnxRuntime()

    def load(options: OnnxRuntime) -> Executor:
        (executor,) = load_executors(Model(str(model), options), clock)
        return executor

    info = load(now).info
    most = info.batch_max or _SIZE_MAX
    notes = notes_console()
    found = tune(
        lambda options: load(options).run,
        batches_of(info, None) if traffic is None else partial(_batch, traffic.test),
        [size for size in batches if size <= most] or [most],
        now=now,
        cores=len(os.sched_getaffinity(0)),
        size_max=min(most, _SIZE_MAX),
        measure=lambda runs: take_turns(
            runs, rounds=rounds, wall_ns=clock.now_ns, cpu_ns=process_cpu_ns
        ),
        say=lambda text: line(notes, text),
    )
    text = settings_text(found, now)
    _show(found, text, as_json=json)
    if out is not None:
        line(result_console(as_json=json), str(_write(out, text)), "green")
    if json:
        print_json(_told(found, now, text))
    return DONE


def _batch(events: Events, size: int) -> Columns:
    return {
        name: array.take(range(size), axis=0, mode="wrap") for name, array in events.inputs.items()
    }


def _write(folder: Path, text: str) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / _FILE
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        msg = f"cannot write to {folder}: {error.strerror or error}"
        raise ExternalError(msg) from error
    return path


def _show(found: Tuned, text: str, *, as_json: bool) -> None:
    console = result_console(as_json=as_json)
    for title, trials in (("one by one", found.trials), ("once more", found.confirmed)):
        if trials:
            console.print(_table(title, trials))
    batches = table("batch", "us an event", title="batch sizes, with the settings below")
    for size, event_ns in found.event_ns.items():
        batches.add_row(str(size), f"{event_ns / 1e3:,.2f}")
    console.print(batches)
    for sentence in words(found):
        line(console, f"- {sentence}")
    line(console, text.rstrip())


def words(found: Tuned) -> list[str]:
    """What follows, in words."""
    said = [
        "times are of the wall, beside the defaults in the same round: the median, and where it lies with 95%",
        "what is within 2%, or may be noise, is said to be no difference",
    ]
    if found.noisy:
        said.append(
            "the same settings were not as quick as themselves: this machine does other work, so nothing was changed; measure "
            "again on one that does not"
        )
    elif found.confirmed and not found.confirmed[-1].helps:
        said.append("what helped alone did not help a second time together: nothing was changed")
    elif not found.confirmed:
        said.append("no setting is surely quicker than the defaults: keep them")
    return said


def _table(title: str, trials: Sequence[Trial]) -> Any:  # noqa: ANN401 - rich's table
    sizes = list(trials[0].wall)
    head = [f"batch {size}: {what}" for size in sizes for what in ("us", "beside", "", "CPU")]
    rows = table("settings", *head, title=title)
    for trial in trials:
        cells: list[str] = []
        for size in sizes:
            ratio = trial.wall[size]
            verdict = "no difference" if ratio.verdict == "none" else ratio.verdict
            cells += [
                f"{trial.took_ns[size] / 1e3:,.1f}",
                f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})",
                verdict,
                f"{trial.cpu[size].median:.2f}",
            ]
        rows.add_row(trial.name, *cells)
    return rows


def _told(found: Tuned, now: OnnxRuntime, text: str) -> dict[str, Any]:
    return {
        "trials": [_trial(one) for one in found.trials],
        "confirmed": [_trial(one) for one in found.confirmed],
        "noisy": found.noisy,
        "settings": changes(found.options, now),
        "event_us": {str(size): round(ns / 1e3, 3) for size, ns in found.event_ns.items()},
        "max_size": found.max_size,
        "words": words(found),
        "configuration": text,
    }


def _trial(trial: Trial) -> dict[str, Any]:
    def ratios(some: Mapping[int, Ratio]) -> dict[str, dict[str, Any]]:
        return {
            str(size): {
                "median": round(ratio.median, 4),
                "low": round(ratio.low, 4),
                "high": round(ratio.high, 4) if ratio.high != float("inf") else None,
                "verdict": ratio.verdict,
            }
            for size, ratio in some.items()
        }

    return {
        "name": trial.name,
        "us": {str(size): round(ns / 1e3, 2) for size, ns in trial.took_ns.items()},
        "wall": ratios(trial.wall),
        "cpu": ratios(trial.cpu),
        "helps": trial.helps,
    }
