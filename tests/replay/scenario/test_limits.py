import pytest

from streamproc.replay.scenario import Limit


def test_numbers_and_shares() -> None:
    assert Limit(equals=12).allows(12, 100)
    assert not Limit(equals=12).allows(13, 100)
    assert Limit(min_share=0.5, max=60).allows(50, 100)
    assert not Limit(min_share=0.5).allows(49, 100)
    assert not Limit(max_share=0.01).allows(2, 100)
    assert not Limit(min=3).allows(2, 100)
    assert Limit().allows(7, 100)


def test_for_people() -> None:
    assert str(Limit(min_share=0.99, max=7)) == "at most 7, at least 99%"


def test_what_is_no_share() -> None:
    with pytest.raises(ValueError, match=r"a share must be from 0 to 1, was 1\.2"):
        Limit(max_share=1.2)
