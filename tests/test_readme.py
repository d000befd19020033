"""What the README shows is true: its file loads, its program makes the same pipeline, its decision is one."""

import re
from pathlib import Path

import streamproc
from streamproc.config import parse
from streamproc.runtime import Pipeline

ROOT = Path(__file__).parents[1]
MARKET = ROOT / "streamproc" / "templates" / "market"
README = (ROOT / "README.md").read_text()


def block(language: str, number: int = 0) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
    return str(found[number])


def test_the_file_and_the_program_are_the_same_pipeline() -> None:
    program = block("python").replace("asyncio.run(pipeline.run())", "")
    names: dict[str, object] = {}
    exec(compile(program, "README.md", "exec"), names)  # noqa: S102 - our own README
    written = names["pipeline"]
    assert isinstance(written, Pipeline)
    loaded = parse(block("yaml"), folder=MARKET).config
    assert loaded.model.path is not None
    assert loaded.model.path.endswith(str(written.model.path))
    for part in ("name", "deadline", "features", "output", "sink", "codec", "shed", "ordering"):
        one, other = getattr(loaded, part), getattr(written, part)
        assert (list(one) == list(other)) if part in {"features", "shed"} else (one == other), part
    assert list(loaded.source.topics) == list(written.source.topics)


def test_the_operators_are_a_pipelines_too() -> None:
    pipeline = block("yaml").replace("features: [f]", "").split("output:")[0]
    pipeline = re.sub(
        r"(fields: \{).*?\}", r"\1price: float64, size: float64, kind: str}", pipeline
    )
    config = parse(
        f"{pipeline}\n{block('yaml', 1)}\nsink: {{kafka: {{topic: decisions}}}}\n", folder=MARKET
    ).config
    assert [type(feature).__name__ for feature in config.features] == [
        "Rolling",
        "AsOf",
        "KeySequence",
    ]


def test_the_decision_is_one() -> None:
    decision = streamproc.decode_decision(block("json").encode())
    assert decision.id == "ticks/3/1041"
    assert decision.deadline_ns - decision.event_time_ns == 50_000_000


def test_the_files_that_it_names_exist() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
