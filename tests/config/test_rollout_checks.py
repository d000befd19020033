"""Models that are tried beside the one that decides: what is read, and what is refused."""

from pathlib import Path

import pytest

from streamproc.core import Duration
from streamproc.executors import Arm, Canary, Repository, Rollback
from tests.config.conftest import Problems, Read

ROLLOUT = """\
rollout:
  canary:
    path: model.onnx
    share: 0.05
    steps: [0.25, 1]
    step_every: 5m
    rollback: {disagreement: 0.2, failures: null, within: 5s}
  shadow: {name: v3, path: model.onnx, file: shadow.jsonl}
  state: taken-back.json
"""


def test_it_is_read_and_its_paths_start_from_the_file(
    read: Read, minimal: str, folder: Path
) -> None:
    rollout = read(minimal + ROLLOUT).config.rollout
    assert rollout is not None
    assert rollout.canary == Canary(
        path=str(folder / "model.onnx"),
        share=0.05,
        steps=(0.25, 1),
        step_every=Duration.parse("5m"),
        rollback=Rollback(disagreement=0.2, failures=None, within=Duration.parse("5s")),
    )
    assert rollout.shadow is not None
    assert rollout.shadow.file == str(folder / "shadow.jsonl")
    assert rollout.state == str(folder / "taken-back.json")


def test_arms_and_a_repository_are_read(read: Read, minimal: str, folder: Path) -> None:
    version = folder / "repo" / "direction" / "3"
    version.mkdir(parents=True)
    (version / "model.onnx").touch()
    repository = "{path: repo, name: direction, version: 3}"
    text = minimal.replace("path: model.onnx", f"repository: {repository}")
    arms = f"rollout: {{arms: [{{name: b, share: 0.5, repository: {repository}}}]}}\n"
    config = read(text + arms).config
    told = Repository(str(folder / "repo"), "direction", 3)
    assert config.model.repository == told
    assert config.model.ladder[0].path == str(version / "model.onnx")
    assert config.rollout is not None
    assert config.rollout.arms == (Arm(name="b", share=0.5, repository=told),)


@pytest.mark.parametrize(
    ("rollout", "line", "key", "said"),
    [
        ("rollout: {}\n", 13, "rollout", "says nothing"),
        (
            "rollout:\n  canary: {path: model.onnx}\n  state: no/state.json\n",
            15,
            "rollout.state",
            "there is no folder",
        ),
        ("rollout:\n  canary: {path: c.onnx}\n", 14, "rollout.canary.path", "there is no file"),
        ("rollout:\n  canary: {share: 0.1}\n", 14, "rollout.canary.path", "is missing"),
        ("rollout:\n  canary: {path: model.onnx, share: 1.5}\n", 14, "rollout.canary.share", "at most 1"),
        (
            "rollout:\n  canary: {path: model.onnx, steps: [0.5, 0.2]}\n",
            14, "rollout.canary.steps", "must rise from share on",
        ),
        (
            "rollout:\n  arms:\n  - {name: a, path: model.onnx, share: 0.7}\n  canary: {path: model.onnx, share: 0.4}\n",
            13, "rollout", "must add up to at most 1, were 1.1",
        ),
        (
            "rollout:\n  arms:\n  - {name: full, path: model.onnx, share: 0.7}\n",
            15, "rollout.arms[0].name", "'full' is a variant of the model",
        ),
        (
            "rollout:\n  shadow: {name: base, path: model.onnx}\n",
            14, "rollout.shadow.name", "'base' is the model itself",
        ),
        (
            "rollout:\n  shadow: {path: model.onnx, topic: decisions}\n",
            14, "rollout.shadow.topic", "is the pipeline's own",
        ),
        (
            "ordering: partition\nrollout:\n  canary: {path: model.onnx}\n",
            13, "ordering", "partition cannot be kept with several models",
        ),
        (
            "slo:\n- {name: a, objective: 99, good: on_time, on_burn: {roll_back: true}}\n",
            14, "slo[0].on_burn.roll_back", "there is no canary to take back",
        ),
        (
            "rollout:\n  canary: {repository: {path: repo, name: direction}}\n",
            14, "rollout.canary.repository", "cannot be read: No such file",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_line(
    problems: Problems, minimal: str, rollout: str, line: int, key: str, said: str
) -> None:
    found = [p for p in problems(minimal + rollout) if said in p.message]
    assert [(p.line, p.key) for p in found] == [(line, key)]


def test_a_models_repository_that_is_not_there_is_said_once_at_its_line(
    problems: Problems, minimal: str
) -> None:
    """Checks that ask the model for its file, as those of objectives do, would fail without a line."""
    text = minimal.replace("path: model.onnx", "repository: {path: repo, name: n}")
    slo = "slo:\n- {name: a, objective: 99, good: on_time}\n"
    line = text[: text.index("repository")].count("\n") + 1
    found = problems(text + slo)
    assert [(p.line, p.key) for p in found] == [(line, "model.repository")]
    assert "repo/n cannot be read: No such file" in found[0].message


def test_a_repository_stands_alone(problems: Problems, minimal: str) -> None:
    text = minimal.replace("path: model.onnx", "path: model.onnx\n  repository: {path: r, name: n}")
    assert any("must not stand beside path" in p.message for p in problems(text))
