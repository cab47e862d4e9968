"""What the benchmark of compression makes of its records."""

from pathlib import Path

from benchmarks.compression import BASE, NOTHING, Face, Record, Section, Step, Upload, sections
from benchmarks.cores import Usage
from benchmarks.report import markdown
from tests.unit.test_bench_results import result

ISAL = "isal level 2"


def upload(way: str, number: int, wall_s: float, *, processors: int = 1, others_s: float = 0.0) -> Upload:
    return Upload(
        server="nginx", way=way, processors=processors, round=number, source_bytes=100_000_000, sent_bytes=25_000_000,
        wall_s=wall_s, cpu_s=wall_s, servers_s=0.1, others_s=others_s,
    )  # fmt: skip


def face(way: str, workers: int, wall_s: float) -> Face:
    return Face(way=way, workers=workers, round=1, source_bytes=10**8, wall_s=wall_s, cpu_s=1.0, others_s=0.0)


def record() -> Record:
    return Record(
        command="scripts/bench gzip", machine={"processor": "2 x a"}, source="16 files",
        uploads=[
            upload(BASE, 1, 10.0), upload(ISAL, 1, 2.0), upload(ISAL, 1, 1.0, processors=2),
            upload(BASE, 2, 20.0), upload(ISAL, 2, 2.0), upload(ISAL, 2, 2.0, processors=2, others_s=1.5),
        ],
        faces=[face(BASE, 1, 4.0), face(ISAL, 1, 0.5), face(ISAL, 2, 0.25)],
        steps=[Step(way=ISAL, name="MD5", round=number, cpu_s=0.5) for number in (1, 2)],
    )  # fmt: skip


def section(title: str) -> Section:
    return next(one for one in sections(record()) if title in one.title)


def test_libraries_are_compared_within_a_round() -> None:
    """The speed of the machine drifts between rounds, so ratios across rounds would be wrong."""
    line = section("whole processes").lines[1]
    assert line[:3] == (ISAL, "1", "50 (50 to 50)")
    assert line[6:8] == ("4.00", "7.50 (5.00 to 10.00)")


def test_the_gain_of_a_second_processor_is_shown_for_quiet_rounds_too() -> None:
    """In round 2, other programs used the second processor."""
    lines = section("two processors").lines
    assert ("nginx", ISAL, "1.50 (1.00 to 2.00)", "2.00 (2.00 to 2.00)", "1 of 2") in lines


def test_an_interface_is_compared_with_zlib_and_with_one_worker() -> None:
    """The cell for zlib is empty if it was not measured."""
    one, two = section("face").lines[1:]
    assert (one[5], one[6]) == ("8.00 (8.00 to 8.00)", "1.00 (1.00 to 1.00)")
    assert (two[5], two[6]) == ("", "2.00 (2.00 to 2.00)")


def test_the_rest_of_the_cpu_time_belongs_to_no_measured_step() -> None:
    """The whole process is measured on the fewest processors."""
    assert [line[1] for line in section("client's CPU").lines] == ["0.50 (0.50 to 0.50)", "1.50", "2.00 (2.00 to 2.00)"]


def test_a_gzip_record_is_saved_and_shown_in_the_results(tmp_path: Path) -> None:
    """Without a record, the results have no section on compression."""
    assert Record.load(tmp_path) is None
    record().save(tmp_path)
    assert Record.load(tmp_path) == record()
    assert "Compression" not in markdown(result(), [], [])
    text = markdown(result(), [], [], record())
    assert f"| {ISAL} | 1 | 50 (50 to 50) |" in text and "`scripts/bench gzip` made these, on 2 x a." in text


def test_a_comparison_without_counterparts_leaves_no_section() -> None:
    """An example is a run with `--only nginx` on one processor."""
    alone = Record(command="", machine={}, source="", uploads=[upload(NOTHING, 1, 1.0)], faces=[], steps=[])
    assert [one.title for one in sections(alone)] == ["Compression, whole processes to nginx: "]


def test_cpu_time_of_other_programs_excludes_our_processes() -> None:
    """Stolen time counts as theirs; the difference of clocks with different grain is never negative."""
    before = Usage(busy_s=1.0, stolen_s=1.0, own_s=1.0, servers_s=1.0)
    assert Usage(busy_s=6.0, stolen_s=1.5, own_s=3.0, servers_s=2.0).since(before).others_s == 2.5
    assert Usage(busy_s=1.5, stolen_s=1.0, own_s=1.6, servers_s=1.0).since(before).others_s == 0.0
