import pytest

from tests.config.conftest import Problems, Read

REPLACED = [
    *(
        ('json:\n    fields: {symbol: str, ts: int64, price: float64, f: "float32[16]"}', f"{n}:", 6, f"codec.{n}")
        for n in ("avro", "protobuf")
    ),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "key"), REPLACED)
def test_a_later_kind_is_refused_once(
    problems: Problems, minimal: str, old: str, new: str, line: int, key: str
) -> None:
    (found,) = problems(minimal.replace(old, new, 1))
    assert (found.line, found.key) == (line, key)
    assert "is not yet in" in found.message


def test_what_asks_for_nothing_is_accepted(read: Read, minimal: str) -> None:
    read(minimal + "outcomes: {ledger_topic: null}\ndelivery: exactly-once\n")
