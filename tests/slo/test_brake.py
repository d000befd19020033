"""What is done about a burning budget, and when it is given back."""

import pytest

from streamproc.core import Duration
from streamproc.slo import Objective, OnBurn
from streamproc.slo.brake import Brake, measures_of
from tests.slo.test_watch import MINUTE_S, Traffic

OPTIONS = OnBurn(variant="small", hold=Duration.parse("2m"))
PROMISE = Objective("o", 99.0, good=("on_time", "degraded"), on_burn=OPTIONS)


def test_it_grips_with_the_page_and_lets_go_with_hysteresis() -> None:
    traffic, brake = Traffic(PROMISE, every_s=30), Brake(OPTIONS)

    def go(seconds: int, bad: float) -> list[bool]:
        changes = []
        for _ in range(seconds // 30):
            standing = traffic.go(30, bad=bad)
            changes.append(brake.update(traffic.now_ns, standing))
        return changes

    assert go(10 * MINUTE_S, 0.001).count(True) == 0
    go(60 * MINUTE_S, 0.5)
    assert brake.engaged
    # The page ends, and what still comes is above the budget: it stays in force.
    go(30 * MINUTE_S, 0.02)
    assert not traffic.standing.fires("page") or brake.engaged
    assert brake.engaged
    changes = go(12 * 60 * MINUTE_S, 0.0)
    assert not brake.engaged
    assert changes.count(True) == 1


@pytest.mark.parametrize(
    ("engaged", "variant", "max_queue"),
    [((), None, None), (("a",), "half", 500), (("a", "b"), "small", 500), (("b",), "small", 900)],
)
def test_the_strictest_holds(
    engaged: tuple[str, ...], variant: str | None, max_queue: int | None
) -> None:
    brakes = {
        "a": Brake(OnBurn(variant="half", max_queue=500)),
        "b": Brake(OnBurn(variant="small", max_queue=900)),
    }
    for name in engaged:
        brakes[name].engaged = True
    measures = measures_of(brakes.items(), ["full", "half", "small"])
    assert (measures.variant, measures.max_queue, measures.because) == (
        variant,
        max_queue,
        engaged,
    )


def test_a_canary_is_taken_back_where_one_asks_for_it() -> None:
    brakes = {"a": Brake(OnBurn(roll_back=True)), "b": Brake(OnBurn(max_queue=9))}
    brakes["b"].engaged = True
    assert not measures_of(brakes.items(), ["full"]).roll_back
    brakes["a"].engaged = True
    assert measures_of(brakes.items(), ["full"]).roll_back
