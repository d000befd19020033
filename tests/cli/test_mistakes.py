"""A user's mistake gives clear lines and exit code 2, never a traceback; with --json one object."""

import json
from pathlib import Path

import msgspec
import pytest

from streamproc.executors import Canary
from streamproc.runtime import TakenBackEntry, identity_of
from tests.cli.support import MARKET, call

FREE_PORT = "127.0.0.1:1"  # nobody listens there
UNREACHABLE = ("--set", f"source.kafka.bootstrap_servers={FREE_PORT}")


pytestmark = pytest.mark.usefixtures("wide")


MISTAKES = [
    (["rn"], "No such command 'rn'"),
    (["run"], "Missing argument 'CONFIG'"),
    (["run", "{market}", "--bogus"], "No such option: --bogus"),
    (["run", "none.yaml"], "none.yaml: cannot be read: No such file"),
    (["run", "{market}", "--workers", "two"], "'two' is no number of processes"),
    (
        ["run", "{market}", "--workers", "0"],
        "'0' is no number of processes: write 1 or more, or auto",
    ),
    (["run", "{market}", "--set", "nme=x"], "nme: unknown key; did you mean name?"),
    (["run", "{market}", "--set", "name"], "--set: must be KEY=VALUE"),
    (["run", "{market}", "--stop-when-idle", "5"], "'5' is no duration"),
    (["run", "{market}", "--stop-after", "0"], "Invalid value for '--stop-after'"),
    (["run", "{market}", *UNREACHABLE], f"no Kafka broker can be reached ({FREE_PORT}"),
    (
        ["run", "{market}", "--workers", "2", *UNREACHABLE],
        f"no Kafka broker can be reached ({FREE_PORT}",
    ),
    (
        ["check", "{market}", "--set", "source.kafka.bootstrap_servers=nowhere"],
        "--set source.kafka.bootstrap_servers: 'nowhere' is no host:port",
    ),
    (["check", "{market}", *UNREACHABLE], "no Kafka broker can be reached"),
    (
        ["check", "{market}", "--offline", "--set", "output={labels: [a, b]}"],
        "output.labels: 2 labels, but the model's output 'probabilities' has [3] numbers",
    ),
    (
        ["check", "{market}", "--offline", "--set", "features={python: 'features:bild'}"],
        "features.python: 'features:bild' is no function: there is no such name in features",
    ),
    (
        ["check", "{market}", "--offline", "--set", "model.path=pipeline.yaml"],
        "model.path: {folder}/pipeline.yaml is no model that works here",
    ),
    (
        ["check", "{market}", "--offline", "--set", "telemetry.traces={headers: {a b: x}}"],
        "telemetry.traces.headers: 'a b' is no header's name",
    ),
    (
        [
            "check",
            "{market}",
            "--offline",
            "--set",
            "telemetry.traces={otlp: https://c, tls: {ca_file: no.pem}}",
        ],
        "telemetry.traces.tls: cannot read a certificate of the collector",
    ),
    (
        ["demo", "--template", "mraket"],
        "there is no template 'mraket': there are audio, market, market-quotes, sensor",
    ),
    (["demo", "--duration", "0s"], "must be longer than 0"),
    (["demo", "--rate", "0"], "Invalid value for '--rate'"),
    (["demo", "--overload", "40"], "could answer none within 50ms: use a --rate above 21 times"),
    (["demo", "--broker", "nowhere"], "--broker: 'nowhere' is no host:port"),
    (["demo", "--broker", FREE_PORT], f"--broker: no Kafka broker can be reached ({FREE_PORT}"),
    (["init", "{folder}"], "{folder} is not empty"),
    (["init", "{market}"], "{market} is a file"),
    (
        ["init", "new", "--template", "x"],
        "there is no template 'x': there are audio, market, market-quotes, sensor",
    ),
    (
        ["schema", "decisions"],
        "there is no schema 'decisions': there are alert, config, decision, ledger",
    ),
]


@pytest.mark.parametrize(("words", "said"), MISTAKES, ids=[" ".join(m[0]) for m in MISTAKES])
@pytest.mark.parametrize("as_json", [False, True], ids=["people", "json"])
def test_a_mistake_is_one_clear_line(
    words: list[str], said: str, as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"{market}": str(MARKET), "{folder}": str(MARKET.parent)}
    for name, text in names.items():
        words = [word.replace(name, text) for word in words]
        said = said.replace(name, text)
    answer = call(capsys, *words, *(["--json"] if as_json else []))
    assert answer.code == 2
    assert "Traceback" not in answer.err
    if as_json:
        assert said in answer.json["error"]
        assert answer.json["problems"][0]["message"]
    else:
        assert answer.out == ""
        lines = [line for line in answer.err.splitlines() if line.startswith("streamproc: ")]
        assert len(lines) == 1
        assert said in lines[0]


BROKEN = """\
name: broken
source: {kafka: {topics: [ticks]}}
codec:
  json: {fields: {f: "float32[23]"}}
features: [f]
model: {path: MODEL}
output:
  labels: [down, up]
sink: {kafka: {topic: decisions}}
"""


