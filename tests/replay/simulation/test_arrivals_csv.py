"""The file of arrivals, and what is said about a wrong one."""

from pathlib import Path

import pytest

from streamproc.core import ConfigError
from streamproc.replay.simulation import read_arrivals

BUDGET_NS = 50


def file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "arrivals.csv"
    path.write_text(text)
    return path


def test_arrivals_alone(tmp_path: Path) -> None:
    traffic = read_arrivals(file(tmp_path, "100\n100\n250\n"), budget_ns=BUDGET_NS)
    assert traffic.arrival_ns.tolist() == [100, 100, 250]
    assert traffic.deadline_ns.tolist() == [150, 150, 300]
    assert traffic.key is None
    assert traffic.value is None


def test_all_columns_and_what_stands_for_an_empty_one(tmp_path: Path) -> None:
    text = "arrival_ns,deadline_ns,key,value\n1,9,a,2.5\n\n2,,b\n 3 , 8 ,a,\n"
    traffic = read_arrivals(file(tmp_path, text), budget_ns=BUDGET_NS)
    assert traffic.deadline_ns.tolist() == [9, 52, 8]
    assert traffic.key is not None
    assert traffic.value is not None
    assert traffic.key[0] == traffic.key[2] != traffic.key[1]
    assert traffic.value.tolist() == [2.5, 1.0, 1.0]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("1\n2.5\n", 2, "arrival_ns must be a whole number of ns, such as 1700000000000000000, was '2.5'"),
        ("1\n99999999999999999999\n", 2, "arrival_ns must be a whole number"),
        ("arrival_ns\n5\n4\n", 3, "is earlier than the line before: sort the file by arrival_ns"),
        ("1,soon\n", 1, "deadline_ns must be a whole number of ns"),
        ("1,2,k,high\n", 1, "value must be a number, such as 2.5, was 'high'"),
        ("1,2,k,nan\n", 1, "value must be a number"),
        ("1,2,k,1,7\n", 1, "has 5 columns; there are arrival_ns,deadline_ns,key,value"),
        ("arrival_ns,key\n1,a\n", 1, "names the columns arrival_ns,key; there are"),
        (",5\n", 1, "arrival_ns must be a whole number of ns"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_told_with_its_number(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    path = file(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_arrivals(path, budget_ns=BUDGET_NS)
    (problem,) = caught.value.problems
    assert (problem.origin, problem.line) == (str(path), line)
    assert problem.message.startswith(said)


def test_files_without_arrivals(tmp_path: Path) -> None:
    for text in ("", "arrival_ns,deadline_ns\n", "\n\n"):
        with pytest.raises(ConfigError, match="holds no arrivals"):
            read_arrivals(file(tmp_path, text), budget_ns=BUDGET_NS)
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_arrivals(tmp_path / "missing.csv", budget_ns=BUDGET_NS)
    (tmp_path / "binary.csv").write_bytes(b"1\n\xff\xfe\n")
    with pytest.raises(ConfigError, match="is no CSV text"):
        read_arrivals(tmp_path / "binary.csv", budget_ns=BUDGET_NS)
