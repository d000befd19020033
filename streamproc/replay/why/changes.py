"""What could have been otherwise: each kind of change, from the least of it to the most."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Protocol

import numpy as np

from streamproc.core import NS_PER_MS, Int64Array
from streamproc.replay.coordinates import Coordinates
from streamproc.replay.simulation import SimulatedVariant
from streamproc.replay.why.setting import Setting

_FREE = 0.01
"""How much a change counts that costs nothing but a line of the configuration."""
_MORE_EXECUTORS = (1, 2, 3, 4, 6, 8, 12, 16)
_QUICKER = tuple(range(5, 100, 5))
_FEWER = (2, 4, 6, 8, 10, 13, 16, 20, 25, 30, 35, 40, 45, 50, 60, 70, 80, 90, 100)
_LARGER = (1.25, 1.5, 2, 3, 4, 6, 8, 16)
_BUDGET_SHARES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 3, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change, of one size.

    Attributes:
        kind: of the change, such as ``budget``.
        words: what it is, for people.
        amount: how much of it, in the kind's own unit: executors, ms, percent.
        relative: how much of what there is it changes, to compare kinds with.
        overrides: the keys of the configuration that make it, ``KEY=VALUE``; empty where none do.
        setting: what the event's fate then hangs on.
        without: the events that are left out, where that is the change.
    """

    kind: str
    words: str
    amount: float
    relative: float
    overrides: Sequence[str]
    setting: Setting
    without: Sequence[Coordinates] = ()


class Kind(Protocol):
    """A kind of change."""

    @property
    def sizes(self) -> Sequence[float]:
        """How much of it can be tried, ascending; none where it does not apply."""
        ...

    def of(self, setting: Setting, size: float) -> Change:
        """That much of it, in a setting; the kind was made of one like it."""
        ...


class MoreExecutors:
    """More batches at the same time."""

    def __init__(self, setting: Setting) -> None:  # noqa: ARG002 - all settings have some
        self.sizes: Sequence[float] = _MORE_EXECUTORS

    def of(self, setting: Setting, size: float) -> Change:
        """So many more; see ``Kind``."""
        there, more = setting.machine.executors, int(size)
        return Change(
            kind="executors",
            words=f"{more} executor{'s' if more > 1 else ''} more ({there + more} in place of {there})",
            amount=more,
            relative=more / there,
            overrides=[f"concurrency={there + more}"],
            setting=replace(setting, machine=replace(setting.machine, executors=there + more)),
        )


class CheaperVariant:
    """All by a cheaper variant of the model."""

    def __init__(self, setting: Setting) -> None:
        self.sizes: Sequence[float] = range(1, len(setting.machine.variants))

    def of(self, setting: Setting, size: float) -> Change:
        """By the variant of this place; see ``Kind``."""
        variants = setting.machine.variants
        chosen = variants[int(size)]
        lost = 1 - chosen.quality / variants[0].quality
        return Change(
            kind="variant",
            words=f"the variant {chosen.name} for all (quality {chosen.quality:g} in place of {variants[0].quality:g})",
            amount=size,
            relative=max(_FREE, lost),
            overrides=[f"variant={chosen.name}"],
            setting=replace(setting, machine=replace(setting.machine, variants=[chosen])),
        )


