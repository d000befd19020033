"""Where the operators of onnxruntime-extensions are: texts, tokenizers, images, audio, as parts of a graph."""

from typing import Final

EXTENSIONS: Final = "onnxruntime_extensions"
"""Stands in ``custom_ops`` for the library of the package of that name."""


def extensions_library() -> str:
    """The library's file.

    Raises:
        ImportError: the package is not installed.
    """
    import onnxruntime_extensions  # noqa: PLC0415 - an extra

    return str(onnxruntime_extensions.get_library_path())
