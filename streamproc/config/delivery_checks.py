"""What no single key shows of ``delivery``: what transactions can hold together, and how often they end."""

from collections.abc import Iterator, Sequence
from typing import Any

from streamproc.codecs import ArrowCodec, Codec
from streamproc.config.codec_checks import codecs_at
from streamproc.config.ends import Sink, Source
from streamproc.config.tree import Finding
from streamproc.connectors.kafka import KafkaSink, KafkaSource
from streamproc.core import Duration
from streamproc.engine import Deadline
from streamproc.scheduling import Lane

_INTERVAL_PART = 4
"""Of the smallest budget, at most, from one transaction to the next: the rest is for all that comes before."""


def _interval(
    delivery: str, sink: Sink, deadline: Deadline, lanes: Sequence[Lane]
) -> Iterator[Finding]:
    interval = sink.transaction_interval if isinstance(sink, KafkaSink) else None
    if delivery != "exactly_once" or interval is None:
        return
    budgets = [deadline.budget, *(lane.budget for lane in lanes if lane.budget is not None)]
    smallest = min(budgets)
    if interval * _INTERVAL_PART > smallest:
        most = Duration(smallest // _INTERVAL_PART)
        yield (
            ("sink", "kafka", "transaction_interval"),
            f"must be at most {most}, a quarter of the smallest budget ({smallest}), was {interval}",
        )


def _one_cluster(delivery: str, source: Source, sink: Sink) -> Iterator[Finding]:
    if not (isinstance(source, KafkaSource) and isinstance(sink, KafkaSink)):
        return
    if delivery == "exactly_once" and sink.bootstrap_servers not in ("", source.bootstrap_servers):
        yield (
            ("sink", "kafka", "bootstrap_servers"),
            "must be the source's: a transaction lies in one cluster; or write delivery: at_least_once",
        )


def _one_event_each(delivery: str, codec: Codec) -> Iterator[Finding]:
    if delivery == "exactly_once" and any(
        isinstance(one, ArrowCodec) for _, one in codecs_at(codec)
    ):
        yield (
            ("delivery",),
            "exactly_once needs records of one event each, codec.arrow has several: write at_least_once",
        )


DELIVERY_CHECKS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (_interval, ("delivery", "sink", "deadline", "lanes")),
    (_one_cluster, ("delivery", "source", "sink")),
    (_one_event_each, ("delivery", "codec")),
)
"""As those of ``checks``: each check and the parts that it takes."""
