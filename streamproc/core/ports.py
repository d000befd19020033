"""The ports: what the pipeline needs of a source, a sink and an executor, and nothing more.

Each has a real implementation (``connectors``, ``executors``) and a fake (``testing``); both pass the
same contract suite (``testing.contracts``).
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from streamproc.core.arrays import Columns, Int64Array
from streamproc.core.records import OutRecords, RecordBatch, TopicPartition


class Progress(NamedTuple):
    """How far a partition is done.

    Attributes:
        position: every record before it is done.
        beyond: int64 [n], the offsets of records behind it that are done all the same, ascending: a shed event or
            one of a lane in front ends before those that came earlier.
    """

    position: int
    beyond: Int64Array


NOTHING_BEYOND: Mapping[TopicPartition, Int64Array] = MappingProxyType({})


class AssignmentListener(Protocol):
    """Is told by a source which partitions are this process's."""

    def assigned(
        self,
        positions: Mapping[TopicPartition, int],
        beyond: Mapping[TopicPartition, Int64Array] = NOTHING_BEYOND,
    ) -> None:
        """These partitions are ours from now on, to be read from these positions.

        Args:
            positions: by partition.
            beyond: offsets of records behind it that are done already; see ``Progress``.
        """
        ...

    async def revoked(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """These partitions are about to be given up.

        Returns:
            the positions to commit for them; the source commits them before it lets go.
        """
        ...


class Jump(NamedTuple):
    """Where a partition's reading went on from, and where to.

    Attributes:
        start: the position behind the last record given by ``poll``.
        end: the position from then on.
    """

    start: int
    end: int


class Source(Protocol):
    """Where records come from."""

    @property
    def skipped_total(self) -> int:
        """Records that were gone before they could be read (retention)."""
        ...

    async def start(self, listener: AssignmentListener) -> None:
        """Connect and join; ``listener.assigned`` is called before the first record is given.

        Raises:
            ConfigError: what was asked for does not exist (a topic) or is refused (credentials).
            ExternalError: it cannot be reached.
        """
        ...

    async def poll(self, *, timeout_ns: int, records_max: int) -> list[RecordBatch]:
        """The next records, at most ``records_max``; empty when none came within the time.

        Raises:
            ExternalError: the source failed for good.
        """
        ...

    def pause(self) -> None:
        """Fetch nothing more until ``resume``; ``poll`` goes on being called."""
        ...

    def resume(self) -> None:
        """Fetch again."""
        ...

    async def positions(self) -> dict[TopicPartition, int]:
        """For each owned partition, the position behind the last record given by ``poll``."""
        ...

    def lag(self) -> dict[TopicPartition, int]:
        """For each owned partition, the number of records that are still to be fetched; without those not known yet."""
        ...

    async def skip_to(self, source: TopicPartition, timestamp_ns: int) -> Jump | None:
        """Read a partition on from its first record that is as young as this, without fetching what lies before.

        Never goes back, and never beyond the end of the log. What was fetched ahead and lies before is
        dropped: ``poll`` gives nothing more of it.

        Args:
            source: the partition.
            timestamp_ns: of the oldest record that is wanted, in ns since 1970.

        Returns:
            None where nothing is jumped over: no record is so old, or the partition is not ours.
        """
        ...

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Store these positions; partitions that are no longer ours are left out.

        Raises:
            ExternalError: the store failed; the caller may try again.
        """
        ...

    def exhausted(self) -> bool:
        """True when nothing more will ever come (a file that is read to its end)."""
        ...

    async def stop(self) -> None:
        """Leave and disconnect, within a bounded time."""
        ...


@runtime_checkable
class Rewinding(Source, Protocol):
    """A source that can begin before the positions it tells, so that what features remember comes back.

    Attributes:
        rewind_ns: how much older than the last record before a position the first one is that is read; 0 begins at
            the position. The listener is told the position all the same: what lies before it is done.
    """

    rewind_ns: int


Recall: TypeAlias = Callable[
    [Mapping[TopicPartition, int]], Awaitable[Mapping[TopicPartition, int]]
]
"""Brings back what was remembered of partitions that are to be read from these positions; gives where reading begins, at
or before them."""


@runtime_checkable
class Recalling(Source, Protocol):
    """A source that reads a partition only when what was remembered of it has been brought back.

    Attributes:
        recall: is waited for, however long it takes, before the listener is told of partitions; None brings nothing back.
    """

    recall: Recall | None


@runtime_checkable
class Selective(Source, Protocol):
    """A source of which some partitions can be read and others left for a while.

    Attributes:
        withheld: of these ``poll`` gives nothing; what was fetched of them is kept.
    """

    withheld: Collection[TopicPartition]


@runtime_checkable
class Recoverable(Protocol):
    """A source whose client may get stuck without an error, and can be made anew."""

    async def unread(self) -> int | None:
        """Records that wait to be given to this process, asked of whoever keeps them, past the source's own client.

        Returns:
            None where nobody answers, within a bounded time.
        """
        ...

    async def rejoin(self) -> None:
        """Give up the client and make a new one; the listener is told of what is given up and of what is assigned.

        Raises:
            ExternalError: it cannot be reached; ``poll`` gives nothing until another ``rejoin`` succeeds.
        """
        ...


SendDone = Callable[[int | Exception], None]
"""Is called once on the event loop: with the instant (ns) at which all were acknowledged, or with the
error for which they never will be."""


class Sink(Protocol):
    """Where records go."""

    async def start(self) -> None:
        """Connect.

        Raises:
            ConfigError: a topic that does not exist, or credentials that are refused.
            ExternalError: it cannot be reached.
        """
        ...

    def send(self, records: OutRecords, done: SendDone) -> None:
        """Take the records to be sent; never blocks. The order within an output partition is kept."""
        ...

    def pending_bytes(self) -> int:
        """Bytes taken and not yet acknowledged."""
        ...

    def healthy(self) -> bool:
        """True while it is connected, as far as it knows."""
        ...

    async def stop(self, *, timeout_ns: int) -> None:
        """Send what was taken, then disconnect; gives up after the time."""
        ...


@runtime_checkable
class TransactionalSource(Source, Protocol):
    """A source whose positions a transactional sink stores."""

    async def rewind(self, partitions: Collection[TopicPartition]) -> None:
        """Read these partitions again from what is stored; ``listener.assigned`` tells from where.

        Those that are no longer ours are left out.

        Raises:
            ExternalError: what is stored cannot be learned.
        """
        ...


@runtime_checkable
class TransactionalSink(Sink, Protocol):
    """A sink that publishes what it took, and how far its partitions are done, together or not at all.

    ``SendDone`` is called at the commit. What is sent while a commit is under way belongs to the next one.
    """

    def can_hold(self, progress: Mapping[TopicPartition, Progress]) -> bool:
        """Whether so much can be stored of what is done behind the positions."""
        ...

    async def commit(self, progress: Mapping[TopicPartition, Progress]) -> int:
        """Publish all that was sent since the last commit, and store the progress.

        Returns:
            when it was committed (ns).

        Raises:
            AbortedError: nothing of it is published or stored, nor anything that was sent since: it is forgotten,
                and no ``SendDone`` of it will be called. The sink takes new records.
            ExternalError: it failed for good; nothing is published either.
        """
        ...


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a model.

    Attributes:
        name: as the model calls it.
        dtype: numpy's name of the element type, such as ``float32``.
        shape: the sizes behind the batch axis; None where any is allowed.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class StateSpec:
    """One tensor that a model gives with an event and takes with the key's next one.

    Attributes:
        input: the model's input that takes it.
        output: the model's output that gives it.
        dtype: numpy's name of the element type, such as ``float32``.
        shape: what one key has of it; the batch axis is left out, wherever the model has it.
    """

    input: str
    output: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a loaded model is.

    Attributes:
        variant: the variant's name, ``full`` where there is only one.
        digest: ``sha256:`` and the first twelve hex digits of the file's digest.
        inputs: what it takes; empty where it does not say (a Python callable).
        outputs: what it gives; empty where it does not say.
        batch_max: the largest batch that it takes; None where there is no limit.
        runs_on: what it really runs on, such as ``CPUExecutionProvider``.
        state: what it carries from each event of a key to the next, which is neither among its inputs nor its outputs.
            ``run`` takes and gives it by those names, one row a key; where it is not given it begins with zeros.
        stages: of a chain of models, the digest of each, in their order; else empty.
    """

    variant: str
    digest: str
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    batch_max: int | None = None
    runs_on: str = ""
    state: tuple[StateSpec, ...] = ()
    stages: tuple[str, ...] = ()


class Executor(Protocol):
    """Runs a model over a batch."""

    @property
    def info(self) -> ModelInfo:
        """What model it runs."""
        ...

    @property
    def concurrency(self) -> int:
        """How many batches it can run at the same time."""
        ...

    @property
    def inline(self) -> bool:
        """True where ``run`` only computes: the event loop may call it itself when it is quick."""
        ...

    def run(self, inputs: Columns) -> Columns:
        """The model's outputs by name, each [n, ...], for inputs by name, each [n, ...].

        Is called from ``concurrency`` threads at the same time.

        Raises:
            Exception: whatever the model raises; the batch is tried in parts, and the events on which it
                raises alone become dead letters.
            ModelError: the model could not be asked, or did not answer.
        """
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


@runtime_checkable
class TimedExecutor(Executor, Protocol):
    """An executor that can give up in time: one that asks somebody else, who may be slow, or that can stop a batch."""

    def run_by(
        self, inputs: Columns, deadline_ns: int | None, until_ns: int | None = None
    ) -> Columns:
        """The model's outputs, as ``run`` gives them.

        Args:
            inputs: by name, each [n, ...].
            deadline_ns: the first deadline of the batch, ns since 1970; None where there is none.
            until_ns: from when on nobody is served by its answer any more, ns since 1970; None for never.

        Raises:
            ModelError: with the reason ``model_unavailable``, early enough for another variant to answer; with
                ``stopped`` at ``until_ns``, or soon after.
        """
        ...
