"""Kafka's own names for settings, turned into ours.

Inside ``source.kafka`` and ``sink.kafka`` the dotted names of the Java client and of librdkafka are
accepted, and so are aiokafka's (``session_timeout_ms``). Times in milliseconds and sizes in bytes become
quantities. ``sasl_*``, ``ssl_*`` and ``security_protocol`` go into ``security``, what only the client
needs into ``client``. Settings that would break a promise are refused with a reason.
"""

from collections.abc import Mapping
from dataclasses import fields

from streamproc.config.tree import Node, Path
from streamproc.connectors.kafka import OTHER_NAMES, KafkaSink, KafkaSource
from streamproc.core import Problem

CLIENTS: Mapping[tuple[str, ...], type] = {
    ("source", "kafka"): KafkaSource,
    ("sink", "kafka"): KafkaSink,
}

# Kafka's name with its dots as underscores -> ours and the unit that its number is in.
_RENAMED: Mapping[type, Mapping[str, tuple[str, str]]] = {
    KafkaSource: {
        "session_timeout_ms": ("session_timeout", "ms"),
        "auto_commit_interval_ms": ("commit_interval", "ms"),
        "fetch_max_wait_ms": ("fetch_max_wait", "ms"),
        "fetch_wait_max_ms": ("fetch_max_wait", "ms"),
        "max_partition_fetch_bytes": ("max_partition_fetch", "B"),
        "fetch_message_max_bytes": ("max_partition_fetch", "B"),
    },
    KafkaSink: {
        "linger_ms": ("linger", "ms"),
        "queue_buffering_max_ms": ("linger", "ms"),
        "batch_size": ("max_batch", "B"),
        "max_batch_size": ("max_batch", "B"),
        "compression_type": ("compression", ""),
        "compression_codec": ("compression", ""),
        "delivery_timeout_ms": ("delivery_timeout", "ms"),
        "message_timeout_ms": ("delivery_timeout", "ms"),
        "max_request_size": ("max_record", "B"),
        "message_max_bytes": ("max_record", "B"),
    },
}

_CLIENT = {
    KafkaSource: {
        "client_id",
        "connections_max_idle_ms",
        "fetch_max_bytes",
        "fetch_min_bytes",
        "heartbeat_interval_ms",
        "max_poll_interval_ms",
        "metadata_max_age_ms",
        "rebalance_timeout_ms",
        "request_timeout_ms",
        "retry_backoff_ms",
    },
    KafkaSink: {
        "client_id",
        "connections_max_idle_ms",
        "metadata_max_age_ms",
        "request_timeout_ms",
        "retry_backoff_ms",
    },
}
"""Settings that are handed on, under aiokafka's names."""

_REFUSED = {
    "max_poll_records": "streamproc fetches by bytes (max_partition_fetch) and batches by batching.max_size; remove it",
    "enable_auto_commit": "streamproc commits what has its outcome acknowledged, never on a timer; remove it",
    "enable_auto_offset_store": "streamproc commits what has its outcome acknowledged, never on a timer; remove it",
    "acks": "decisions are always sent with acks=all; remove it",
    "enable_idempotence": "the producer is always idempotent; remove it",
    "transactional_id": "transactions are chosen by delivery, not by an id; remove it",
    "key_deserializer": "bytes are decoded by codec; remove it",
    "value_deserializer": "bytes are decoded by codec; remove it",
    "key_serializer": "decisions are encoded by streamproc; remove it",
    "value_serializer": "decisions are encoded by streamproc; remove it",
    "partition_assignment_strategy": "streamproc chooses the assignor; remove it",
    "partitioner": "decisions keep their input's partition, or follow sink.kafka.key; remove it",
}


def is_kafka_name(name: str) -> bool:
    """True for a name with dots that Kafka's clients use."""
    flat = name.replace(".", "_")
    known = {f.name for client in CLIENTS.values() for f in fields(client)}
    known |= {old for names in _RENAMED.values() for old in names}
    known |= set[str]().union(*_CLIENT.values()) | set(_REFUSED)
    return "." in name and (flat in known or _is_security(flat))


def rename(root: Node, problems: list[Problem]) -> None:
    """Turn Kafka's names into ours, in the source and the sink.

    Args:
        root: the tree, changed.
        problems: takes what is wrong.
    """
    for path, client in CLIENTS.items():
        entries = root.mapping(path)
        security = root.mapping((*path, "security"))
        for name in list(security):
            renamed = _security_name(name.replace(".", "_"))
            if renamed != name:
                security.setdefault(renamed, security.pop(name))
        for name in list(entries):
            where = _target(name, client)
            if where == (name,):
                continue
            problem = _move(root, (*path, name), (*path, *where), _unit(name, client))
            if problem is not None:
                problems.append(problem)


def _flat(name: str) -> str:
    return name.replace(".", "_")


def _is_security(flat: str) -> bool:
    return flat == "security_protocol" or flat.startswith(("sasl_", "ssl_"))


def _security_name(flat: str) -> str:
    return OTHER_NAMES.get(flat, flat) if _is_security(flat) else flat


def _target(name: str, client: type) -> tuple[str, ...]:
    """Where a setting belongs, under ``source.kafka`` or ``sink.kafka``."""
    flat = _flat(name)
    if flat in _RENAMED[client]:
        return (_RENAMED[client][flat][0],)
    if _is_security(flat):
        return ("security", _security_name(flat))
    if flat in _CLIENT[client]:
        return ("client", flat)
    if flat in {field.name for field in fields(client)}:
        return (flat,)
    return () if flat in _REFUSED else (name,)


def _unit(name: str, client: type) -> str:
    return _RENAMED[client].get(_flat(name), ("", ""))[1]


def _move(root: Node, old: Path, new: Path, unit: str) -> Problem | None:
    """Move a value to its new key; None if that went well."""
    entries = root.mapping(old[:-1])
    node = entries.pop(str(old[-1]))
    if new == old[:-1]:
        return _problem(node, old, f"is not needed: {_REFUSED[_flat(str(old[-1]))]}")
    if len(new) > len(old):
        entries.setdefault(str(new[-2]), Node({}, node.place))
        inner = entries[str(new[-2])]
        if not isinstance(inner.value, dict):
            return None  # `security: 5` is reported as it is
        entries = inner.value
    if str(new[-1]) in entries:
        other = entries[str(new[-1])].place
        seen = f" in line {other.line}" if other.line is not None else f" by {other.origin}"
        message = f"is the same setting as {new[-1]}, given{seen}; keep one"
        return _problem(node, old, message)
    if unit and (not isinstance(node.value, int) or isinstance(node.value, bool)):
        word = "milliseconds" if unit == "ms" else "bytes"
        return _problem(node, old, f"must be a whole number of {word}, was {node.value!r}")
    value = f"{node.value}{unit}" if unit else node.value
    entries[str(new[-1])] = Node(value, node.place, node.text)
    return None


def _problem(node: Node, path: Path, message: str) -> Problem:
    key = ".".join(str(part) for part in path)
    return Problem(message, key, node.place.line, node.place.origin)
