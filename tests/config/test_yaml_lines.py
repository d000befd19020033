import pytest

from streamproc.config.tree import Node
from streamproc.config.yaml_lines import BYTES_MAX, read_yaml
from streamproc.core import ConfigError


def problem(text: str) -> tuple[int | None, str, str]:
    with pytest.raises(ConfigError) as caught:
        read_yaml(text, origin="p.yaml")
    found = caught.value.problems[-1]
    return found.line, found.key, found.message


def test_every_key_and_item_knows_its_line() -> None:
    root = read_yaml("a:\n  b: 1\n  c:\n    - x\n    - {d: 2}\n", origin="p.yaml")
    lines = {path: node.place.line for path, node in root.walk()}
    assert lines == {
        (): 1,
        ("a",): 1,
        ("a", "b"): 2,
        ("a", "c"): 3,
        ("a", "c", 0): 4,
        ("a", "c", 1): 5,
        ("a", "c", 1, "d"): 5,
    }
    assert root.plain() == {"a": {"b": 1, "c": ["x", {"d": 2}]}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("true", True),
        ("~", None),
        ("", None),
        ("0x10", 16),
        ("0o17", 15),
        ("017", 17),
        ("1_000", "1_000"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("9" * 50, "9" * 50),
    ],
)
def test_plain_words_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    node = read_yaml(f"key: {text}", origin="").at(("key",))
    assert isinstance(node, Node)
    assert node.value == value
    assert type(node.value) is type(value)


def test_keys_are_texts() -> None:
    assert read_yaml("on: 1\n5: 2\n", origin="").plain() == {"on": 1, "5": 2}


def test_a_key_given_twice_is_refused_with_both_lines() -> None:
    line, key, message = problem("a:\n  b: 1\n  c: 2\n  b: 3\n")
    assert (line, key) == (4, "a.b")
    assert "first in line 2" in message


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: [1, 2\n", 3, "no valid YAML"),
        ("a: 1\n\tb: 2\n", 2, "no valid YAML"),
        ("a: 1\nb: *c\n", 2, "put the text in quotes"),
        ("a: 1\nb: !!python/object/apply:os.system [x]\n", 2, "tag"),
        ("a: !env X\n", 1, "tag"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("x: &x {a: 1}\ny:\n  <<: *x\n", 3, "merge keys"),
        ("a: 1\n? [b]\n: 2\n", 2, "no plain word"),
        ("a: 1\nb: \x07\n", 2, "character"),
        ("a: " + "[" * 40 + "]" * 40, 1, "nested deeper"),
        ("a: &a [*a]", 1, "put the text in quotes"),
        ("a: " + "x" * BYTES_MAX, None, "longer than"),
    ],
)
def test_what_is_no_plain_bounded_yaml_is_refused(text: str, line: int | None, words: str) -> None:
    at, _, message = problem(text)
    assert at == line
    assert words in message


def test_billion_laughs_stop_at_the_limit() -> None:
    levels = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 9)]
    line, _, message = problem("\n".join(levels))
    assert "aliases included" in message
    assert line is not None
    assert line <= 5


def test_an_alias_is_a_copy() -> None:
    root = read_yaml("a: &a {x: 1}\nb: *a\n", origin="")
    root.mapping(("b",))["x"].value = 2
    assert root.plain() == {"a": {"x": 1}, "b": {"x": 2}}
