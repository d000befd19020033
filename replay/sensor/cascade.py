"""A small student before the teacher: how often the teacher is asked, how often both agree, what that costs.

    python -m replay.sensor.cascade watch_activity.npz

The student is the teacher cut to half its channels, distilled on subjects 1-5 and quantized. How sure it must be is chosen
on subjects 6 and 7; what is shown is of subjects 8-10. Then the recording of these three is played through the pipeline on
a virtual clock, in which a batch takes the CPU time that was measured: as it came, and so fast that the teacher alone has
its hands full. Three CPU minutes; needs `streamproc[modeling]` and `streamproc[distill]`.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from threadpoolctl import threadpool_limits

from replay.sensor.dataset import cut, load
from replay.sensor.make_windows import parts
from replay.sensor.teacher import SCALING
from streamproc.codecs import TensorCodec
from streamproc.connectors.kafka import KafkaSink, KafkaSource
from streamproc.core import Duration
from streamproc.engine import Deadline, Output
from streamproc.executors import Cascade, Model, ModelVariant, OnnxExecutor, OnnxRuntime
from streamproc.modeling.graphs import load_graph
from streamproc.modeling.inference import run_in_batches, runner
from streamproc.modeling.judging import Bootstrap, decisions, judge
from streamproc.modeling.measuring import in_turns
from streamproc.modeling.quantizing import static_int8
from streamproc.modeling.techniques import CALIBRATION_EVENTS, Techniques, smaller
from streamproc.modeling.traffic import Events
from streamproc.modeling.training import Training
from streamproc.replay import SignalRecording
from streamproc.runtime import Pipeline
from streamproc.scheduling import Batching
from streamproc.telemetry import Metrics, Telemetry
from streamproc.testing import FakeExecutor, PipelineTest

HERE: Final = Path(__file__).parent
KEEP: Final = 0.5
TRAINING: Final = Training(epochs=10)
BATCH_MAX: Final = 32
BUDGET: Final = Duration.parse("50ms")
WANTED: Final = 0.995
"""Agreement on the validation subjects: a little more than the 0.99 that is wanted of others."""
FULL_LOAD: Final = 0.95
"""Of what the teacher alone could decide in full batches."""
LABELS: Final = ("PEN", "ABD", "FEL", "IR", "ER", "TRAP", "ROW")
Array = np.ndarray[Any, Any]
Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scored:
    """What both models say of some windows, and which recordings those are of."""

    student: Array
    teacher: Array
    group: Array

    @property
    def margin(self) -> Array:
        """How much the student's first choice is above its second, float [n]."""
        two = np.sort(self.student, axis=1)[:, -2:]
        return np.asarray(two[:, 1] - two[:, 0])

    @property
    def agree(self) -> Array:
        """Where both decide alike, bool [n]."""
        return np.asarray(decisions(self.student) == decisions(self.teacher))


def threshold(margin: Array, agree: Array, wanted: float) -> float:
    """The smallest margin below which the teacher must be asked for both to decide alike on a share of the windows.

    Args:
        margin: float [n], the student's.
        agree: bool [n], where it decides as the teacher does.
        wanted: the share.
    """
    flips = np.sort(margin[~agree])
    tolerated = int((1 - wanted) * len(margin) + 1e-9)
    if len(flips) <= tolerated:
        return 0.0
    return float(np.nextafter(flips[len(flips) - 1 - tolerated], 2.0))


def costs_ns(models: Mapping[str, onnx.ModelProto], window: Array) -> dict[str, tuple[int, int]]:
    """CPU time of a batch, and of each event of it, in ns: the line through batches of 1 and 32."""
    inputs = {size: {"window": window[:size].copy()} for size in (1, BATCH_MAX)}
    runs = {name: runner(model) for name, model in models.items()}
    took = {
        size: in_turns(
            {name: (lambda run=run, given=given: run(given)) for name, run in runs.items()},
            rounds=25,
        )
        for size, given in inputs.items()
    }
    found = {}
    for name in models:
        one, many = took[1][name].p50, took[BATCH_MAX][name].p50
        per_event = (many - one) / (BATCH_MAX - 1)
        found[name] = (round(max(one - per_event, 0)), round(per_event))
    return found


