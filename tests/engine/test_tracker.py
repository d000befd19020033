"""The acknowledgement tracker against a slow obvious one."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streamproc.engine import AcknowledgementTracker


def test_a_gap_is_passed_over_only_when_all_before_it_is_done() -> None:
    tracker = AcknowledgementTracker(100)
    assert tracker.position == 100
    first = tracker.fetched(np.array([100, 105, 106]), 110)
    assert (first, tracker.open_total, tracker.position) == (0, 3, 100)
    tracker.done(np.array([0, 2]))
    assert (tracker.open_total, tracker.position) == (1, 105)
    tracker.moved(120)
    assert tracker.position == 105
    assert tracker.offsets(np.array([1])).tolist() == [105]
    tracker.done(np.array([1]))
    assert (tracker.open_total, tracker.position) == (0, 120)
    tracker.moved(115)
    assert tracker.position == 120


def test_a_record_is_done_when_all_its_events_are() -> None:
    tracker = AcknowledgementTracker(50)
    tracker.fetched(np.array([50, 51]), 52)
    tracker.holds(0, np.array([3, 1]))
    assert tracker.open_total == 4
    tracker.done(np.array([0, 1, 0]))
    assert (tracker.open_total, tracker.position) == (1, 50)
    tracker.done(np.array([0]))
    assert (tracker.open_total, tracker.position) == (0, 52)


class Model(RuleBasedStateMachine):
    """Fetches, finishes in any order and looks, beside a list of what is open."""

    def __init__(self) -> None:
        super().__init__()
        self.tracker = AcknowledgementTracker(7)
        self.offsets: list[int] = []
        self.open: list[int] = []
        self.end = 7

    @rule(
        gaps=st.lists(st.integers(0, 3), max_size=6),
        behind=st.integers(0, 3),
        times=st.sampled_from([1, 900]),
        events=st.sampled_from([1, 1, 3]),
    )
    def fetch(self, gaps: list[int], behind: int, times: int, events: int) -> None:
        offsets = []
        for gap in gaps * times:
            offsets.append(self.end + gap)
            self.end += gap + 1
        self.end += behind
        first = self.tracker.fetched(np.array(offsets, np.int64), self.end)
        assert first == len(self.offsets)
        for ordinal in range(first, first + len(offsets)):
            self.open += [ordinal] * events
        if events > 1:
            self.tracker.holds(first, np.full(len(offsets), events))
        self.offsets += offsets

    @precondition(lambda self: self.open)
    @rule(data=st.data(), share=st.sampled_from([0.1, 0.9, 1.0]))
    def finish(self, data: st.DataObject, share: float) -> None:
        rng = np.random.default_rng(data.draw(st.integers(0, 99)))
        kept = rng.random(len(self.open)) > share
        chosen = [o for o, keep in zip(self.open, kept, strict=True) if not keep]
        offsets = self.tracker.offsets(np.array(chosen, np.int64)).tolist()
        assert offsets == [self.offsets[o] for o in chosen]
        repeated = len(set(chosen)) < len(chosen)
        self.tracker.done(np.array(chosen, np.int64), repeated=repeated)
        self.open = [o for o, keep in zip(self.open, kept, strict=True) if keep]

    @rule(to=st.integers(0, 5))
    def move(self, to: int) -> None:
        self.end += to
        self.tracker.moved(self.end)

    @rule()
    def look(self) -> None:
        wanted = self.offsets[self.open[0]] if self.open else self.end
        assert self.tracker.position == wanted

    @invariant()
    def counts(self) -> None:
        assert self.tracker.open_total == len(self.open)


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)


@given(st.permutations(range(12)))
def test_the_position_never_goes_back(order: list[int]) -> None:
    tracker = AcknowledgementTracker(0)
    tracker.fetched(np.arange(0, 24, 2), 30)
    seen = [tracker.position]
    for ordinal in order:
        tracker.done(np.array([ordinal]))
        seen.append(tracker.position)
    assert seen == sorted(seen)
    assert seen[-1] == 30
