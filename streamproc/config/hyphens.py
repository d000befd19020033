"""Keys whose values may be written with hyphens, as other systems write them: ``exactly-once``."""

from streamproc.config.tree import Node

_HYPHENED = ("delivery",)


def unhyphen(root: Node) -> None:
    """Write such values as they are meant.

    Args:
        root: the tree, changed.
    """
    for key in _HYPHENED:
        node = root.at((key,))
        if node is not None and isinstance(node.value, str):
            node.value = node.value.replace("-", "_")
