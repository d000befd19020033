"""The words that all rooms share: events, outcomes, time, errors and the ports. numpy only, no I/O."""

from streamproc.core.arrays import (
    Array,
    BoolArray,
    Columns,
    Float32Array,
    Float64Array,
    Int64Array,
    ObjectArray,
    Rows,
    object_column,
)
from streamproc.core.clock import (
    NS_PER_MS,
    NS_PER_S,
    Clock,
    SystemClock,
    VirtualClock,
    process_cpu_ns,
)
from streamproc.core.errors import (
    AbortedError,
    ConfigError,
    ExternalError,
    InvariantError,
    Problem,
    RecordError,
    StreamprocError,
)
from streamproc.core.events import EventBatch
from streamproc.core.outcomes import Outcome, Reason
from streamproc.core.ports import (
    NOTHING_BEYOND,
    AssignmentListener,
    Executor,
    Jump,
    ModelInfo,
    Progress,
    SendDone,
    Sink,
    Source,
    TensorSpec,
    TransactionalSink,
    TransactionalSource,
)
from streamproc.core.quantities import Duration, Size
from streamproc.core.records import Headers, OutRecords, RecordBatch, TopicPartition
from streamproc.core.user_code import UserFunction, load_function
from streamproc.core.version import VERSION

__all__ = [
    "NOTHING_BEYOND",
    "NS_PER_MS",
    "NS_PER_S",
    "VERSION",
    "AbortedError",
    "Array",
    "AssignmentListener",
    "BoolArray",
    "Clock",
    "Columns",
    "ConfigError",
    "Duration",
    "EventBatch",
    "Executor",
    "ExternalError",
    "Float32Array",
    "Float64Array",
    "Headers",
    "Int64Array",
    "InvariantError",
    "Jump",
    "ModelInfo",
    "ObjectArray",
    "OutRecords",
    "Outcome",
    "Problem",
    "Progress",
    "Reason",
    "RecordBatch",
    "RecordError",
    "Rows",
    "SendDone",
    "Sink",
    "Size",
    "Source",
    "StreamprocError",
    "SystemClock",
    "TensorSpec",
    "TopicPartition",
    "TransactionalSink",
    "TransactionalSource",
    "UserFunction",
    "VirtualClock",
    "load_function",
    "object_column",
    "process_cpu_ns",
]
