"""What the benchmark makes of its records."""

from pathlib import Path

import pytest

from benchmarks.report import HERE, cells, html, markdown, pictures, places, readme_part, with_results
from benchmarks.results import LeftOut, Result, Run, Spread, rows, why_void
from benchmarks.scenarios import SCENARIOS, make_tree, sizes
from benchmarks.traces import Latency, Request, Trace, bin_width_s, latency, load_traces, save_traces, throughput


def run(contender: str, number: int, wall_s: float, **different: object) -> Run:
    facts = {
        "server": "nginx", "scenario": "small", "contender": contender, "round": number, "objects": 100, "bytes": 1000,
        "wall_s": wall_s, "cpu_s": 0.5, "peak_kib": 2048, "exit_code": 0, "stored_objects": 100, "stored_bytes": 1000,
        "void": None,
    }  # fmt: skip
    return Run(**{**facts, **different})  # type: ignore[arg-type]


RUNS = [
    run("bulkput", 1, 1.0), run("slow", 1, 3.0), run("bulkput", 2, 2.0), run("slow", 2, 8.0),
    run("liar", 1, 0.1, void="stored 98 of 100 objects"), run("liar", 2, 0.1),
]  # fmt: skip


def result() -> Result:
    return Result(
        command="python -m benchmarks.run", machine={"processor": "2 x a"}, versions={"bulkput": "1"},
        notes={"slow": "<b>HEAD</b> | PUT"}, missing=["s5cmd"], runs=RUNS, scenarios={"small": "5 files"},
        left_out=[LeftOut(server="nginx", scenario="small", contender="rclone", why="an ETag")],
    )  # fmt: skip


TRACES = [
    Trace(server="nginx", scenario="small", round=1, requests=[
        Request(0.1 * second, 0.05, is_stored=second != 7) for second in range(100)
    ])
]  # fmt: skip


def test_a_row_has_the_median_and_the_extremes_of_its_rounds() -> None:
    """The figures are per object."""
    bulkput = rows(RUNS)[0]
    assert bulkput.objects_per_s == Spread(75.0, 50.0, 100.0)
    assert bulkput.cpu_us_per_object == Spread(5000.0, 5000.0, 5000.0)
    assert bulkput.peak_mib == Spread(2.0, 2.0, 2.0)


def test_contenders_are_compared_within_a_round() -> None:
    """The speed of the machine drifts between rounds, so ratios across rounds would be wrong."""
    assert rows(RUNS)[1].times_slower == Spread(3.5, 3.0, 4.0)


def test_one_void_round_voids_the_row() -> None:
    """An upload that loses files gets no rate."""
    liar = rows(RUNS)[2]
    assert liar.void == "1 of 2 rounds: stored 98 of 100 objects"
    assert (liar.objects_per_s, liar.cpu_us_per_object, liar.times_slower) == (None, None, None)
    assert ("liar", "void", "", "", "", "1 of 2 rounds: stored 98 of 100 objects") in table_of_nginx()


def table_of_nginx() -> list[tuple[str, ...]]:
    return cells("nginx", "small", rows(RUNS), result())


@pytest.mark.parametrize(
    ("different", "reason"),
    [
        ({}, None),
        ({"exit_code": 1}, "exit code 1: the last line"),
        ({"stored_objects": 98}, "stored 98 of 100 objects"),
        ({"stored_objects": 101}, "stored 101 of 100 objects"),
        ({"stored_bytes": 999}, "stored 999 of 1000 bytes"),
    ],
)
def test_a_run_counts_only_when_everything_is_stored(different: dict[str, object], reason: str | None) -> None:
    """The exit code, the number of objects and the bytes must match."""
    assert why_void(run("x", 1, 1.0, **different), said="first\nthe last line") == reason


def test_saving_and_loading_a_result_gives_it_back(tmp_path: Path) -> None:
    """The file is JSON."""
    result().save(tmp_path / "r.json")
    assert Result.load(tmp_path / "r.json") == result()


