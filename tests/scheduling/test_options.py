"""What a user can set of the scheduler."""

import pytest

from streamproc.scheduling import Batching
from streamproc.scheduling.options import SIZE_MAX


@pytest.mark.parametrize("size", [1, SIZE_MAX])
def test_sizes_that_can_be(size: int) -> None:
    assert Batching(max_size=size).max_size == size


@pytest.mark.parametrize("size", [0, -1, SIZE_MAX + 1])
def test_sizes_that_cannot_be(size: int) -> None:
    with pytest.raises(ValueError, match=f"max_size must be from 1 to {SIZE_MAX}, was {size}"):
        Batching(max_size=size)
