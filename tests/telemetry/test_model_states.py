"""How the model is, as metrics."""

from streamproc.telemetry import ModelProcesses, ModelStates, total_states
from streamproc.telemetry.model_states import model_families


def lines(states: ModelStates) -> dict[str, float]:
    return {
        ",".join([sample.name.removeprefix("streamproc_"), *sample.labels.values()]): sample.value
        for family in model_families(states)
        for sample in family.samples
    }


def test_reloads_stand_at_0_and_the_rest_only_where_there_are_processes() -> None:
    assert lines(ModelStates()) == {
        "reloads_total,done": 0,
        "reloads_total,failed": 0,
        "reloads_total,refused": 0,
    }


def test_workers_are_added_up() -> None:
    one = ModelStates({"full": ModelProcesses(2, 1, {"closed": 1}, 0)}, {"done": 1})
    two = ModelStates({"full": ModelProcesses(1, 4, {"open": 1}, 3)}, {})
    found = lines(total_states([one, two]))
    assert found["model_processes,full"] == 3
    assert found["model_restarts_total,full"] == 5
    assert found["model_breaker_opened_total,full"] == 3
    assert [found[f"model_breakers,full,{s}"] for s in ("closed", "open", "half_open")] == [1, 1, 0]
    assert found["reloads_total,done"] == 1
