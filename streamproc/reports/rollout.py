"""Models that were tried beside the one that decides, as a report's table."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from streamproc.core import Outcome
from streamproc.reports.quantities import count, duration, rounded, share
from streamproc.reports.run import IN_TIME, Run
from streamproc.reports.sections import Row

_WORDS: Final = {outcome.word for outcome in IN_TIME}


def rollout_rows(run: Run) -> list[Row]:
    """A row a model, its bar as long as its share of the keys; empty where nothing was rolled out."""
    books = run.accounts.rollout
    found = books.view()
    if found is None:
        return []
    rows = []
    comparisons = dict(found["comparisons"])
    for name, arm in found["arms"].items():
        outcomes: Mapping[str, int] = arm.get("outcomes", {})
        ended = sum(n for word, n in outcomes.items() if word != Outcome.FILTERED.word)
        in_time = sum(outcomes.get(word, 0) for word in _WORDS)
        latency = books.latency.get(name)
        p99 = duration(latency.percentile_ns(99)) if latency is not None and latency.count else "-"
        said = [f"decides about {arm['share']:.3g} of the keys"]
        if arm.get("failed"):
            said.append(
                f"failed on {count(arm['failed'], 'event')}, which the model itself decided"
            )
        if (compared := comparisons.pop(name, None)) is not None:
            said += compared_words(compared)
        cells = (f"{ended:,}", share(in_time, ended) or "-", p99)
        rows.append(Row(name, "batch", cells, 100 * arm["share"], "; ".join(said)))
    for name, compared in comparisons.items():
        words = "; ".join(("never published", *compared_words(compared)))
        cells = (f"{compared['compared']:,}", "-", "-")
        rows.append(Row(name, "batch", cells, 0.0, words))
    return rows


def rolled_back_words(run: Run) -> list[str]:
    """A sentence for each canary that was taken back."""
    said = run.accounts.rollout.said
    return [f"The canary {name} was taken back: {words}." for name, words in said.items()]


def compared_words(comparison: Mapping[str, Any]) -> Iterator[str]:
    """What came of holding a candidate's decisions against the model's, as ``/api/status`` tells it."""
    compared, differed = comparison["compared"], comparison["differed"]
    if compared:
        mean = comparison["difference_mean"]
        far = f", their numbers {rounded(mean, 3)} apart on average" if mean else ""
        yield f"{share(differed, compared)} of {compared:,} compared decisions were other ones{far}"
    missed = [
        f"{comparison[why]:,} {words}"
        for why, words in (("dropped", "for lack of time"), ("failed", "for its failure"))
        if comparison[why]
    ]
    if missed:
        yield f"not compared: {', '.join(missed)}"
