"""What the benchmark makes of the runs of `scripts/bench start`."""

from dataclasses import replace
from pathlib import Path

from benchmarks.results import LeftOut, Result
from benchmarks.starts import FILE, load, sections
from tests.unit.test_bench_results import result, run


def starts() -> Result:
    runs = [
        run("bulkput", 1, 0.4, scenario="one", cpu_s=0.2), run("rclone", 1, 0.2, scenario="one", cpu_s=0.1),
        run("bulkput", 2, 0.8, scenario="one", cpu_s=0.4), run("rclone", 2, 0.8, scenario="one", cpu_s=0.1),
        run("curl", 1, 0.1, scenario="one", void="exit code 7"),
        run("python -c pass", 1, 0.01, server="no server", scenario="alone", cpu_s=0.01),
        run("bulkput --help", 1, 0.05, server="no server", scenario="alone", cpu_s=0.03),
    ]  # fmt: skip
    return replace(
        result(),
        runs=runs,
        scenarios={"one": "1 file", "alone": "alone"},
        left_out=[LeftOut(server="nginx", scenario="one", contender="s5cmd", why="S3")],
    )


def test_starts_are_compared_within_a_round_with_bulkput_or_with_the_floor() -> None:
    """A table for each place, in milliseconds: medians with the extremes; void rows and left-out ones say why."""
    uploads, alone = sections(starts())
    assert uploads.title == "Start: nginx, 1 file"
    assert uploads.lines == [
        ("bulkput", "600 (400 to 800)", "300 (200 to 400)", "1.00 (1.00 to 1.00)", "1.00 (1.00 to 1.00)"),
        ("rclone", "500 (200 to 800)", "100 (100 to 100)", "0.75 (0.50 to 1.00)", "0.38 (0.25 to 0.50)"),
        ("curl", "void: exit code 7", "", "", ""),
        ("s5cmd", "left out: S3", "", "", ""),
    ]
    assert alone.columns[-1] == "CPU / that of python -c pass"
    assert alone.lines[1] == (
        "bulkput --help", "50 (50 to 50)", "30 (30 to 30)", "5.00 (5.00 to 5.00)", "3.00 (3.00 to 3.00)"
    )  # fmt: skip


def test_a_directory_without_a_record_of_starts_has_none(tmp_path: Path) -> None:
    """The record is a result like any other."""
    assert load(tmp_path) is None
    starts().save(tmp_path / FILE)
    assert load(tmp_path) == starts()
