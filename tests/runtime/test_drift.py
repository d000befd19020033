"""A service that watches its features."""

from pathlib import Path

import numpy as np
import pytest

from streamproc.core import ConfigError
from streamproc.telemetry import Drift, DriftReference, Metrics, Telemetry
from tests.runtime.test_service import World, short_polls

__all__ = ["short_polls"]


def telemetry(path: Path, **more: int) -> Telemetry:
    return Telemetry(metrics=Metrics(listen=None), drift=Drift(str(path), **more))


async def test_the_gauges_tell_of_features_that_moved(tmp_path: Path) -> None:
    path = tmp_path / "drift.json"
    trained = DriftReference.of({"input": np.arange(1_000.0)[:, np.newaxis]}, ("x",))
    path.write_text(trained.to_json())
    world = World(telemetry=telemetry(path, window=100, every=1))
    world.produce(100)
    await world.run()
    found = world.service.gauges().drift
    assert found is not None
    assert found.names == ("x",)
    assert found.events == 100
    assert found.psi()[0] > 1.0  # all of them lie in the lowest tenth of what was
    assert found.outside_share()[0] == 0.0


async def test_a_reference_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "drift.json"
    with pytest.raises(ConfigError, match=r"telemetry\.drift\.reference.*cannot be read"):
        await World(telemetry=telemetry(path)).run()
    path.write_text("{}")
    with pytest.raises(ConfigError, match="no reference of drift"):
        await World(telemetry=telemetry(path)).run()


async def test_features_that_are_not_the_references_are_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "drift.json"
    path.write_text(DriftReference.of({"other": np.arange(10.0)}).to_json())
    world = World(telemetry=telemetry(path))
    world.produce(50)
    summary = await world.run()
    assert summary["outcomes"]["on_time"] == 50
    assert world.service.gauges().drift is None
    assert caplog.text.count("is of other features") == 1
