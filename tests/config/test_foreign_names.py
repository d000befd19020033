import pytest

from streamproc.config.foreign_names import nearest, suggestion


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("max_queue_delay_microseconds", "max_queue_delay: ..."),
        ("preferred_batch_size", "batching.max_size"),
        ("canaryTrafficPercent", "rollout: {canary:"),
        ("max_queue_size", "tail_drop: {max_queue: ...}"),
        ("priority_levels", "lanes: [{name: ..."),
        ("maxBatchSize", "batching.max_size"),
        ("max.poll.records", "batching.max_size"),
        ("bugdet", "did you mean budget?"),
        ("zzz", "there are budget, from"),
    ],
)
def test_another_systems_name_leads_to_ours(name: str, words: str) -> None:
    assert words in suggestion(name, ["from", "budget"])


def test_case_does_not_matter() -> None:
    assert nearest("TOPICS", ["topics", "key"]) == "topics"
    assert nearest("x", ["topics"]) == ""
