"""What a user can set of the model and of what runs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from streamproc.core import Duration, Size
from streamproc.executors.cascade import Cascade
from streamproc.executors.chain_options import ChainStage
from streamproc.executors.isolated.options import Isolation
from streamproc.executors.models.agreement import Agreement
from streamproc.executors.models.files import MAX_BYTES, Rules
from streamproc.executors.models.golden import Golden
from streamproc.executors.models.repository import Repository
from streamproc.executors.models.signature import Signature
from streamproc.executors.remote.options import Remote
from streamproc.executors.runtimes import NEED_FILES, OnnxRuntime, OpenVino
from streamproc.executors.state_options import ModelState
from streamproc.executors.wiring import Constant, Wires


@dataclass(frozen=True, slots=True)
class PythonModel:
    """A Python function over columns, in this process on a thread.

    Attributes:
        callable: where it is, as ``package.module:name``; called with the inputs by name, each
            [n, ...], it returns the outputs by name or one array. It cannot be measured without real inputs,
            so a batch is taken to last equally long whatever its size: where that is not so, set
            ``batching.max_size`` to what the budget allows.
        retries: how often a batch is tried again that raised ``TransientError`` or an ``OSError`` (a connection, a
            time-out). Its events wait, and so do those behind it: the order of decisions is kept. What fails even
            so, or otherwise, becomes dead letters.
        retry_pause: before each further try; with one, the function runs on a thread.
    """

    callable: str
    retries: int = 2
    retry_pause: Duration = Duration(0)  # noqa: RUF009 - immutable

    def __post_init__(self) -> None:
        if self.retries < 0:
            msg = f"retries must not be negative, was {self.retries}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Simulated:
    """Takes a set time for each batch, for demonstrations and capacity plans.

    The outputs are those of the model file where one is given, else zeros [n, 1].

    Attributes:
        fixed: time of a batch.
        per_event: further time for each event of it.
    """

    fixed: Duration = Duration.parse("2ms")  # noqa: RUF009 - immutable
    per_event: Duration = Duration.parse("100us")  # noqa: RUF009 - immutable


@dataclass(frozen=True, slots=True)
class ModelVariant:
    """One variant of a model: the same inputs and outputs, another cost, another quality.

    Attributes:
        name: of the variant, in decisions and metrics.
        path: the ONNX file, relative to the configuration file; None only where ``executor`` needs none.
        quality: what a decision of it is worth, 1 being one of the best.
        executor: what runs it; None takes the model's.
        chain: several models in a row, in place of ``path``.
    """

    name: str
    path: str | None = None
    quality: float = 1.0
    executor: OnnxRuntime | OpenVino | PythonModel | Remote | Simulated | None = None
    chain: Sequence[ChainStage] = ()

    def __post_init__(self) -> None:
        if self.chain and self.path is not None:
            msg = "path must not stand beside chain: make it a stage of it"
            raise ValueError(msg)
        if not 0.0 < self.quality <= 1.0:
            msg = f"quality must be above 0 and at most 1, was {self.quality}"
            raise ValueError(msg)

    @property
    def files(self) -> tuple[str, ...]:
        """The ONNX files that it is made of, in their order; empty where there are none."""
        if self.chain:
            return tuple(stage.path for stage in self.chain)
        return () if self.path is None else (self.path,)


@dataclass(frozen=True, slots=True)
class Model:
    """The model and what runs it.

    Attributes:
        path: the ONNX file, relative to the configuration file; None only for a Python callable, or where
            there are a ``chain``, ``variants`` or a ``repository``.
        executor: what runs it.
        inputs: field by model input, for a model with several inputs whose names are not the fields'.
        constants: inputs of the model that are the same for all events, such as ``{sr: 16000}``.
        shapes: by input, the sizes behind the batch axis where the model's file leaves them open, such as
            ``{input: [576]}``; the warm-up runs with these, and features of another size are refused.
        state: what the model carries from each event of a key to the next; null for nothing.
        chain: several models in a row, in place of ``path``: the outputs of one are inputs of those behind it, and those of
            the last are the model's.
        variants: of the model, in place of ``path``: under load a cheaper one decides, and its decisions are
            ``degraded``.
        cascade: a cheap variant answers first, and a better one what the cheap one is unsure of.
        stop_late: whether a batch that still runs is stopped once it is worth nothing any more. Null: where a cheaper variant
            can still answer in time, or where late decisions are dropped (``late: drop``). ``true``: also where late decisions
            would be published; their events are shed. ``false``: never. onnxruntime in this process stops within about one
            operator; a model on another machine is not waited for.
        repository: a folder of models with versions, as Triton's, in place of ``path``.
        isolation: ``true``, or a mapping, runs it in a process of its own, which may crash, hang or run out of
            memory without harm to the stream.
        manifest: the file that says which files the model is made of, and their digests; null takes
            ``model.manifest.json`` beside the model where there is one. ``streamproc manifest`` writes it.
        signature: who must have signed the model's files (OpenSSF Model Signing); null asks for no signature.
        max_bytes: how large a model's files may be together.
        agreement: that each variant has to decide as the best one does, on this machine, before it decides anything.
        golden: inputs and the outputs that the best variant has to give for them, before it decides anything.
        watch: how often its files are looked at; where they have changed it is loaded anew. Null never looks.
        custom_ops: libraries with operators of your own, which are loaded as code; no others are.
    """

    path: str | None = None
    executor: OnnxRuntime | OpenVino | PythonModel | Remote | Simulated = field(
        default_factory=OnnxRuntime
    )
    inputs: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, Constant] = field(default_factory=dict)
    shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    state: ModelState | None = None
    chain: Sequence[ChainStage] = ()
    variants: Sequence[ModelVariant] = ()
    cascade: Cascade | None = None
    stop_late: bool | None = None
    repository: Repository | None = None
    isolation: bool | Isolation = False
    manifest: str | None = None
    signature: Signature | None = None
    max_bytes: Size = MAX_BYTES
    custom_ops: Sequence[str] = ()
    golden: Golden | None = None
    agreement: Agreement | None = None
    watch: Duration | None = None

    def __post_init__(self) -> None:
        if self.watch is not None and self.watch <= 0:
            msg = f"watch must be above 0, was {self.watch}"
            raise ValueError(msg)
        if self.variants and self.path is not None:
            msg = "path must not stand beside variants: make it the first of them"
            raise ValueError(msg)
        if self.repository is not None and (self.variants or self.path is not None):
            msg = "repository must not stand beside path or variants: remove one of them"
            raise ValueError(msg)
        if self.chain and (self.variants or self.path is not None or self.repository is not None):
            msg = "chain must not stand beside path, variants or repository: remove one of them, or write it into a variant"
            raise ValueError(msg)
        file = self.path or self.repository or self.chain
        if not self.variants and not file and isinstance(self.executor, NEED_FILES):
            msg = "path is missing: name the ONNX file, a chain, variants, or executor: {python: {callable: ...}}"
            raise ValueError(msg)
        if self.signature is not None and not file and not any(v.files for v in self.variants):
            msg = "signature must not stand where the model has no file that could be signed: remove it"
            raise ValueError(msg)

    @property
    def rules(self) -> Rules:
        """What the model's files must keep to."""
        return Rules(self.max_bytes, self.manifest, tuple(self.custom_ops), self.signature)

    @property
    def wires(self) -> Wires:
        """What of its inputs does not come from the events."""
        return Wires(self.constants, self.shapes, self.state)

    @property
    def isolated(self) -> Isolation | None:
        """How it runs in a process of its own; None where it runs in this one."""
        if isinstance(self.isolation, bool):
            return Isolation() if self.isolation else None
        return self.isolation

    @property
    def ladder(self) -> tuple[ModelVariant, ...]:
        """The variants with all that they need to be run, the best first; one named ``full`` of a path alone.

        Raises:
            ConfigError: the repository has not the version that is asked for.
        """
        if not self.variants:
            path = self.path if self.repository is None else self.repository.file
            return (ModelVariant("full", path, executor=self.executor, chain=self.chain),)
        whole = [replace(v, executor=v.executor or self.executor) for v in self.variants]
        return tuple(sorted(whole, key=lambda variant: -variant.quality))

    @property
    def stages(self) -> tuple[int, ...]:
        """The places in the ladder of a cascade's variants, the first stage's first; empty without one."""
        if self.cascade is None:
            return ()
        names = [variant.name for variant in self.ladder]
        if not self.cascade.of:
            return tuple(reversed(range(len(names))))
        return tuple(names.index(name) for name in self.cascade.of)
