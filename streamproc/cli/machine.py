"""What ``doctor`` looks at; each look gives one finding or several, and changes nothing."""

import asyncio
import ctypes
import os
import platform
import resource
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Literal

Verdict = Literal["ok", "note", "warning", "bad"]

NEEDED = (
    *("aiokafka", "cramjam", "jinja2", "lz4", "mcap", "msgspec", "numpy", "onnxruntime"),
    *("opentelemetry-proto", "protobuf", "zstandard"),
    *("opentelemetry-sdk", "orjson", "prometheus-client", "urllib3"),
    *("pydantic", "pysimdjson", "PyYAML", "rich", "starlette", "typer", "typing-extensions"),
    *("uvicorn", "uvloop"),
)
"""The distributions of pyproject.toml's dependencies; a test compares them."""
_CODECS = "cramjam"
_NO_DEVICES = ("CPUExecutionProvider", "AzureExecutionProvider")
_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8")
_STEADY_CLOCKS = ("tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page")
_UNSYNCHRONISED = 5
"""What adjtimex(2) answers, TIME_ERROR, when nothing keeps the clock right."""
_TIMEX_BYTES = 512
"""Above the 208 bytes of struct timex."""
_FILES_MIN = 1_024
_MEMORY_MIN_GIB = 1.0
_PYTHON_MIN = (3, 11)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: its name.
        verdict: ``ok``, ``note`` (good to know), ``warning`` (it will work worse) or ``bad``.
        found: what there is.
        advice: what to do about it.
    """

    what: str
    verdict: Verdict
    found: str
    advice: str = ""


def examine() -> list[Finding]:
    """All findings, in the order in which they are read."""
    return [finding for look in _LOOKS for finding in look()]


def _python() -> Iterator[Finding]:
    fits = sys.version_info >= _PYTHON_MIN
    found = f"{platform.python_version()} ({sys.executable})"
    yield Finding(
        "python", "ok" if fits else "bad", found, "" if fits else "3.11 or newer is needed"
    )


def _packages() -> Iterator[Finding]:
    found: list[str] = []
    missing: list[str] = []
    for name in NEEDED:
        number = _version(name)
        (found if number else missing).append(f"{name} {number}" if number else name)
    if _CODECS in missing:
        missing.remove(_CODECS)
        advice = "topics compressed with snappy, lz4 or zstd cannot be read: pip install cramjam"
        yield Finding(_CODECS, "warning", "not installed", advice)
    if missing:
        yield Finding("packages missing", "bad", ", ".join(missing), "pip install streamproc")
    yield Finding("packages", "ok", ", ".join(found))


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _onnxruntime() -> Iterator[Finding]:
    if _version("onnxruntime") is None and not _onnxruntimes():
        return  # said among the packages
    wheels = _onnxruntimes()
    if len(wheels) > 1:
        advice = "they overwrite each other: pip uninstall all of them, then install one"
        yield Finding("onnxruntime wheels", "warning", ", ".join(wheels), advice)
    try:
        import onnxruntime  # noqa: PLC0415 - it may be broken, which is what we look for

        providers = onnxruntime.get_available_providers()
    except Exception as error:  # noqa: BLE001 - a broken wheel may raise anything
        yield Finding("onnxruntime", "bad", f"cannot be imported: {error}", "install it again")
        return
    found = f"{onnxruntime.__version__}: {', '.join(providers)}"
    advice = "" if set(providers) - {*_NO_DEVICES} else "no accelerator in this wheel"
    yield Finding("onnxruntime", "ok", found, advice)


def _onnxruntimes() -> list[str]:
    names = (str(d.metadata["Name"] or "") for d in distributions())
    return sorted({name for name in names if name.lower().startswith("onnxruntime")})


def _processor() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0))
    name, flags = _cpuinfo()
    yield Finding("processor", "ok" if cores > 1 else "warning", f"{cores} cores, {name}")
    there = [flag for flag in _FLAGS if flag in flags]
    if platform.machine() != "x86_64":
        yield Finding("instructions", "note", platform.machine())
    elif "avx2" not in flags:
        advice = "models and JSON run several times slower without AVX2"
        yield Finding(
            "instructions", "warning", ", ".join(there) or "none of AVX2 and above", advice
        )
    else:
        vnni = any("vnni" in flag for flag in there)
        advice = (
            ""
            if vnni
            else "without VNNI, INT8 models gain little and full-range u8 x s8 ones are wrong"
        )
        yield Finding("instructions", "ok" if vnni else "note", ", ".join(there), advice)


def _cpuinfo() -> tuple[str, set[str]]:
    fields: dict[str, str] = {}
    for text in _read("/proc/cpuinfo").splitlines():
        name, _, value = text.partition(":")
        fields.setdefault(name.strip(), value.strip())
    return fields.get("model name", platform.machine()), set(fields.get("flags", "").split())


def cpu_name() -> str:
    """What the processor calls itself."""
    return _cpuinfo()[0]


def _memory() -> Iterator[Finding]:
    sizes = {}
    for text in _read("/proc/meminfo").splitlines():
        name, _, value = text.partition(":")
        sizes[name] = value
    available = sizes.get("MemAvailable", "").split()
    if not available:
        return
    gib = int(available[0]) / (1 << 20)
    limit = _read("/sys/fs/cgroup/memory.max").strip()
    held = f", this group may use {int(limit) / (1 << 30):.1f} GiB" if limit.isdigit() else ""
    enough = gib >= _MEMORY_MIN_GIB
    advice = "" if enough else "a pipeline takes about 0.2 GiB, and the model's own"
    yield Finding("memory", "ok" if enough else "warning", f"{gib:.1f} GiB free{held}", advice)


def _clock() -> Iterator[Finding]:
    source = _read("/sys/devices/system/clocksource/clocksource0/current_clocksource").strip()
    if source:
        steady = source in _STEADY_CLOCKS
        advice = "" if steady else "reading the time costs a system call; tsc is quicker"
        yield Finding("clock", "ok" if steady else "warning", source, advice)
    if sys.platform == "linux":
        answer = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
        if answer == _UNSYNCHRONISED:
            advice = "deadlines count from the producers' clocks: run chrony or the like (in a container, the host does)"
            yield Finding("time", "note", "the kernel knows of no synchronisation", advice)
        elif answer >= 0:
            yield Finding("time", "ok", "synchronised")


def _event_loop() -> Iterator[Finding]:
    try:
        import uvloop  # noqa: PLC0415 - it may be missing
    except ImportError:
        return  # said among the packages

    async def loop_name() -> str:
        return type(asyncio.get_running_loop()).__module__

    found = uvloop.run(loop_name())
    verdict: Verdict = "ok" if found.startswith("uvloop") else "warning"  # as `run` uses it
    yield Finding("event loop", verdict, found.partition(".")[0])


def _kafka_client() -> Iterator[Finding]:
    try:
        from streamproc.connectors.kafka.raw_records import install  # noqa: PLC0415 - needs aiokafka
    except ImportError:
        return
    number = _version("aiokafka")
    if install():
        yield Finding("raw records", "ok", f"active with aiokafka {number}")
    else:
        advice = "records are read the slow way, 1 to 3 us more each; aiokafka 0.14 is known"
        yield Finding("raw records", "warning", f"off with aiokafka {number}", advice)


def _brokers() -> Iterator[Finding]:
    number = _version("confluent-kafka")
    if number:
        yield Finding("embedded broker", "ok", f"confluent-kafka {number}")
    else:
        advice = "`streamproc demo` needs it, or --broker: pip install 'streamproc[embedded]'"
        yield Finding("embedded broker", "note", "not installed", advice)
    for program, why in (("java", "Kafka itself, for the tests"), ("docker", "compose files")):
        path = shutil.which(program)
        yield Finding(program, "ok" if path else "note", path or "not found", "" if path else why)


def _limits() -> Iterator[Finding]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = soft >= _FILES_MIN or soft == resource.RLIM_INFINITY
    advice = "" if enough else f"raise it: ulimit -n {_FILES_MIN}"
    yield Finding("open files", "ok" if enough else "warning", f"{soft} (at most {hard})", advice)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""


_LOOKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _python,
    _packages,
    _onnxruntime,
    _processor,
    _memory,
    _clock,
    _event_loop,
    _kafka_client,
    _brokers,
    _limits,
)
