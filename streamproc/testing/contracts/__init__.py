"""What every source, sink and executor must do, as suites that run over any of them.

They need no test framework: each check is a function that raises ``AssertionError``. ``source_contract``,
``sink_contract``, ``transactional_sink_contract`` and ``executor_contract`` run all of a kind; ``*_CHECKS`` hold them one by one, for
``pytest.mark.parametrize``. All are bounded in time and sleep nowhere.
"""

from streamproc.testing.contracts.executor import EXECUTOR_CHECKS, executor_contract
from streamproc.testing.contracts.sink import SINK_CHECKS, SinkBed, sink_contract
from streamproc.testing.contracts.source import (
    SOURCE_CHECKS,
    RecordingListener,
    SourceBed,
    source_contract,
)
from streamproc.testing.contracts.transactional_sink import (
    TRANSACTIONAL_SINK_CHECKS,
    TransactionalSinkBed,
    transactional_sink_contract,
)

__all__ = [
    "EXECUTOR_CHECKS",
    "SINK_CHECKS",
    "SOURCE_CHECKS",
    "TRANSACTIONAL_SINK_CHECKS",
    "RecordingListener",
    "SinkBed",
    "SourceBed",
    "TransactionalSinkBed",
    "executor_contract",
    "sink_contract",
    "source_contract",
    "transactional_sink_contract",
]
