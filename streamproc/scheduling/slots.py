"""How many batches may run at the same time."""


class Slots:
    """Counts batches; schedulers whose batches run on the same executor share one.

    Args:
        total: how many may run at the same time.

    Attributes:
        total: how many may run at the same time.
        free: how many more may begin.
    """

    __slots__ = ("free", "total")

    def __init__(self, total: int) -> None:
        self.total = self.free = total
