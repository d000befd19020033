"""What must not stand in a recording does not; what is left can still be decided about."""

import json
from typing import Any

import pytest

from streamproc.connectors.capture import Redact
from streamproc.connectors.capture.redaction import Redactor
from tests.support.captures import batch_of, comparisons_of, decision_of

SECRET = "0123456789abcdef"


def redacted(value: object, **options: Any) -> Any:
    """What becomes of one record's value."""
    redactor = Redactor(Redact(secret=SECRET, **options))
    (found,) = redactor.records(batch_of(1, value=[json.dumps(value).encode()])).value
    return json.loads(found or b"null")


def test_the_same_value_has_the_same_pseudonym_in_keys_and_fields() -> None:
    redactor = Redactor(Redact(secret=SECRET, keys=True, fields=["user"]))
    batch = redactor.records(
        batch_of(2, key=[b"anna", b"anna"], value=[b'{"user":"anna"}', b'{"user":"bert"}'])
    )
    first, second = (json.loads(value or b"")["user"] for value in batch.value)
    assert batch.key == [first.encode()] * 2
    assert first != second
    assert "anna" not in first


def test_another_secret_gives_others() -> None:
    ours, theirs = (
        Redactor(Redact(secret=secret * 16, keys=True)).pseudonym(b"anna") for secret in "ab"
    )
    assert ours != theirs


def test_a_pseudonym_has_the_kind_of_what_it_stands_for() -> None:
    found = redacted(
        {"a": 7, "b": 1.5, "c": None, "d": [1, 2], "e": True}, fields=["a", "b", "c", "d", "e", "f"]
    )
    assert isinstance(found["a"], int)
    assert isinstance(found["b"], int)
    assert 0 <= found["a"] < 2**53
    assert found["c"] is None
    assert isinstance(found["d"], str)
    assert "f" not in found


def test_paths_reach_into_objects_and_lists() -> None:
    value = {"users": [{"id": "a", "mail": "x"}, {"id": "b", "mail": "y"}], "t": {"p": 1, "q": 2}}
    found = redacted(value, fields=["users.*.id"], drop=["users.*.mail", "t.p", "no.such"])
    assert [list(user) for user in found["users"]] == [["id"], ["id"]]
    assert {user["id"] for user in found["users"]}.isdisjoint({"a", "b"})
    assert found["t"] == {"q": 2}
    assert redacted([1, 2, 3], drop=["*"]) == []


def test_what_is_no_json_is_not_recorded() -> None:
    """Nobody can find the fields in it; a replay finds it undecodable, as the pipeline did."""
    redactor = Redactor(Redact(drop=["mail"]))
    batch = redactor.records(batch_of(4, value=[b"mail=anna", None, b"", b'{"mail":1}']))
    assert batch.value == [b"redacted: 9 bytes that are no JSON", None, b"", b"{}"]
    with pytest.raises(json.JSONDecodeError):
        json.loads(batch.value[0] or b"")


def test_without_fields_a_value_is_not_touched() -> None:
    redactor = Redactor(Redact(secret=SECRET, keys=True))
    assert redactor.records(batch_of(1, value=[b"{ no json"])).value == [b"{ no json"]


def test_decisions_lose_the_key_too() -> None:
    redactor = Redactor(Redact(secret=SECRET, keys=True, drop_headers=["authorization"]))
    decision = decision_of(1, value=b'{"id":"ticks/3/1","key":"k","output":{"label":"up"}}')
    decision = decision._replace(headers=[("authorization", b"x"), ("a", b"y")])
    found = redactor.decision(decision)
    assert found.key is not None
    assert json.loads(found.value or b"") == {
        "id": "ticks/3/1",
        "key": found.key.decode(),
        "output": {"label": "up"},
    }
    assert list(found.headers) == [("a", b"y")]


def test_pseudonyms_need_a_secret_that_nobody_guesses() -> None:
    with pytest.raises(ValueError, match="at least 16 characters"):
        Redact(secret="short", keys=True)
    with pytest.raises(ValueError, match=r"secret: \$\{env:NAME\}"):
        Redact(fields=["a"])
    assert SECRET not in repr(Redact(secret=SECRET))


def test_what_was_compared_is_redacted_as_decisions_are() -> None:
    redactor = Redactor(Redact(secret=SECRET, drop=["output.score"]))
    compared = redactor.comparisons(comparisons_of(0.5, 0.7))
    assert list(compared.by_model) == list(compared.by_candidate) == [b'{"output":{}}'] * 2
    assert compared.differs.tolist() == [False, True]