def test_every_report_has_the_missing_contenders_and_the_command() -> None:
    """A reader sees what was left out and can repeat the run."""
    for text in (markdown(result(), rows(RUNS), TRACES), html(result(), rows(RUNS), TRACES)):
        assert "s5cmd" in text and "python -m benchmarks.run" in text and "1 of 2 rounds: stored 98" in text
        assert "left out" in text and "an ETag" in text
    assert "<b>HEAD" not in html(result(), rows(RUNS), TRACES)


def test_each_server_gets_a_chart_and_all_share_one_over_time() -> None:
    """The README shows the chart of the first server."""
    further = [run("bulkput", 1, 1.0, server="further"), *RUNS]
    assert list(pictures(rows(further), TRACES, result())) == ["results", "results-2", "results-time"]
    assert list(pictures(rows(RUNS), [], result())) == ["results"]


def test_servers_that_users_have_come_first() -> None:
    """The README shows Ceph RGW, or the real Swift where that was not measured, and nginx only if neither was."""
    swift, rgw = run("bulkput", 1, 1.0, server="swift"), run("bulkput", 1, 1.0, server="Ceph RGW")
    assert places(rows([*RUNS, swift, rgw])) == [("Ceph RGW", "small"), ("swift", "small"), ("nginx", "small")]
    for runs, server in (([*RUNS, swift, rgw], "Ceph RGW"), ([*RUNS, swift], "swift"), (RUNS, "nginx")):
        assert f"![Uploading to {server}]" in readme_part(result(), rows(runs))
        assert pictures(rows(runs), [], result())["results"].title == f"Uploading to {server}"


def test_a_latency_percentile_is_a_measured_value() -> None:
    """Percentiles use the nearest rank of the stored requests, in milliseconds."""
    requests = [Request(0, number / 1000, is_stored=True) for number in range(1, 201)]
    assert latency([*requests, Request(0, 9.0, is_stored=False)]) == Latency(100.0, 180.0, 198.0, 200.0)
    assert latency(requests[:1]) == Latency(1.0, 1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="stored"):
        latency([])


def test_throughput_counts_stored_objects_per_bin() -> None:
    """A bin that the end of the run cuts short is left out, since it would look like a drop."""
    assert bin_width_s(TRACES) == 0.5
    points = throughput(TRACES[0].requests, 0.5)
    assert points[:2] == [(0.25, 10.0), (0.75, 8.0)] and len(points) == 19


def test_saving_and_loading_traces_gives_them_back(tmp_path: Path) -> None:
    """A directory without traces gives an empty list."""
    assert load_traces(tmp_path) == []
    save_traces(TRACES, tmp_path)
    assert load_traces(tmp_path) == TRACES


def test_the_readme_shows_the_committed_results() -> None:
    """The table is generated from benchmarks/result.json."""
    readme = (HERE.parent / "README.md").read_text()
    committed = Result.load(HERE / "result.json")
    assert with_results(readme, readme_part(committed, rows(committed.runs))) == readme
    with pytest.raises(ValueError, match="results"):
        with_results("no marks", "part")


@pytest.mark.parametrize("name", ["smoke", "mixed"])
def test_a_scenario_makes_the_same_tree_every_time(tmp_path: Path, name: str) -> None:
    """Its seed determines the number, sizes and bytes of the files."""
    scenario = SCENARIOS[name]
    assert list(sizes(scenario)) == list(sizes(scenario))
    if name == "smoke":
        first, second = make_tree(scenario, tmp_path / "a"), make_tree(scenario, tmp_path / "b")
        assert (first.count, first.bytes) == (second.count, second.bytes) == (scenario.count, sum(sizes(scenario)))
        for path in first.path.rglob("*.bin"):
            assert path.read_bytes() == (second.path / path.relative_to(first.path)).read_bytes()
