"""The benchmark of forty files."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.contenders import CONTENDERS, Command, Contender
from benchmarks.measure import measure
from benchmarks.results import Result, rows
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import Address, why_absent
from benchmarks.starts import load
from benchmarks.traces import load_traces

REPOSITORY = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(120)


@pytest.mark.nginx
def test_a_round_measures_every_contender_and_writes_every_report(tmp_path: Path) -> None:
    """python -m benchmarks.run --rounds 1 --only nginx/smoke --to DIRECTORY"""
    command = [sys.executable, "-m", "benchmarks.run", "--rounds", "1", "--only", "nginx/smoke", "--to", str(tmp_path)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    result = Result.load(tmp_path / "result.json")
    measured = {run.contender: run for run in result.runs}
    # Rows of third-party programs may be void; these four may not.
    for name in ("bindings of 2009", "REST of 2009", "bulkput", "plain aiohttp"):
        run = measured[name]
        assert run.void is None and run.stored_objects == 40 and run.cpu_s > 0 and run.peak_kib > 1000
    assert measured["curl -Z"].void is None and measured["curl -Z and md5sum"].void is None
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "RESULTS.md", "requests.jsonl.gz", "result.json", "results-time.png", "results-time.svg", "results.html",
        "results.png", "results.svg",
    ]  # fmt: skip
    (trace,) = load_traces(tmp_path)
    assert len(trace.requests) == 40 and all(request.is_stored for request in trace.requests)
    assert {one.contender for one in result.left_out} >= {"rclone"} - set(result.missing)


@pytest.mark.rgw
def test_contenders_store_objects_in_ceph_by_swift_and_by_s3() -> None:
    """benchmarks.run.measure: bulkput, swiftclient and rclone speak Swift; s5cmd and obstore speak S3"""
    if reason := why_absent("rgw"):
        pytest.skip(reason)
    names = ("bulkput", "python-swiftclient", "rclone", "s5cmd", "obstore")
    contenders = [each for each in CONTENDERS if each.name in names and each.version() is not None]
    for run in measure("rgw", SCENARIOS["smoke"], contenders, 1).runs:
        assert run.void is None and run.stored_objects == 40, run


@pytest.mark.parametrize(
    "server",
    [
        pytest.param("rgw-s3", marks=pytest.mark.rgw),
        pytest.param("nginx-s3", marks=pytest.mark.nginx),
    ],
)
def test_contenders_store_objects_by_s3_alone(server: str) -> None:
    """benchmarks.run.measure: those that speak no S3 are left out. bulkput sees each object proven, or it would fail"""
    if reason := why_absent(server):
        pytest.skip(reason)
    asked = [each for each in CONTENDERS if each.name != "bulkput with a journal" and each.version() is not None]
    found = measure(server, SCENARIOS["smoke"], asked, 1)
    stored = {run.contender: run for run in found.runs}
    assert {"bulkput", "bulkput on aiohttp"} <= stored.keys()
    for name in stored.keys() - {"obstore"}:  # of third-party programs this one sometimes ends badly
        assert stored[name].void is None and stored[name].stored_objects == 40, stored[name]
    left_out = {one.contender for one in found.left_out}
    assert {"REST of 2009", "plain aiohttp"} <= left_out and not left_out & stored.keys()


@pytest.mark.rgw
def test_one_file_is_measured_by_s3_beside_others() -> None:
    """python -m benchmarks.large --server rgw-s3"""
    if reason := why_absent("rgw-s3"):
        pytest.skip(reason)
    command = [sys.executable, "-m", "benchmarks.large", "--server", "rgw-s3", "--gib", "0.01", "--rounds", "1"]
    said = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    assert all(name in said for name in ("bulkput", "rclone", "CRT"))


@pytest.mark.nginx
def test_starts_are_measured_with_one_file_and_with_a_hundred(tmp_path: Path) -> None:
    """python -m benchmarks.start --rounds 1 --only nginx --to DIRECTORY"""
    command = [sys.executable, "-m", "benchmarks.start", "--rounds", "1", "--only", "nginx", "--to", str(tmp_path)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    record = load(tmp_path)
    assert record is not None and [run for run in record.runs if run.void] == []
    stored = {(run.contender, run.scenario): run.stored_objects for run in record.runs}
    for contender in {"bulkput", "curl"} - set(record.missing):
        assert (stored[contender, "one"], stored[contender, "hundred"]) == (1, 100)
    assert {("python -c pass", "alone"), ("bulkput --help", "alone")} <= stored.keys()
    assert all(run.wall_s > 0 and run.cpu_s > 0 for run in record.runs)


def elsewhere(address: Address, tree: Path) -> Command:
    """Succeeds, but stores into another container."""
    away = address.http.replace(address.container, "elsewhere")
    return Command((sys.executable, "-m", "bulkput", "upload", "-q", str(tree), away), {})


def in_part(address: Address, tree: Path) -> Command:
    """Exits with code 0 but leaves a file out."""
    return Command(
        (sys.executable, "-m", "bulkput", "upload", "-q", "--exclude", "000007*", str(tree), address.http), {}
    )


@pytest.mark.nginx
def test_a_contender_that_loses_objects_is_void() -> None:
    """benchmarks.run.measure: the objects in the container decide, not the contender's exit code."""
    contenders = [
        Contender(name="elsewhere", version=lambda: "1", command=elsewhere),
        Contender(name="in part", version=lambda: "1", command=in_part),
    ]
    table = rows(measure("nginx", SCENARIOS["smoke"], contenders, 1).runs)
    assert [row.void for row in table] == [
        "1 of 1 rounds: stored 0 of 40 objects", "1 of 1 rounds: stored 39 of 40 objects"
    ]  # fmt: skip


@pytest.mark.nginx
def test_a_server_that_drops_every_50th_object_voids_the_row(tmp_path: Path) -> None:
    """benchmarks.run.measure: the server answers 201 without an ETag, so only counting the objects finds the loss."""
    hundred = replace(SCENARIOS["smoke"], count=100)
    bulkput = [contender for contender in CONTENDERS if contender.name == "bulkput"]
    (row,) = rows(measure("forgetful", hundred, bulkput, 1).runs)
    assert row.void == "1 of 1 rounds: stored 98 of 100 objects"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--only", "nginx/huge"], "write SERVER/SCENARIO"),
        (["--contenders", "nobody"], "choose from"),
        (["--rounds", "0"], "1 or more"),
    ],
)
def test_bench_answers_wrong_arguments_with_one_sentence(arguments: list[str], says: str) -> None:
    """scripts/bench with wrong arguments"""
    command = [sys.executable, "-m", "benchmarks.run", *arguments]
    ran = subprocess.run(command, cwd=REPOSITORY, check=False, capture_output=True, text=True)
    assert ran.returncode == 2 and says in ran.stderr and "Traceback" not in ran.stderr
