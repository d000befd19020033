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
    ConfigError,
    ExternalError,
    InvariantError,
    ModelError,
    Problem,
    RecordError,
    StreamprocError,
    TransientError,
)
from streamproc.core.events import EventBatch
from streamproc.core.outcomes import Outcome, Reason
from streamproc.core.ports import (
    AssignmentListener,
    Executor,
    Jump,
    ModelInfo,
    Recoverable,
    SendDone,
    Sink,
    Source,
    TensorSpec,
)
from streamproc.core.quantities import Duration, Size
from streamproc.core.records import Headers, OutRecords, RecordBatch, TopicPartition
from streamproc.core.user_code import UserFunction, load_function
from streamproc.core.version import VERSION

__all__ = [
    "NS_PER_MS",
    "NS_PER_S",
    "VERSION",
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
    "ModelError",
    "ModelInfo",
    "ObjectArray",
    "OutRecords",
    "Outcome",
    "Problem",
    "Reason",
    "RecordBatch",
    "RecordError",
    "Recoverable",
    "Rows",
    "SendDone",
    "Sink",
    "Size",
    "Source",
    "StreamprocError",
    "SystemClock",
    "TensorSpec",
    "TopicPartition",
    "TransientError",
    "UserFunction",
    "VirtualClock",
    "load_function",
    "object_column",
    "process_cpu_ns",
]
