from tests.config.conftest import Read


def test_delivery_may_have_hyphens(read: Read, minimal: str) -> None:
    assert read(minimal + "delivery: exactly-once\n").config.delivery == "exactly_once"
    assert read(minimal + "delivery: at_least_once\n").config.delivery == "at_least_once"
