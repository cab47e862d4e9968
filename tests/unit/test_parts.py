"""Which files are sent in parts, and where they are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.errors import UsageError
from bulkput.model import Limits, ObjectHeaders
from bulkput.options import MIB, LargeOptions
from bulkput.policy.parts import FILE_PART, STREAM_PART, Cut, cut, is_large, living, stream_part_size, version

GIB = 1024 * MIB
SWIFT = Limits(max_parts=1000)
SMALL = Limits(max_object_bytes=100, max_parts=10, min_part_bytes=20)


@pytest.mark.parametrize(
    ("size", "options", "limits", "expected"),
    [
        (GIB, LargeOptions(), SWIFT, False),
        (GIB + 1, LargeOptions(), SWIFT, True),
        (GIB + 1, LargeOptions(mode="never"), SWIFT, False),
        (GIB + 1, LargeOptions(), Limits(), False),  # the store takes no parts
        (6 * GIB, LargeOptions(above=9 * GIB), SWIFT, True),  # it does not fit one request
        (1, LargeOptions(above=0), SWIFT, True),
        (0, LargeOptions(above=0), SWIFT, False),  # there is nothing to cut
    ],
)
def test_large_files_are_sent_in_parts(size: int, options: LargeOptions, limits: Limits, expected: bool) -> None:
    """The table is in policy/parts.py."""
    assert is_large(size, options, limits) is expected


@pytest.mark.parametrize(
    ("size", "asked", "limits", "count", "part_size"),
    [
        (2 * GIB, None, SWIFT, 8, FILE_PART),
        (2 * GIB + 1, None, SWIFT, 9, FILE_PART),
        (3 * GIB, 64 * MIB, SWIFT, 48, 64 * MIB),
        (250 * GIB, None, SWIFT, 1000, FILE_PART),
        (250 * GIB + 1, None, SWIFT, 997, 257 * MIB),  # in whole MiB
        (1000 * SWIFT.max_object_bytes, None, SWIFT, 1000, SWIFT.max_object_bytes),
        (10 * GIB, 9 * GIB, SWIFT, 2, SWIFT.max_object_bytes),  # larger than the store takes
        (3, 1, SWIFT, 3, 1),
        (90, 10, SMALL, 5, 20),  # smaller than the store takes
        (1000, 1, SMALL, 10, 100),
    ],
)
def test_parts_have_the_size_asked_for_unless_the_store_wants_another(
    size: int, asked: int | None, limits: Limits, count: int, part_size: int
) -> None:
    """So that a file of any size fits that the store can hold."""
    made = cut(size, LargeOptions(part_size=asked), limits)
    assert (made.count, made.part_size) == (count, part_size)


LIMITS = st.builds(
    lambda most, parts, least: Limits(max_object_bytes=most, max_parts=parts, min_part_bytes=min(least, most)),
    st.integers(1, 10**6),
    st.integers(2, 200),
    st.integers(1, 10**6),
)


@given(limits=LIMITS, asked=st.one_of(st.none(), st.integers(1, 10**7)), share=st.floats(0, 1))
def test_parts_cover_the_file_without_gap_or_overlap(limits: Limits, asked: int | None, share: float) -> None:
    """For any size that the store can hold, any limits and any wish."""
    size = max(1, int(limits.max_total_bytes * share))
    parts = list(cut(size, LargeOptions(part_size=asked), limits))
    assert [part.number for part in parts] == list(range(1, len(parts) + 1))
    assert len(parts) <= limits.max_parts
    at = 0
    for part in parts:
        assert part.offset == at
        assert 1 <= part.size <= limits.max_object_bytes
        at += part.size
    assert at == size
    assert all(part.size >= limits.min_part_bytes for part in parts[:-1])


@given(limits=LIMITS, asked=st.one_of(st.none(), st.integers(1, 10**7)))
def test_parts_of_a_stream_never_shrink_and_fit_the_store(limits: Limits, asked: int | None) -> None:
    """Each is within the store's bounds, and only as many are asked for as it takes."""
    options = LargeOptions(part_size=asked)
    sizes = [stream_part_size(number, options, limits) for number in range(1, limits.max_parts + 1)]
    assert sizes == sorted(sizes)
    assert all(limits.min_part_bytes <= size <= limits.max_object_bytes for size in sizes)


@given(limits=LIMITS, asked=st.one_of(st.none(), st.integers(1, 10**7)), share=st.floats(0, 1))
def test_a_stream_of_expected_length_fits_in_equal_parts(limits: Limits, asked: int | None, share: float) -> None:
    """Its length is known, so nothing has to grow."""
    size = max(1, int(limits.max_total_bytes * share))
    options = LargeOptions(part_size=asked, expect_size=size)
    assert {stream_part_size(number, options, limits) for number in (1, 2, limits.max_parts)} == {
        stream_part_size(1, options, limits)
    }
    assert stream_part_size(1, options, limits) * limits.max_parts >= size


def test_a_stream_of_unknown_length_fits_130_gib() -> None:
    """The first 16 GiB in parts of 32 MiB: the memory for them is bounded by `large.held`."""
    sizes = [stream_part_size(number, LargeOptions(), SWIFT) for number in range(1, 1001)]
    assert sum(sizes) > 130 * GIB
    assert sizes[:501] == [STREAM_PART] * 501
    assert max(sizes) == 16 * STREAM_PART


@given(
    one=st.tuples(st.integers(-(10**18), 10**18), st.integers(1, 10**12), st.integers(1, 10**9)),
    other=st.tuples(st.integers(-(10**18), 10**18), st.integers(1, 10**12), st.integers(1, 10**9)),
    lives=st.tuples(st.one_of(st.none(), st.integers(1, 10**9)), st.one_of(st.none(), st.integers(1, 10**9))),
)
def test_versions_differ_if_time_size_cut_or_life_do(
    one: tuple[int, int, int], other: tuple[int, int, int], lives: tuple[int | None, int | None]
) -> None:
    """So the parts of two versions never mix."""
    texts = [
        living(version(mtime_ns, Cut(size, part_size)), ObjectHeaders(expires_in_s=life_s))
        for (mtime_ns, size, part_size), life_s in zip((one, other), lives, strict=True)
    ]
    assert (texts[0] == texts[1]) == ((one, lives[0]) == (other, lives[1]))


@pytest.mark.parametrize("md5", ["", "abc", "g" * 32, "a" * 33, "é" * 32])
def test_an_md5_that_is_none_is_refused(md5: str) -> None:
    """A typing error would fail the upload after all its bytes are sent."""
    with pytest.raises(UsageError, match="32 digits"):
        LargeOptions(expect_md5=md5)


def test_a_stream_to_a_store_without_parts_is_held_only_as_far_as_was_asked_for() -> None:
    """However long it is expected to be: it would all be in memory."""
    limits = Limits()
    assert stream_part_size(1, LargeOptions(expect_size=5 * GIB), limits) == STREAM_PART
    assert stream_part_size(1, LargeOptions(expect_size=5 * GIB, part_size=2 * GIB), limits) == 2 * GIB


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        (ObjectHeaders(), "v"),
        (ObjectHeaders(expires_in_s=60), "vx60"),
        (ObjectHeaders(extra=(("X-Delete-After", "60"),)), "vx60"),
        (ObjectHeaders(extra=(("x-delete-at", "1800000000"), ("Color", "red"))), "vx1800000000"),
    ],
)
def test_parts_of_an_object_that_expires_are_of_another_version(headers: ObjectHeaders, text: str) -> None:
    """In whatever way the expiry is given."""
    assert living("v", headers) == text
