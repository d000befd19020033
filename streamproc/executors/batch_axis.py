"""What a model's first axis says of the batches that it takes."""

from collections.abc import Collection

from streamproc.core import ConfigError, Problem


def batch_max_of(fixed: Collection[int], path: str, key: str) -> int | None:
    """The largest batch that a model takes: 1 where its first axis is fixed so, None where it is not fixed.

    Args:
        fixed: the sizes of its inputs' first axes, of those that are fixed.
        path: its file.
        key: where it stands in the configuration.

    Raises:
        ConfigError: it is fixed at another size, which no batch of events keeps to.
    """
    if any(size != 1 for size in fixed):
        text = (
            f"{path} takes batches of exactly {max(fixed)}: export it with a dynamic first axis, "
            "or with 1"
        )
        raise ConfigError(Problem(text, f"{key}.path"))
    return 1 if fixed else None
