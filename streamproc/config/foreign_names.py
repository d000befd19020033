"""What to write instead of a key that is not ours: the nearest name, or our word for another system's."""

import difflib
import re
from collections.abc import Iterable

_BATCH = "batching.max_size bounds a micro-batch"
_DELAY = (
    "batches are cut by the deadline (deadline.budget); for a waiting time write "
    "batching: {policy: fixed, max_queue_delay: ...}"
)
_LANES = "write lanes: [{name: ..., when: ..., priority: 0}]"
_THREADS = "model.executor.onnxruntime.concurrency"

# Names without case, dots, hyphens and underscores -> our key and a word about it.
_FOREIGN = {
    # Triton Inference Server, config.pbtxt
    "maxqueuedelaymicroseconds": f"Triton's max_queue_delay_microseconds: {_DELAY}",
    "prioritylevels": f"Triton's priority_levels: {_LANES}",
    "defaultprioritylevel": f"Triton's default_priority_level: {_LANES}",
    "maxqueuesize": "write shed: [{tail_drop: {max_queue: ...}}]",
    "preferredbatchsize": f"Triton's preferred_batch_size: {_BATCH}",
    "dynamicbatching": "Triton's dynamic_batching: write batching",
    "instancegroup": f"Triton's instance_group: write {_THREADS}",
    "defaulttimeoutmicroseconds": "Triton's default_timeout_microseconds: write deadline.budget",
    # KServe
    "canarytrafficpercent": "KServe's canaryTrafficPercent: write rollout: {canary: {path: ..., share: 0.05}}",
    "maxbatchsize": f"{_BATCH}: write batching: {{max_size: ...}}",
    "maxlatency": f"KServe's maxLatency: {_DELAY}",
    "storageuri": "KServe's storageUri: write model.path",
    "containerconcurrency": f"KServe's containerConcurrency: write {_THREADS}",
    # Ray Serve, BentoML, TorchServe, TF Serving
    "batchwaittimeouts": f"Ray Serve's batch_wait_timeout_s: {_DELAY}",
    "maxbatchdelay": f"TorchServe's maxBatchDelay: {_DELAY}",
    "batchtimeoutmicros": f"TensorFlow Serving's batch_timeout_micros: {_DELAY}",
    "maxlatencyms": f"BentoML's max_latency_ms: write deadline.budget; {_DELAY}",
    "batchsize": f"{_BATCH}: write batching: {{max_size: ...}}",
    # Kafka and stream processors
    "maxpollrecords": f"Kafka's max.poll.records: {_BATCH}",
    "applicationid": "Kafka Streams' application.id: write name, or source.kafka.group_id",
    "processingguarantee": "Kafka Streams' processing.guarantee: write delivery",
    "numstreamthreads": "Kafka Streams' num.stream.threads: write --workers on the command line",
    "deserializationexceptionhandler": "what cannot be decoded goes to outcomes.dead_letter_topic",
    "errorsdeadletterqueuetopicname": "Kafka Connect's errors.deadletterqueue.topic.name: write outcomes.dead_letter_topic",
    "allowedlateness": "late events are decided and flagged: write late: publish or drop, and deadline.budget",
    "brokers": "write source.kafka.bootstrap_servers",
    "timeout": "write deadline.budget",
    "dlq": "write outcomes.dead_letter_topic",
    "prometheus": "write telemetry.metrics.listen",
}  # fmt: skip


def suggestion(name: str, allowed: Iterable[str]) -> str:
    """What to write instead of an unknown key.

    Args:
        name: the key that was met.
        allowed: the keys that may stand there.
    """
    names = sorted(allowed)
    foreign = _FOREIGN.get(re.sub(r"[-_.\s]", "", name).lower())
    if foreign is not None:
        return foreign
    near = nearest(name, names)
    if near:
        return f"did you mean {near}?"
    return f"there are {', '.join(names)}" if names else "remove it"


def nearest(name: str, names: Iterable[str]) -> str:
    """The name that looks most like it; empty if none does."""
    lowered = {known.lower(): known for known in names}
    found = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    return lowered[found[0]] if found else ""
