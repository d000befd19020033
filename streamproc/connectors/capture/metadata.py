"""What a recording says of itself: MCAP metadata records, readable with any tool."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from streamproc.core import VERSION, ModelInfo

FORMAT_VERSION: Final = 1
_CAPTURE: Final = "streamproc"
_CONFIGURATION: Final = "configuration"
_MACHINE: Final = "machine"
_MODEL: Final = "model/"


@dataclass(frozen=True, slots=True)
class RecordedModel:
    """One variant of the model that decided.

    Attributes:
        variant: its name.
        digest: of its file.
        runs_on: what it ran on, such as ``CPUExecutionProvider``.
        stages: of a chain, the digests of its stages in their order, with spaces between them.
    """

    variant: str
    digest: str
    runs_on: str = ""
    stages: str = ""

    @classmethod
    def of(cls, model: ModelInfo) -> Self:
        """What is recorded of a loaded model."""
        return cls(model.variant, model.digest, model.runs_on, " ".join(model.stages))


@dataclass(frozen=True, slots=True)
class CaptureMetadata:
    """What a recording says of itself.

    Attributes:
        pipeline: its name.
        recorded_by: ``service`` (inside it), ``record`` (beside it), ``import`` or ``replay``.
        configuration: the pipeline's file, secrets hidden.
        models: the model's variants, the best one's first.
        lanes: the names of the pipeline's lanes.
        machine: what decides whether a replay is byte-identical: processor features, threads, versions.
        source: the brokers that the records came from.
        recording: tells one recording from others; the files of one share it.
        part: the number of this file in its recording, from 1.
        started_ns: when this file was begun.
        version: of streamproc.
    """

    pipeline: str = ""
    recorded_by: str = ""
    configuration: str = field(default="", repr=False)
    models: tuple[RecordedModel, ...] = ()
    lanes: tuple[str, ...] = ()
    machine: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    recording: str = ""
    part: int = 1
    started_ns: int = 0
    version: str = VERSION

    def records(self) -> Iterable[tuple[str, dict[str, str]]]:
        """The metadata records by name."""
        yield (
            _CAPTURE,
            {
                "format": str(FORMAT_VERSION),
                "version": self.version,
                "pipeline": self.pipeline,
                "recorded_by": self.recorded_by,
                "lanes": json.dumps(self.lanes),
                "source": self.source,
                "recording": self.recording,
                "part": str(self.part),
                "started_ns": str(self.started_ns),
            },
        )
        if self.configuration:
            yield _CONFIGURATION, {"yaml": self.configuration}
        for place, model in enumerate(self.models):
            yield (
                f"{_MODEL}{place}",
                {
                    key: told
                    for key in _MODEL_KEYS
                    if (told := getattr(model, key)) or key != "stages"
                },
            )
        if self.machine:
            yield _MACHINE, dict(self.machine)

    @classmethod
    def read(cls, records: Mapping[str, Mapping[str, str]]) -> Self:
        """From the metadata records of a file, of whatever writer: what is missing is empty."""
        told = records.get(_CAPTURE, {})
        places = sorted(
            (name for name in records if name.startswith(_MODEL)),
            key=lambda name: _number(name.removeprefix(_MODEL)),
        )
        return cls(
            pipeline=told.get("pipeline", ""),
            recorded_by=told.get("recorded_by", ""),
            configuration=records.get(_CONFIGURATION, {}).get("yaml", ""),
            models=tuple(
                RecordedModel(**{key: records[name].get(key, "") for key in _MODEL_KEYS})
                for name in places
            ),
            lanes=tuple(map(str, _list(told.get("lanes", "[]")))),
            machine=dict(records.get(_MACHINE, {})),
            source=told.get("source", ""),
            recording=told.get("recording", ""),
            part=_number(told.get("part", "1")),
            started_ns=_number(told.get("started_ns", "0")),
            version=told.get("version", ""),
        )


_MODEL_KEYS: Final = ("variant", "digest", "runs_on", "stages")


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0


def _list(text: str) -> list[Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return found if isinstance(found, list) else []
