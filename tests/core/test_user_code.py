"""The user's functions, by name."""

import json

import pytest

from streamproc.core import ConfigError, Problem, load_function


def test_a_function_is_found_by_name() -> None:
    assert load_function("json:dumps") is json.dumps


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("json", r"'json' must be package.module:name, such as"),
        ("json:", "must be package.module:name"),
        (":dumps", "must be package.module:name"),
        ("no_such_module_here:f", "cannot import 'no_such_module_here': ModuleNotFoundError"),
        ("..json:dumps", "cannot import '..json': TypeError"),
        ("json:dump_it", r"'json:dump_it' is no function: there is no such name in json"),
        ("json:__name__", r"is no function: it is str in json"),
    ],
)
def test_what_cannot_be_called_is_the_users_to_mend(reference: str, text: str) -> None:
    with pytest.raises(ConfigError, match=text) as raised:
        load_function(reference, key="features.python")
    assert raised.value.problems[0].key == "features.python"


def test_a_module_that_raises_says_what(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("user")
    (folder / "user_code_that_raises.py").write_text("1 / 0\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        with pytest.raises(ConfigError, match="ZeroDivisionError: division by zero") as raised:
            load_function("user_code_that_raises:f", key="k")
    assert isinstance(raised.value.problems[0], Problem)
