"""onnxruntime's settings of a session, of the options that a user can set."""

from typing import Any, Final

from streamproc.executors.runtimes import OnnxRuntime

_ERROR: Final = 3
"""onnxruntime's log severity: its warnings are about the model's making, not about the running."""
_LEVELS: Final = {
    "none": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}


def session_options(options: OnnxRuntime) -> Any:  # noqa: ANN401 - onnxruntime has no types
    """The ``SessionOptions`` that say it.

    Args:
        options: what the user set.
    """
    import onnxruntime  # noqa: PLC0415 - 0.1 s that no other command needs

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.intra_op_threads
    settings.inter_op_num_threads = options.inter_op_threads
    settings.log_severity_level = _ERROR
    settings.enable_cpu_mem_arena = options.arena
    level = _LEVELS[options.graph_optimization]
    settings.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    if options.execution_mode == "parallel":
        settings.execution_mode = onnxruntime.ExecutionMode.ORT_PARALLEL
    if not options.spinning:
        for kind in ("intra", "inter"):
            settings.add_session_config_entry(f"session.{kind}_op.allow_spinning", "0")
    return settings
