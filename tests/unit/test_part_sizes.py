"""In which parts an object may have been sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.options import MIB
from bulkput.policy.part_sizes import Layouts, layouts
from bulkput.policy.parts import FILE_PART, STREAM_PART

GIB = 1024 * MIB


def first_sizes(size: int, count: int) -> list[int]:
    return [layout[0] for layout in layouts(size, count, None).each]


@pytest.mark.parametrize(
    ("size", "part_size"),
    [
        (100 * MIB + 1, 8 * MIB),  # aws-cli, boto3, CRT
        (100 * MIB, 5 * MIB),  # rclone, AWS SDK for Go
        (201 * MIB, 50 * MIB),  # s5cmd
        (100 * MIB, 15 * MIB),  # s3cmd
        (100 * MIB, 16 * MIB),  # mc
        (1000 * MIB, 64 * MIB),
        (1000 * MIB, 128 * MIB),
        (2 * GIB, FILE_PART),
        (3 * GIB + 7, STREAM_PART),
        (200 * GIB, 21 * MIB),  # rclone and others, if parts of their own size were too many
        (60_000_000_001, 6_000_001),  # AWS SDK for Go, in the same case
        (2000 * MIB, 17 * MIB),
        (9 * MIB, 6 * MIB),
    ],
)
def test_the_part_size_of_a_program_is_among_the_guesses(size: int, part_size: int) -> None:
    """There are four at most."""
    found = first_sizes(size, -(-size // part_size))
    assert part_size in found
    assert len(found) <= 4


def test_what_the_store_tells_is_certain() -> None:
    """Also if the parts are not equal."""
    assert layouts(10, 3, (5, 1, 4)) == Layouts(((5, 1, 4),), are_certain=True)


@pytest.mark.parametrize("told", [(5, 4), (5, 1, 5), (5, 5), ()])
def test_what_does_not_add_up_is_as_if_it_were_not_told(told: tuple[int, ...]) -> None:
    """The object was overwritten meanwhile, for example."""
    assert layouts(10 * MIB, 3, told) == layouts(10 * MIB, 3, None)
    assert not layouts(10 * MIB, 3, None).are_certain


def test_one_part_is_the_whole_object_and_proves_nothing_else() -> None:
    """MinIO without MD5s gives a random ETag that ends in -1."""
    assert layouts(7, 1, None) == layouts(7, 1, (7,)) == Layouts(((7,),))
    assert layouts(0, 1, None) == Layouts(((0,),))


@given(st.integers(0, 5 * 1024 * GIB), st.integers(1, 10_000))
def test_each_guess_has_that_many_parts_of_that_size_in_all(size: int, count: int) -> None:
    """They are equal but for the last, and no guess comes twice."""
    found = layouts(size, count, None).each
    assert len(set(found)) == len(found) <= 4
    for layout in found:
        assert (len(layout), sum(layout)) == (count, size)
        assert len(set(layout[:-1])) <= 1
        assert layout[-1] <= layout[0]


@given(st.integers(1, 5_000), st.integers(100, 10_000), st.integers(1, MIB))
def test_of_many_parts_a_whole_number_of_mib_is_found(mib: int, count: int, last: int) -> None:
    """From a hundred parts of 100 MiB on there is hardly another."""
    size = mib * MIB * (count - 1) + last
    assert mib > count or mib * MIB in first_sizes(size, count)
