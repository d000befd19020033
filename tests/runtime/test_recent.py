"""What happened lately, for who looks on."""

from streamproc.runtime.recent import WINDOW_NS
from tests.support.statuses import MS, Still


def test_the_first_look_has_nothing_to_compare_with() -> None:
    still = Still()
    assert still.status().show()["recent"] is None
    still.books = None
    assert still.status().show()["recent"] is None


def test_rates_are_of_what_came_since() -> None:
    still = Still()
    still.goes_on()
    status = still.status()
    status.show()
    still.goes_on(seconds=2)
    still.goes_on(seconds=2)
    found = status.show()["recent"]
    assert isinstance(found, dict)
    assert found["over_s"] == 4
    assert found["consumed_per_s"] == 500
    assert found["goodput_per_s"] == 495
    assert found["outcomes"]["shed"] == 20
    assert found["batch_size"] == 100
    assert found["batch_fill"] == round(100 / 128, 3)
    assert found["utilisation"] == 20 * 50 * MS / 4e9
    assert 20 <= found["latency_ms"]["p50"] <= 20.5
    assert found["stages_ms"]["queue"]["mean"] == 4


def test_what_lies_further_back_than_the_window_is_forgotten() -> None:
    still = Still()
    status = still.status()
    for _ in range(100):
        status.show()
        still.goes_on(seconds=1)
    found = status.show()["recent"]
    assert isinstance(found, dict)
    assert found["over_s"] <= WINDOW_NS / 1e9 + 1
    assert found["consumed_per_s"] == 1000


def test_many_who_look_do_not_make_more_moments() -> None:
    still = Still()
    status = still.status()
    status.show()
    still.goes_on(seconds=0.1)
    for _ in range(50):
        assert status.show()["recent"]["over_s"] == 0.1  # type: ignore[index]
    assert len(status._recent._moments) == 1


def test_the_slowest_are_in_the_status() -> None:
    still = Still()
    for _ in range(3):
        still.goes_on(queue_ns=200 * MS)
    summary = still.status().show()["summary"]
    assert isinstance(summary, dict)
    assert summary["tail"]["stage"] == "queue"
