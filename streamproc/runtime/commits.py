"""How a pipeline's positions are committed: by transactions, behind a ledger, or plainly."""

from streamproc.config import PipelineConfig, kafka_source
from streamproc.core import (
    Clock,
    ConfigError,
    Sink,
    Source,
    TransactionalSink,
    TransactionalSource,
)
from streamproc.runtime.assembly import Assembly
from streamproc.runtime.driver import Driver
from streamproc.runtime.ledger_commits import LedgerCommits
from streamproc.runtime.scheduling import transaction_interval_ns
from streamproc.runtime.transactions import Transactions


def make_ledger_commits(assembly: Assembly, driver: Driver, sink: Sink) -> LedgerCommits | None:
    """What publishes the ledger before each commit; None where there is none, or it is in the transactions."""
    if assembly.ledger is None or assembly.transaction is not None:
        return None
    commits = LedgerCommits(engine=assembly.engine, ledger=assembly.ledger, sink=sink)
    driver.before_release = commits.release
    return commits


def make_transactions(
    config: PipelineConfig,
    assembly: Assembly,
    driver: Driver,
    *,
    source: Source,
    sink: Sink,
    clock: Clock,
) -> Transactions | None:
    """What commits by transactions; None with ``at_least_once``.

    Raises:
        ConfigError: the source or the sink knows no transactions.
    """
    if assembly.transaction is None:
        return None
    if not (isinstance(source, TransactionalSource) and isinstance(sink, TransactionalSink)):
        msg = (
            f"delivery: exactly_once needs a transactional source and sink, not {source} and {sink}"
        )
        raise ConfigError(msg)
    return Transactions(
        engine=assembly.engine,
        transaction=assembly.transaction,
        driver=driver,
        sink=sink,
        source=source,
        clock=clock,
        interval_ns=transaction_interval_ns(config),
        idle_ns=int(kafka_source(config, "delivery: exactly_once").commit_interval),
    )
