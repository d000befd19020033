"""Only the rows at fault fail."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from streamproc.engine.isolate import CALLS_MAX, Span, isolate, text_of


def fail_on(bad: set[int]) -> Callable[[Span], list[int]]:
    def call(span: Span) -> list[int]:
        if bad & set(range(*span)):
            raise ValueError(sorted(bad & set(range(*span))))
        return list(range(*span))

    return call


@given(st.integers(1, 300), st.sets(st.integers(0, 299), max_size=3))
def test_few_culprits_are_found(count: int, bad: set[int]) -> None:
    bad = {row for row in bad if row < count}
    done, failed = isolate(fail_on(bad), count)
    assert {span.start for span, _ in failed} == bad
    assert all(span.stop - span.start == 1 for span, _ in failed)
    assert [row for _, rows in done for row in rows] == [r for r in range(count) if r not in bad]


@given(st.integers(1, 300), st.sets(st.integers(0, 299)))
def test_the_calls_are_bounded_and_every_row_has_an_answer(count: int, bad: set[int]) -> None:
    calls = 0

    def call(span: Span) -> list[int]:
        nonlocal calls
        calls += 1
        return fail_on(bad)(span)

    done, failed = isolate(call, count)
    assert calls <= CALLS_MAX
    spans = [span for span, _ in done] + [span for span, _ in failed]
    assert sorted(row for span in spans for row in range(*span)) == list(range(count))


def test_an_exception_as_one_line() -> None:
    class BrokenError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert text_of(ValueError("no")) == "ValueError: no"
    assert text_of(ValueError()) == "ValueError"
    assert text_of(BrokenError()) == "BrokenError"