def play(
    files: Mapping[str, str],
    costs: Mapping[str, tuple[int, int]],
    *,
    unsure: str | None,
    speed: float,
    count: int | None = None,
) -> Found:
    """The recording, or its first windows, through the pipeline: by the teacher alone, or by the cascade."""
    names = ["teacher", "student"] if unsure else ["teacher"]
    quality = {"teacher": 1.0, "student": 0.9}
    model = Model(
        variants=tuple(ModelVariant(n, files[n], quality=quality[n]) for n in names),
        cascade=Cascade(unsure) if unsure else None,
    )
    config = Pipeline(
        name="activity",
        source=KafkaSource(topics=("windows",), auto_offset_reset="earliest"),
        codec=TensorCodec(type="float32[100, 6]", field="window"),
        deadline=Deadline(budget=BUDGET, from_="event_time"),
        features=("window",),
        model=model,
        output=Output(labels=LABELS),
        batching=Batching(max_size=BATCH_MAX),
        sink=KafkaSink(topic="activities"),
        telemetry=Telemetry(metrics=Metrics(listen=None)),
    )
    executors = []
    for name in names:
        real = OnnxExecutor(files[name], OnnxRuntime(), variant=name)
        fixed_ns, per_event_ns = costs[name]
        executors.append(FakeExecutor.around(real, fixed_ns=fixed_ns, per_event_ns=per_event_ns))
    test = PipelineTest(config, executor=executors)
    recording = SignalRecording(HERE / "exercises.npz")
    stamps = recording.timestamp_ns()[:count]
    due_ns = test.now_ns + ((stamps - stamps[0]) / speed).astype(np.int64)
    for event, at_ns in zip(islice(recording.events(), count), due_ns.tolist(), strict=True):
        test.send("windows", event.value, key=event.key, at_ns=at_ns)
    result = test.run()
    outcomes = result.summary["outcomes"]
    busy_ns = sum(ns for _, ns in result.accounts.variants.values())
    return {
        "windows": len(stamps),
        "labels": {d.offset: d.output["label"] for d in result.decisions},
        "outcomes": {word: count for word, count in outcomes.items() if count},
        "in_time": (outcomes["on_time"] + outcomes["degraded"]) / len(stamps),
        "asked": result.accounts.variants.get(0, (0, 0))[0] / len(stamps),
        "busy_ms": busy_ns / 1e6,
        "verdicts": {
            f"{names[v]} {w}": n for (v, w), n in sorted(result.accounts.verdicts.items())
        },
    }


def student_of(teacher: onnx.ModelProto, train: Events) -> onnx.ModelProto:
    """The teacher cut, distilled and quantized."""
    techniques = Techniques(training=TRAINING, fixed=SCALING)
    with threadpool_limits(limits=1):
        small = smaller(teacher, KEEP, train, techniques)
    return static_int8(small, train.first(CALIBRATION_EVENTS).inputs, reduced=True)


def measured(source: Path) -> Found:
    """All of it."""
    archive = parts(cut(load(source)))
    teacher = load_graph(HERE / "teacher.onnx")

    def events(part: str) -> Events:
        rows = archive["part"] == part
        return Events({"window": archive["window"][rows]}, archive["group"][rows])

    student = student_of(teacher, events("train"))

    def scored(part: str) -> Scored:
        some = events(part)
        by = [run_in_batches(model, some.inputs) for model in (student, teacher)]
        return Scored(by[0], by[1], some.group)

    chosen, shown = scored("validation"), scored("test")
    least = threshold(chosen.margin, chosen.agree, WANTED)
    asked = shown.margin < least
    both = np.where(asked, decisions(shown.teacher), decisions(shown.student))
    judged = judge(both, decisions(shown.teacher), None, Bootstrap.of(shown.group))
    models = {"teacher": teacher, "student": student}
    costs = costs_ns(models, archive["window"])
    report: Found = {
        "unsure": f"margin < {least:.4f}",
        "validation": {"asked": float((chosen.margin < least).mean()), "wanted": WANTED},
        "test": {
            "windows": len(both),
            "student_agrees": float(shown.agree.mean()),
            "asked": float(asked.mean()),
            "agrees": 1 - judged.flips,
            "agrees_95": [1 - end for end in reversed(judged.flips_95)],
        },
        "costs_ns": {name: {"batch": a, "event": b} for name, (a, b) in costs.items()},
        "played": {},
    }
    with tempfile.TemporaryDirectory(prefix="streamproc-cascade-") as folder:
        files = {name: str(Path(folder) / f"{name}.onnx") for name in models}
        for name, model in models.items():
            onnx.save(model, files[name])
        stamps = SignalRecording(HERE / "exercises.npz").timestamp_ns()
        rate = len(stamps) / ((stamps[-1] - stamps[0]) / 1e9)
        fixed_ns, per_event_ns = costs["teacher"]
        capacity = BATCH_MAX * 1e9 / (fixed_ns + BATCH_MAX * per_event_ns)
        for name, speed in (("as it came", 1.0), ("full load", FULL_LOAD * capacity / rate)):
            alone = play(files, costs, unsure=None, speed=speed)
            cascade = play(files, costs, unsure=report["unsure"], speed=speed)
            teacher_says = play(files, costs, unsure=None, speed=1.0)["labels"]
            given = cascade.pop("labels")
            alone.pop("labels")
            cascade["agrees"] = float(
                np.mean([given.get(n) == label for n, label in teacher_says.items()])
            )
            cascade["cost"] = cascade["busy_ms"] / alone["busy_ms"]
            report["played"][name] = {
                "events_a_second": round(rate * speed, 1),
                "teacher": alone,
                "cascade": cascade,
            }
    return report


def main() -> None:
    """Print what was found; 1 where it is not what is wanted."""
    parser = argparse.ArgumentParser(description="A cascade on the sensor recording.")
    parser.add_argument("source", type=Path, help="watch_activity.npz")
    report = measured(parser.parse_args().source)
    print(json.dumps(report, indent=2))
    played = [one["cascade"] for one in report["played"].values()]
    wanted = all(p["in_time"] >= 0.99 and p["agrees"] >= 0.99 and p["cost"] < 0.5 for p in played)
    raise SystemExit(0 if wanted else 1)


if __name__ == "__main__":
    main()