class QuickerModel:
    """A model that needs less time, whatever the batch."""

    def __init__(self, setting: Setting) -> None:  # noqa: ARG002 - each has a model
        self.sizes: Sequence[float] = _QUICKER

    def of(self, setting: Setting, size: float) -> Change:
        """So many percent less; see ``Kind``."""
        machine = setting.machine
        quicker = [
            replace(one, run_ns=np.maximum(1, one.run_ns * (100 - int(size)) // 100))
            for one in machine.variants
        ]
        return Change(
            kind="model",
            words=f"a model that takes {size:g}% less time",
            amount=size,
            relative=size / 100,
            overrides=[],
            setting=replace(setting, machine=replace(machine, variants=quicker)),
        )


class MoreBudget:
    """Later deadlines, of all events that have the event's budget."""

    def __init__(self, setting: Setting) -> None:
        self._budget_ns = setting.rules.lanes[setting.lane].budget_ns
        self.sizes: Sequence[float] = []
        if not setting.window.has_budget[setting.event] or self._budget_ns <= 0:
            return  # its deadline is its own: no budget moves it
        whole_ms = self._budget_ns / NS_PER_MS
        # What came too late for any answer needs at least the time that it was late by.
        late_ms = max(0.0, (setting.arrival_ns - setting.deadline_ns) / NS_PER_MS)
        self.sizes = sorted({max(1, ceil(late_ms + part * whole_ms)) for part in _BUDGET_SHARES})

    def of(self, setting: Setting, size: float) -> Change:
        """So many ms more; see ``Kind``."""
        more_ns, rules = round(size * NS_PER_MS), setting.rules
        alike = np.array([lane.budget_ns == self._budget_ns for lane in rules.lanes])
        traffic = setting.window.traffic
        rows = setting.window.has_budget & (
            alike[0] if traffic.lane is None else alike[traffic.lane]
        )
        window = replace(
            setting.window,
            traffic=replace(traffic, deadline_ns=traffic.deadline_ns + np.where(rows, more_ns, 0)),
        )
        lanes = [
            replace(lane, budget_ns=lane.budget_ns + more_ns) if is_alike else lane
            for lane, is_alike in zip(rules.lanes, alike.tolist(), strict=True)
        ]
        total_ms = (self._budget_ns + more_ns) / NS_PER_MS
        return Change(
            kind="budget",
            words=f"{size:g} ms more budget ({total_ms:g} ms)",
            amount=size,
            relative=more_ns / self._budget_ns,
            overrides=[f"budget={total_ms:g}ms"],
            setting=replace(setting, window=window, rules=replace(rules, lanes=lanes)),
        )


class FewerEvents:
    """Without a part of what came shortly before.

    Args:
        setting: the event's.
        since_ns: from when on: since the executors had no pause, or since a few budgets.
    """

    def __init__(self, setting: Setting, since_ns: int) -> None:
        self._since_ns = since_ns
        self._until_ns = setting.arrival_ns
        arrival_ns = setting.window.traffic.arrival_ns
        before = int(arrival_ns.searchsorted(since_ns))
        self.sizes: Sequence[float] = _FEWER if setting.event > before else []

    def of(self, setting: Setting, size: float) -> Change:
        """Without so many percent; see ``Kind``."""
        rows = self.kept(setting, size)
        gone = np.setdiff1d(np.arange(len(setting.window)), rows)
        span_ms = (self._until_ns - self._since_ns) / NS_PER_MS
        part = "that burst" if size >= 100 else f"{size:g}% of that burst"  # noqa: PLR2004 - percent
        return Change(
            kind="traffic",
            words=f"without {part}: {len(gone):,} events fewer in the {span_ms:.3g} ms before it",
            amount=size,
            relative=size / 100,
            overrides=[],
            setting=setting.of(rows),
            without=[setting.window.named(row) for row in gone.tolist()],
        )

    def kept(self, setting: Setting, size: float) -> Int64Array:
        """The rows that stay: the events that go are spread evenly over the time."""
        arrival_ns = setting.window.traffic.arrival_ns
        begin = int(arrival_ns.searchsorted(self._since_ns))
        end = int(arrival_ns.searchsorted(self._until_ns, side="right"))
        number = np.arange(end - begin + 1) * (size / 100)
        goes = np.zeros(len(setting.window), np.bool_)
        goes[begin:end] = np.diff(np.floor(number + 1e-9)) > 0
        goes[setting.event] = False
        return np.flatnonzero(~goes)


class LargerBatches:
    """More events in a batch, where batches are full; beyond what is known each takes as long as the last one."""

    def __init__(self, setting: Setting) -> None:
        most = setting.rules.batching.max_size
        self.sizes: Sequence[float] = sorted({ceil(most * factor) for factor in _LARGER})

    def of(self, setting: Setting, size: float) -> Change:
        """Of so many; see ``Kind``."""
        batching, machine, most = setting.rules.batching, setting.machine, int(size)
        variants = [replace(one, run_ns=_extended(one, most)) for one in machine.variants]
        return Change(
            kind="batch",
            words=f"batches of up to {most} in place of {batching.max_size}",
            amount=most,
            relative=_FREE * most / batching.max_size,
            overrides=[f"batching.max_size={most}"],
            setting=replace(
                setting,
                machine=replace(machine, variants=variants),
                rules=replace(setting.rules, batching=replace(batching, max_size=most)),
            ),
        )


class EarlyDrop:
    """The planner that begins at the event from which on the most are in time, where another one is set."""

    def __init__(self, setting: Setting) -> None:
        self.sizes: Sequence[float] = [] if setting.rules.batching.policy == "early_drop" else [1]

    def of(self, setting: Setting, size: float) -> Change:
        """That planner; see ``Kind``."""
        batching = setting.rules.batching
        return Change(
            kind="planner",
            words=f"the planner early_drop in place of {batching.policy}",
            amount=size,
            relative=_FREE,
            overrides=["batching.policy=early_drop"],
            setting=replace(
                setting,
                rules=replace(setting.rules, batching=replace(batching, policy="early_drop")),
            ),
        )


def _extended(variant: SimulatedVariant, size_max: int) -> Int64Array:
    """int64 [size_max], the times of larger batches."""
    run_ns = variant.run_ns
    more = size_max - len(run_ns)
    if more <= 0:
        return run_ns[:size_max]
    step_ns = int(run_ns[-1] - run_ns[-2]) if len(run_ns) > 1 else int(run_ns[-1])
    return np.concatenate([run_ns, run_ns[-1] + step_ns * np.arange(1, more + 1)])
