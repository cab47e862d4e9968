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


def test_cached_files_are_read_on_the_event_loop() -> None:
    """Every file of it."""
    assert read(ReadPlacement(), CACHED_S, 1000) == 1000


def test_a_slow_disk_is_read_in_threads_after_a_few_files() -> None:
    """The event loop is tried again at growing intervals."""
    reading = ReadPlacement()
    assert read(reading, COLD_S, 1) == 1
    assert read(reading, COLD_S, 10) <= 3
    assert not reading.is_on_loop
    assert read(reading, COLD_S, 100_000) <= 20


def test_a_disk_that_becomes_fast_is_read_on_the_loop_again() -> None:
    """The next file that is tried on the loop shows it."""
    reading = ReadPlacement()
    read(reading, COLD_S, 500)
    assert not reading.is_on_loop
    read(reading, CACHED_S, 1000)
    assert reading.is_on_loop and reading.average_s < 0.0005


def test_one_slow_file_among_many_changes_nothing() -> None:
    """The average decides."""
    reading = ReadPlacement()
    for _ in range(50):
        reading.took(COLD_S)
        assert reading.is_on_loop
        assert read(reading, CACHED_S, 100) == 100


def test_large_files_are_always_read_in_threads() -> None:
    """Reading and hashing them would block the event loop."""
    assert ReadPlacement().takes(LOOP_MAX_SIZE)
    assert not ReadPlacement().takes(LOOP_MAX_SIZE + 1)


def test_no_file_is_tried_on_the_loop_if_reads_may_hang() -> None:
    """This holds for any number and speed of files."""
    assert read(ReadPlacement(may_hold_loop=False), CACHED_S, 100_000) == 0


@given(st.lists(st.floats(0, 10), max_size=200))
def test_a_change_of_placement_is_reported_once(times: list[float]) -> None:
    """The first report comes when the average becomes meaningful."""
    reading = ReadPlacement()
    reads = 0
    for elapsed_s in times:
        before = reading.is_on_loop
        if reading.takes(1):
            reads += 1
            told = reading.took(elapsed_s)
            assert told == (reading.is_on_loop != before) or (told and reads == 64)
