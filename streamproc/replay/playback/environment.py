"""What decides whether outputs are the same to the last bit: the processor's features, the libraries, the threads."""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

_CPU_FLAGS: Final = (
    "avx",
    "avx2",
    "fma",
    "avx512f",
    "avx512_vnni",
    "avx_vnni",
    "amx_int8",
    "asimd",
    "sve",
)
"""Those by which numpy and onnxruntime choose their kernels."""
_PACKAGES: Final = ("numpy", "onnxruntime")


def environment() -> dict[str, str]:
    """This machine's, by name."""
    found = {
        "processor": platform.machine(),
        "cpu_flags": " ".join(_flags()),
        "python": ".".join(platform.python_version_tuple()[:2]),
    }
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def environment_differences(recorded: Mapping[str, str]) -> list[str]:
    """Where the machine of a recording is not this one, each as ``numpy 2.1.0, here 2.2.0``."""
    here = environment()
    return [
        f"{name} {told or 'none'}, here {here[name] or 'none'}"
        for name, told in recorded.items()
        if name in here and here[name] != told
    ]


def _flags() -> list[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    for one in text.splitlines():
        name, _, flags = one.partition(":")
        if name.strip() in ("flags", "Features"):
            there = set(flags.split())
            return [flag for flag in _CPU_FLAGS if flag in there]
    return []