def test_check_tells_all_at_once_with_their_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "broken.yaml"
    model = MARKET.parent / "models" / "direction.onnx"
    config.write_text(BROKEN.replace("MODEL", str(model)))
    answer = call(capsys, "check", str(config), "--offline", "--json")
    assert answer.code == 2
    found = [(p["line"], p["key"]) for p in answer.json["problems"]]
    assert found == [(5, "features"), (8, "output.labels")]
    assert all(p["file"] == str(config) for p in answer.json["problems"])
    assert "23 numbers" in answer.json["problems"][0]["message"]


def test_check_finds_missing_functions_though_the_model_does_not_load(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    config = tmp_path / "broken.yaml"
    text = BROKEN.replace("MODEL", "bad.onnx").replace(
        "features: [f]", "features: {python: 'nothere_x:build'}"
    )
    config.write_text(text)
    answer = call(capsys, "check", str(config), "--offline", "--json")
    assert [(p["line"], p["key"]) for p in answer.json["problems"]] == [
        (5, "features.python"),
        (6, "model.path"),
    ]


def test_check_warns_of_code_that_fails_on_made_up_events(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fails_on_zeros.py").write_text("def build(batch):\n    return batch['g']\n")
    config = tmp_path / "p.yaml"
    model = MARKET.parent / "models" / "direction.onnx"
    text = BROKEN.replace("MODEL", str(model)).replace("[down, up]", "[down, flat, up]")
    config.write_text(text.replace("features: [f]", "features: {python: 'fails_on_zeros:build'}"))
    answer = call(capsys, "check", str(config), "--offline", "--json")
    assert answer.code == 0
    (warning,) = answer.json["warnings"]
    assert (warning["line"], warning["key"]) == (5, "features")
    assert "no field 'g'" in warning["message"]


def test_check_warns_of_a_model_that_is_too_slow(capsys: pytest.CaptureFixture[str]) -> None:
    slow = "model.executor={simulated: {fixed: 30ms, per_event: 1us}}"
    words = ("--set", slow, "--set", "batching.max_size=2")
    answer = call(capsys, "check", str(MARKET), "--offline", "--json", *words)
    assert answer.code == 0
    assert "more than half of the 50ms budget" in answer.json["warnings"][0]["message"]
    assert answer.json["batch_ms"].keys() == {"1", "2"}


def test_check_says_what_each_model_of_a_rollout_is_for_and_whether_it_is_tried(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, state = MARKET.parent / "models" / "direction.onnx", tmp_path / "taken-back.json"
    rollout = f"rollout={{canary: {{name: v2, path: {model}, isolation: false}}, arms: [{{name: b, share: 0.1, path: {model}, isolation: false}}]}}"
    words = ("check", str(MARKET), "--offline", "--set", rollout)
    answer = call(capsys, *words, "--json")
    roles = {one["variant"]: one["role"] for one in answer.json["variants"]}
    assert roles == {"full": "model", "b": "arm", "v2": "canary", "reference": "copy"}
    assert ["tried again after a restart" in w["message"] for w in answer.json["warnings"]] == [
        True
    ]

    words = (*words, "--set", f"rollout.state={state}")
    assert not call(capsys, *words, "--json").json["warnings"]
    digest = next(one["digest"] for one in answer.json["variants"] if one["variant"] == "v2")
    canary = Canary(name="v2", path=str(model), isolation=False)
    entry = TakenBackEntry("v2", identity_of(canary, digest), "stall", "it stood still", "noon")
    state.write_bytes(msgspec.json.encode({"form": 1, "taken_back": [entry]}))
    answer = call(capsys, *words)
    assert answer.code == 0
    assert (
        f"v2 was taken back at noon, and is not tried: it stood still; remove {state}" in answer.err
    )
    assert "reference (full once more, aside: what v2 decides is compared with it)" in answer.out
    state.write_text("no JSON")
    assert "v2 is not tried; remove" in call(capsys, *words).err


def test_a_secret_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MY_SECRET", "hunter2hunter2")
    (tmp_path / "leaks.py").write_text("raise RuntimeError('password hunter2hunter2')\n")
    config = tmp_path / "p.yaml"
    model = MARKET.parent / "models" / "direction.onnx"
    text = BROKEN.replace("MODEL", str(model)).replace(
        "features: [f]", "features: {python: 'leaks:build', options: {token: '${env:MY_SECRET}'}}"
    )
    config.write_text(text)
    for words in ((), ("--json",), ("--traceback",)):
        answer = call(capsys, "check", str(config), "--offline", *words)
        assert answer.code == 2
        assert "hunter2" not in answer.out + answer.err
        assert "password ***" in answer.out + answer.err


def test_a_bug_is_one_line_and_a_traceback_when_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def explode() -> None:
        msg = "kaboom"
        raise ZeroDivisionError(msg)

    monkeypatch.setattr("streamproc.cli.doctor.examine", explode)
    answer = call(capsys, "doctor")
    assert answer.code == 1
    assert answer.err == (
        "streamproc: unexpected: ZeroDivisionError: kaboom "
        "(--traceback or STREAMPROC_TRACEBACK=1 shows where)\n"
    )
    assert "Traceback" in call(capsys, "doctor", "--traceback").err
    monkeypatch.setenv("STREAMPROC_TRACEBACK", "1")
    answer = call(capsys, "doctor", "--json")
    assert "Traceback" in answer.err
    assert json.loads(answer.out)["error"] == "unexpected: ZeroDivisionError: kaboom"
