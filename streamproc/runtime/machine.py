"""What decides, beside the pipeline, whether it gives the same bytes again: processor, libraries, threads."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

_FLAGS: Final = (
    *("sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512_vnni"),
    *("avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16", "asimd", "asimddp", "sve", "bf16", "i8mm"),
)
"""Instructions for which the libraries have kernels of their own."""
_LIBRARIES: Final = ("numpy", "onnxruntime")


def machine_facts() -> dict[str, str]:
    """The facts by name, as a recording keeps them."""
    name, flags = _processor()
    facts = {
        "machine": platform.machine(),
        "processor": name,
        "cpu_features": " ".join(flag for flag in _FLAGS if flag in flags),
        "cores": str(len(os.sched_getaffinity(0))),
        "python": platform.python_version(),
    }
    for library in _LIBRARIES:
        try:
            facts[library] = version(library)
        except PackageNotFoundError:
            continue
    return facts


def _processor() -> tuple[str, frozenset[str]]:
    """Its name and flags, as Linux tells them; empty elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", frozenset()
    values: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        values.setdefault(name.strip(), value.strip())
    flags = values.get("flags") or values.get("Features") or ""
    return values.get("model name", ""), frozenset(flags.split())
