"""The pipeline without Kafka and without waiting: `pytest`."""

from pathlib import Path

from streamproc.testing import PipelineTest

CONFIG = Path(__file__).parent / "pipeline.yaml"


def send(pipeline: PipelineTest, kind: str, price: float, size: float = 1.0) -> None:
    tick = {"kind": kind, "price": price, "size": size}
    pipeline.send("ticks", tick, key="BTCUSDT")


def test_a_trade_is_decided_about_with_the_quotes_as_they_were() -> None:
    pipeline = PipelineTest(CONFIG)
    send(pipeline, "bid", 61685.99, 2.0)
    send(pipeline, "ask", 61686.00, 0.5)
    send(pipeline, "buy", 61686.00, 0.1)

    result = pipeline.run()

    assert result.summary["outcomes"]["absorbed"] == 2
    (decision,) = result.decisions
    assert decision.id.endswith("/2")
    assert decision.output["label"] in ("down", "flat", "up")
    assert abs(sum(decision.output["scores"]) - 1) < 1e-3


def test_a_trade_before_any_quote_becomes_a_dead_letter() -> None:
    pipeline = PipelineTest(CONFIG)
    send(pipeline, "bid", 61685.99)
    send(pipeline, "sell", 61685.99)

    result = pipeline.run()

    assert result.summary["outcomes"] == result.summary["outcomes"] | {
        "absorbed": 1,
        "dead_letter": 1,
    }
    assert result.dead_letters[0].reason == "no_partner"
