"""Where small files are read."""

from hypothesis import given
from hypothesis import strategies as st

from bulkput.policy.reading import LOOP_MAX_SIZE, ReadPlacement

CACHED_S, COLD_S = 0.00003, 0.008


def read(reading: ReadPlacement, elapsed_s: float, count: int) -> int:
    """So many small files that each take so long; how many of them held the loop."""
    on_loop = 0
    for _ in range(count):
        if reading.takes(100):
            on_loop += 1
            reading.took(elapsed_s)
    return on_loop


def test_what_is_in_the_page_cache_is_read_on_the_loop() -> None:
    """Every file of it."""
    assert read(ReadPlacement(), CACHED_S, 1000) == 1000


def test_a_slow_disk_is_left_to_threads_after_a_few_files() -> None:
    """And tried again more and more seldom."""
    reading = ReadPlacement()
    assert read(reading, COLD_S, 1) == 1
    assert read(reading, COLD_S, 10) <= 3
    assert not reading.is_on_loop
    assert read(reading, COLD_S, 100_000) <= 20


def test_a_disk_that_becomes_quick_is_noticed() -> None:
    """By the next file that is read on the loop."""
    reading = ReadPlacement()
    read(reading, COLD_S, 500)
    assert not reading.is_on_loop
    read(reading, CACHED_S, 1000)
    assert reading.is_on_loop and reading.average_s < 0.0005


def test_one_slow_file_among_many_changes_nothing() -> None:
    """It is the average that counts."""
    reading = ReadPlacement()
    for _ in range(50):
        reading.took(COLD_S)
        assert reading.is_on_loop
        assert read(reading, CACHED_S, 100) == 100


def test_large_files_go_to_threads_always() -> None:
    """To read and hash them would hold the loop."""
    assert ReadPlacement().takes(LOOP_MAX_SIZE)
    assert not ReadPlacement().takes(LOOP_MAX_SIZE + 1)


def test_where_reads_may_hang_no_file_is_tried_on_the_loop() -> None:
    """However many there are, and however quick they would be."""
    assert read(ReadPlacement(may_hold_loop=False), CACHED_S, 100_000) == 0


@given(st.lists(st.floats(0, 10), max_size=200))
def test_the_change_is_told_when_it_happens_and_only_then(times: list[float]) -> None:
    """Besides once, when the average begins to say something."""
    reading = ReadPlacement()
    reads = 0
    for elapsed_s in times:
        before = reading.is_on_loop
        if reading.takes(1):
            reads += 1
            told = reading.took(elapsed_s)
            assert told == (reading.is_on_loop != before) or (told and reads == 64)
