"""Finds a model's settings of onnxruntime by measuring them, each beside those that it has now."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from statistics import median_high
from typing import Any, Final, Protocol

from streamproc.core import Columns
from streamproc.executors import OnnxRuntime
from streamproc.modeling.pairs import Ratio, Took

NOW: Final = "as now"
AGAIN: Final = "as now, again"
"""The same settings a second time: what differs between the two is the noise of this machine."""
ALL: Final = "all that helped"
_NO_CHEAPER: Final = 0.95
_LEVELS: Final = ("extended", "basic", "none")

Say = Callable[[str], None]
Run = Callable[[Columns], Columns]


class Measure(Protocol):
    """Measures things in turns, as ``take_turns`` does."""

    def __call__(self, runs: Mapping[str, Callable[[], object]]) -> dict[str, Took]:
        """By name, what each took."""
        ...


@dataclass(frozen=True, slots=True)
class Trial:
    """Settings that were measured.

    Attributes:
        name: what they are, in words.
        options: they themselves.
        wall: by batch size, how long it takes beside the settings that it has now.
        cpu: the same of the process's CPU time.
        took_ns: by batch size, the median on the wall.
    """

    name: str
    options: OnnxRuntime
    wall: Mapping[int, Ratio]
    cpu: Mapping[int, Ratio]
    took_ns: Mapping[int, float]

    @property
    def helps(self) -> bool:
        """Whether it is surely quicker with one batch size at least, and surely slower with none."""
        verdicts = {ratio.verdict for ratio in self.wall.values()}
        return "quicker" in verdicts and "slower" not in verdicts

    @property
    def quiet(self) -> bool:
        """Of the same settings again: whether they are as quick as themselves."""
        return all(ratio.verdict == "none" for ratio in self.wall.values())


@dataclass(frozen=True, slots=True)
class Tuned:
    """What was found.

    Attributes:
        trials: the settings alone, the same ones again at the end of them.
        confirmed: all that helped together, measured once more, behind the same settings again; empty where nothing did.
        options: those to be written.
        event_ns: by batch size, the time of one event in it, with these.
        max_size: the smallest batch size behind which an event becomes surely no cheaper that would matter; None where a
            larger one may always be worth it.
        noisy: the same settings were not as quick as themselves: nothing is believed.
    """

    trials: tuple[Trial, ...]
    confirmed: tuple[Trial, ...]
    options: OnnxRuntime
    event_ns: Mapping[int, float]
    max_size: int | None
    noisy: bool


def candidates(now: OnnxRuntime, cores: int) -> dict[str, tuple[str, OnnxRuntime]]:
    """By name, which setting it is about, and the options.

    Args:
        now: the settings that it has.
        cores: of this machine.
    """
    found: dict[str, tuple[str, OnnxRuntime]] = {}
    powers = [1 << power for power in range(cores.bit_length())]
    for threads in dict.fromkeys((*(p for p in powers if p <= cores), cores)):
        words = f"{threads} thread{'s' if threads > 1 else ''}"
        for spinning in (True, False) if threads > 1 else (now.spinning,):
            name = words if spinning else f"{words}, not spinning"
            found[name] = (
                "threads",
                replace(now, intra_op_threads=threads, spinning=spinning),
            )
    found["no arena" if now.arena else "arena"] = ("arena", replace(now, arena=not now.arena))
    for level in _LEVELS:
        found[f"graph: {level}"] = ("graph", replace(now, graph_optimization=level))
    if cores > 1:
        parallel = replace(now, execution_mode="parallel", inter_op_threads=2)
        found["parallel operators"] = ("mode", parallel)
    return {name: one for name, one in found.items() if one[1] != now}


def tune(
    load: Callable[[OnnxRuntime], Run],
    inputs: Callable[[int], Columns],
    sizes: Sequence[int],
    *,
    now: OnnxRuntime,
    cores: int,
    size_max: int,
    measure: Measure,
    say: Say,
) -> Tuned:
    """Try settings one by one, then what helped together, then batch sizes.

    Args:
        load: gives what runs the model with some options.
        inputs: gives a batch of n events.
        sizes: batch sizes that the settings are judged by.
        now: the settings that it has.
        cores: of this machine.
        size_max: the largest batch size that is tried.
        measure: measures in turns.
        say: told what is being done.
    """
    found = candidates(now, cores)
    tried = {NOW: now, **{name: options for name, (_, options) in found.items()}, AGAIN: now}
    trials = _trials(tried, load, inputs, sizes, measure, say)
    again, alone = trials[-1], trials[:-1]
    chosen = now
    confirmed: tuple[Trial, ...] = ()
    helped = _best({trial.name: trial for trial in alone if trial.helps}, found)
    if helped and again.quiet:
        together = now
        for name in helped:
            together = _with(together, found[name][1], now)
        say(f"once more, together: {', '.join(helped)}")
        confirmed = _trials(
            {NOW: now, AGAIN: now, ALL: together}, load, inputs, sizes, measure, say
        )
        again = confirmed[0]
        if again.quiet and confirmed[1].helps:
            chosen = together
    event_ns, max_size = _batches(load(chosen), inputs, size_max, measure, say)
    return Tuned(trials, confirmed, chosen, event_ns, max_size, noisy=not again.quiet)


def _trials(
    tried: Mapping[str, OnnxRuntime],
    load: Callable[[OnnxRuntime], Run],
    inputs: Callable[[int], Columns],
    sizes: Sequence[int],
    measure: Measure,
    say: Say,
) -> tuple[Trial, ...]:
    """Measure settings beside the first of them."""
    runs = {name: load(options) for name, options in tried.items()}
    took: dict[int, dict[str, Took]] = {}
    for size in sizes:
        say(f"measuring {len(runs)} settings with batches of {size}")
        given = inputs(size)
        took[size] = measure({name: partial(run, given) for name, run in runs.items()})

    def trial(name: str) -> Trial:
        return Trial(
            name,
            tried[name],
            {s: Ratio.of(t[name].wall_ns, t[NOW].wall_ns) for s, t in took.items()},
            {s: Ratio.of(t[name].cpu_ns, t[NOW].cpu_ns) for s, t in took.items()},
            {s: _median(t[name]) for s, t in took.items()},
        )

    return tuple(trial(name) for name in tried if name != NOW)


def _best(
    helping: Mapping[str, Trial], found: Mapping[str, tuple[str, OnnxRuntime]]
) -> tuple[str, ...]:
    """Of each setting the value that helps most, over all batch sizes."""
    best: dict[str, tuple[float, str]] = {}
    for name, trial in helping.items():
        worth = 1.0
        for ratio in trial.wall.values():
            worth *= ratio.median
        about = found[name][0]
        best[about] = min(best.get(about, (worth, name)), (worth, name))
    return tuple(name for _, name in best.values())


def _with(together: OnnxRuntime, other: OnnxRuntime, now: OnnxRuntime) -> OnnxRuntime:
    """Options with what others changed."""
    changed: dict[str, Any] = changes(other, now)
    return replace(together, **changed)


def changes(options: OnnxRuntime, beside: OnnxRuntime) -> dict[str, Any]:
    """By name, what differs from other options."""
    return {
        field.name: getattr(options, field.name)
        for field in fields(OnnxRuntime)
        if getattr(options, field.name) != getattr(beside, field.name)
    }


def _batches(
    run: Run, inputs: Callable[[int], Columns], size_max: int, measure: Measure, say: Say
) -> tuple[dict[int, float], int | None]:
    """By batch size the time of one event, and the size behind which it falls no further; see ``Tuned``."""
    powers = [1 << power for power in range(size_max.bit_length())]
    sizes = list(dict.fromkeys((*(p for p in powers if p <= size_max), size_max)))
    say(f"measuring batches of {', '.join(map(str, sizes))}")
    took = measure({str(size): partial(run, inputs(size)) for size in sizes})
    event_ns = {size: _median(took[str(size)]) / size for size in sizes}
    for size in sizes[:-1]:
        larger = [other for other in sizes if other > size]
        beside = took[str(size)].wall_ns / size
        ratios = (Ratio.of(took[str(other)].wall_ns / other, beside) for other in larger)
        # That none is surely cheaper would be true of any size where all is noise.
        if all(ratio.low > _NO_CHEAPER for ratio in ratios):
            return event_ns, size
    return event_ns, None


def _median(took: Took) -> float:
    return float(median_high(took.wall_ns.tolist()))


def settings_text(tuned: Tuned, now: OnnxRuntime) -> str:
    """The part of a configuration that says what was found."""
    changed = changes(tuned.options, OnnxRuntime())
    words = ", ".join(f"{name}: {_yaml(value)}" for name, value in changed.items())
    why = (
        "surely quicker than the defaults" if tuned.options != now else "nothing is surely quicker"
    )
    lines = [
        f"# Found by `streamproc optimize --tune`, for this kind of machine: {why}.",
        "model:",
        f"  executor: {{onnxruntime: {{{words}}}}}",
    ]
    if tuned.max_size is not None:
        lines.append(
            f"batching: {{max_size: {tuned.max_size}}}   # larger ones make an event no cheaper"
        )
    return "\n".join([*lines, ""])


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
