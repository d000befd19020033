"""A canary that was taken back stays so: over a restart, in another worker, until somebody says otherwise."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streamproc.core import Duration
from streamproc.engine import BASE_ARM
from streamproc.executors import Canary, Isolation, Model, PythonModel, Rollback, Rollout, look_at
from streamproc.executors.models import Rules
from streamproc.runtime import identity_of, read_entries
from tests.runtime.test_reload import write
from tests.runtime.test_rollout import Trial, canary

FORMER_LIFE = ("canary", "before")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamproc.runtime.intake_loop.POLL_NS", 1_000_000)
    monkeypatch.setattr("streamproc.runtime.rolled_back._LOOK_EVERY_S", 0.01)


class Files:
    """A model, a canary that is bad, and the file that remembers."""

    def __init__(self, folder: Path) -> None:
        self.model, self.bad = folder / "model.onnx", folder / "bad.onnx"
        self.state = folder / "taken-back.json"
        write(self.model, 2)
        write(self.bad, 3)

    def trial(self, rollout: Rollout | None = None) -> Trial:
        rollout = rollout or canary(self.bad)
        config: dict[str, Any] = {"rollout": replace(rollout, state=str(self.state))}
        return Trial(Model(str(self.model)), **config)

    async def fail_once(self) -> None:
        async with self.trial().running() as world:
            await world.until(lambda: world.books.rollbacks and self.state.exists())
            assert world.books.rollbacks == {("canary", "disagreement"): 1}


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


async def test_a_restart_does_not_try_it_again(files: Files) -> None:
    await files.fail_once()
    (entry,) = json.loads(files.state.read_text())["taken_back"]
    assert (entry["canary"], entry["reason"]) == ("canary", "disagreement")
    assert "decisions are other ones" in entry["words"]
    written = files.state.read_bytes()
    async with files.trial().running() as world:
        world.produce(200)
        await world.until_decided()
        assert world.by_variant() == {"full"}
        assert world.books.rollbacks == {FORMER_LIFE: 1}
        assert world.books.shares == {BASE_ARM: 1.0, "canary": 0.0}
        assert f"remove {files.state} to try it again" in world.books.said["canary"]
    assert files.state.read_bytes() == written


async def test_another_file_of_the_model_is_tried_and_the_same_one_elsewhere_is_not(
    files: Files, tmp_path: Path
) -> None:
    await files.fail_once()
    moved = tmp_path / "moved.onnx"
    moved.write_bytes(files.bad.read_bytes())
    async with files.trial(canary(moved)).running() as world:
        await world.until(lambda: world.books.rollbacks)
        assert world.books.rollbacks == {FORMER_LIFE: 1}
    write(files.bad, 2)
    async with files.trial().running() as world:
        await world.until(lambda: world.books.of("canary").compared > 50)
        assert not world.books.rollbacks


async def test_other_settings_are_another_canary(files: Files) -> None:
    await files.fail_once()
    async with files.trial(canary(files.bad, share=0.4)).running() as world:
        await world.until(lambda: world.books.rollbacks)
        assert world.books.rollbacks == {("canary", "disagreement"): 1}
        await world.until(lambda: len(read_entries(files.state)) == 2)


async def test_without_the_file_a_reload_tries_it_again(files: Files) -> None:
    await files.fail_once()
    async with files.trial().running() as world:
        await world.until(lambda: world.books.rollbacks)
        await world.service.reload()
        assert world.books.shares["canary"] == 0.0
        files.state.unlink()
        await world.service.reload()
        assert world.books.shares["canary"] == 0.5
        assert not world.books.said
        await world.until(lambda: world.books.rollbacks["canary", "disagreement"])
        await world.until(files.state.exists)


async def test_what_one_worker_took_back_no_other_tries(files: Files) -> None:
    write(files.bad, 2)  # here it does well
    async with files.trial().running() as world:
        await world.until(lambda: world.books.of("canary").compared > 50)
        options = world.config.rollout
        assert options is not None
        assert options.canary is not None
        digest = look_at(str(files.bad), Rules()).digest
        entry = {
            "canary": "canary",
            "identity": identity_of(options.canary, digest),
            "reason": "misses",
            "words": "9.0% of its events were not decided in time",
            "at": "2026-01-01T00:00:00Z",
        }
        files.state.write_text(json.dumps({"form": 1, "taken_back": [entry]}))
        await world.until(lambda: world.books.rollbacks)
        assert world.books.rollbacks == {FORMER_LIFE: 1}
        assert "9.0% of its events" in world.books.said["canary"]


@pytest.mark.parametrize("text", ["no JSON", '{"form": 2, "taken_back": []}', '{"form": 1}'])
async def test_where_the_file_cannot_be_read_it_is_not_tried_before_it_is_removed(
    files: Files, text: str
) -> None:
    files.state.write_text(text)
    async with files.trial(canary(files.model)).running() as world:
        await world.until(lambda: world.books.rollbacks)
        assert world.books.rollbacks == {FORMER_LIFE: 1}
        assert world.by_variant() == {"full"}
        files.state.unlink()
        await world.service.reload()
        await world.until(lambda: world.books.of("canary").compared > 50)


async def test_where_it_cannot_be_written_that_is_said_once(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    files.state.mkdir()  # a folder in its place
    (files.state / "in-the-way").touch()
    async with files.trial().running() as world:
        await world.until(lambda: world.books.rollbacks)
        assert world.books.rollbacks == {FORMER_LIFE: 1}
    files.state = files.state / "no-folder" / "taken-back.json"
    async with files.trial().running() as world:
        await world.until(lambda: world.books.rollbacks)
        assert world.books.rollbacks == {("canary", "disagreement"): 1}
        world.produce(100)
        await world.until_decided()
    said = [r.message for r in caplog.records if "cannot be written" in r.message]
    assert len(said) == 1


def test_an_identity_is_of_what_matters() -> None:
    plain = Canary(path="a/v2.onnx", share=0.1)
    same = identity_of(plain, "sha256:1")
    assert same == identity_of(replace(plain, path="b/v2.onnx"), "sha256:1")
    others = [
        identity_of(plain, "sha256:2"),
        identity_of(replace(plain, share=0.2), "sha256:1"),
        identity_of(replace(plain, name="v2"), "sha256:1"),
        identity_of(replace(plain, rollback=Rollback(min_events=1)), "sha256:1"),
        identity_of(replace(plain, step_every=Duration.parse("1m")), "sha256:1"),
        identity_of(replace(plain, isolation=Isolation(spare=False)), "sha256:1"),
        identity_of(replace(plain, path=None, executor=PythonModel("a:f")), "unknown"),
        identity_of(replace(plain, path=None, executor=PythonModel("a:g")), "unknown"),
    ]
    assert len({same, *others}) == len(others) + 1
