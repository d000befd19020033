"""What a profile says about what to do next, in words."""

from collections.abc import Iterator

from streamproc.modeling.operators.profile import ModelProfile

_HEAVY = ("Conv", "Gemm", "MatMul", "FusedConv", "FusedGemm", "FusedMatMul", "NhwcFusedConv")
_QUANTIZED = ("QLinearConv", "MatMulInteger", "DynamicQuantizeMatMul", "QGemm", "ConvInteger")
_MOST = 0.6
_LITTLE = 0.1
_FAR = 0.35
"""Below this part of the roofline something else than arithmetic and memory takes the time."""


def advice(found: ModelProfile) -> list[str]:
    """Sentences, the most important first."""
    return list(_sentences(found))


def _sentences(found: ModelProfile) -> Iterator[str]:
    total = sum(one.took_ns for one in found.fused) or 1.0
    heavy = sum(one.took_ns for one in found.fused if one.operator in _HEAVY) / total
    bytes_too = any(one.operator in _QUANTIZED for one in found.fused)
    bound = found.roofline.ridge
    intensity = found.flops / found.bytes_moved if found.bytes_moved else 0.0
    if bytes_too:
        yield "It is quantized already: what is left is a smaller model (pruning, distillation)."
    elif heavy > _MOST:
        yield (
            f"{heavy:.0%} of the time is convolutions and products of matrices: fewer channels (pruning with "
            "distillation) and INT8 are what helps; `streamproc optimize` measures both."
        )
    if heavy <= _MOST and not bytes_too:
        first = found.fused[0]
        yield (
            f"Only {heavy:.0%} of the time is convolutions and products of matrices; {first.operator} takes "
            f"{first.took_ns / total:.0%}: INT8 will not help much, look at that operator first."
        )
    if found.reached < _FAR:
        yield (
            f"It reaches {found.reached:.0%} of what this machine can do: the operators are too small to fill it. "
            "Larger batches, or fewer and larger operators."
        )
    elif intensity < bound:
        yield (
            f"It computes {intensity:.1f} operations a byte, and this machine {bound:.1f}: memory is the limit. "
            "Smaller weights (INT8, FP16) or larger batches, which read them once for all."
        )
    else:
        yield (
            f"It computes {intensity:.1f} operations a byte, and this machine {bound:.1f}: arithmetic is the limit, "
            f"of which it reaches {found.reached:.0%}. More threads, INT8, or fewer channels."
        )
    gain = found.run_one.p50 * found.batch / found.run_fused.p50
    if found.batch > 1:
        if gain > 1 + _LITTLE * 3:
            yield f"A batch of {found.batch} costs {gain:.1f} times less an event than one alone: let batches form."
        else:
            yield f"A batch of {found.batch} gains little ({gain:.1f} times): small batches answer sooner."
    fused = found.run_written.p50 / found.run_fused.p50
    if abs(fused - 1) > _LITTLE:
        yield f"Fusing brings {fused:.2f} times; onnxruntime does it when it loads the model."
    else:
        yield f"Fusing brings next to nothing here ({fused:.2f} times)."
