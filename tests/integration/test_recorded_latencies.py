"""The page of several workers tells what their recordings tell: outcomes exactly, quantiles within a tenth."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from streamproc.connectors.capture import CaptureReader
from streamproc.core import NS_PER_S, Outcome
from tests.integration.pipelines import TICK, Load
from tests.integration.worker_group import WorkerCommand
from tests.support import PATIENCE_S, wait_until
from tests.support.kafka import fill
from tests.support.prometheus import histogram_quantile

if TYPE_CHECKING:
    from pathlib import Path

    from prometheus_client.core import Metric

    from tests.support.kafka import KafkaBroker

EVENTS = 6_000


def test_merged_workers_agree_with_their_recordings(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    folder = tmp_path / "recordings"
    command = WorkerCommand(tmp_path, kafka.bootstrap, topic_name, record={"path": str(folder)})
    try:
        command.ready()
        with Load(kafka.bootstrap, command.source, rate=2_000, events=EVENTS // 2) as load:
            load.wait()
        fill(kafka.bootstrap, command.source, TICK.messages(EVENTS // 2))  # a burst: a long tail
        wait_until("all are decided", lambda: command.consumed() == EVENTS)
        families: dict[str, Metric] = {
            family.name: family
            for family in text_string_to_metric_families(command.get("/metrics")[1])
        }
        command.terminate()
        assert command.process.wait(PATIENCE_S) == 0, command.log_tail()
    finally:
        command.kill()
    capture = CaptureReader(folder)
    assert len(capture.summary.files) == 2
    assert capture.summary.gaps == ()
    ended: Counter[str] = Counter()
    latencies = []
    for columns in capture.outcomes():
        ended.update(Outcome(code).word for code in columns.outcome.tolist())
        assert columns.event_time_ns is not None
        latencies.append(columns.acknowledged_ns - columns.event_time_ns)
    outcomes = {
        sample.labels["outcome"]: int(sample.value)
        for sample in families["streamproc_outcomes"].samples
        if sample.value and sample.name == "streamproc_outcomes_total"
    }
    assert outcomes == ended
    latency_ns = np.concatenate(latencies)
    assert len(latency_ns) == EVENTS
    for q in (0.1, 0.5, 0.9, 0.99, 0.999):
        exact_s = float(np.quantile(latency_ns, q, method="inverted_cdf")) / NS_PER_S
        shown_s = histogram_quantile(families["streamproc_e2e_latency_seconds"], q)
        assert shown_s == pytest.approx(exact_s, rel=0.1), q
