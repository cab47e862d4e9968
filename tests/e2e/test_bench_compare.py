"""`benchmarks.compare` of two revisions or two results."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from benchmarks.results import Result, Run

REPOSITORY = Path(__file__).parents[2]
COMPARE = (sys.executable, "-m", "benchmarks.compare")


def environ(temporary: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(temporary)}


def compare(temporary: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMPARE, *arguments], cwd=REPOSITORY, env=environ(temporary), capture_output=True, text=True, check=False
    )


def nothing_is_left(temporary: Path) -> bool:
    """True if git has no worktree in `temporary` and no file remains there."""
    known = subprocess.run(["git", "worktree", "list"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return str(temporary) not in known.stdout and list(temporary.iterdir()) == []


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """The directory in which the command creates its worktrees."""
    (tmp_path / "t").mkdir()
    return tmp_path / "t"


@pytest.mark.nginx
@pytest.mark.timeout(120)
def test_comparing_a_revision_with_itself_gives_no_verdict_and_leaves_no_files(temporary: Path, tmp_path: Path) -> None:
    """benchmarks.compare HEAD HEAD --rounds 2: too few rounds; compare.json has all runs, warm-ups as round 0."""
    arguments = ("HEAD", "HEAD", "--rounds", "2", "--only", "nginx/smoke", "--to", tmp_path / "to")
    done = compare(temporary, *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("too few rounds: nothing can be said with fewer than 5") == 3
    assert "dependencies installed now: " in done.stdout and "aiohttp " in done.stdout
    assert nothing_is_left(temporary)
    written = json.loads((tmp_path / "to" / "compare.json").read_text())
    for side in ("old", "new"):
        assert [(run["round"], run["stored_objects"], run["void"]) for run in written["runs"][side]] == [
            (0, 40, None), (1, 40, None), (2, 40, None)
        ]  # fmt: skip
    assert [each["verdict"] for each in written["verdicts"]] == ["too few rounds"] * 3


@pytest.mark.nginx
@pytest.mark.timeout(120)
def test_an_interrupted_comparison_leaves_no_worktree_and_no_server(temporary: Path) -> None:
    """benchmarks.compare HEAD . and Ctrl-C: no worktree, no upload, no server and no traceback remain."""
    arguments = ("HEAD", ".", "--only", "nginx/smoke")
    with subprocess.Popen(
        [*COMPARE, *arguments], cwd=REPOSITORY, env=environ(temporary), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert "warm-up" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 128 + signal.SIGINT
    assert "Traceback" not in said
    assert nothing_is_left(temporary)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("no-such", "HEAD"), "'no-such' is neither a result file nor a git revision of this repository\n"),
        (("README.md", "HEAD"), "give two result files or two git revisions: only 'README.md' is a file\n"),
        (("README.md", "README.md"), "'README.md' is not a result that this version of benchmarks.run writes\n"),
        (("HEAD", "HEAD", "--rounds", "0"), "--rounds 0: there must be one at least, and 5 for a verdict\n"),
        (
            ("HEAD", "HEAD", "--rounds", "4", "--fail-if-slower"),
            "--fail-if-slower needs --rounds 5 at least: fewer give no verdict\n",
        ),
    ],
)
def test_wrong_arguments_are_one_sentence_and_exit_2(temporary: Path, arguments: tuple[str, ...], said: str) -> None:
    """benchmarks.compare with wrong arguments: nothing is checked out or started."""
    done = compare(temporary, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)
    assert nothing_is_left(temporary)


def test_an_unknown_server_is_one_sentence_and_exit_2(temporary: Path) -> None:
    """benchmarks.compare HEAD HEAD --only ngin/small: the sentence lists the known servers."""
    done = compare(temporary, "HEAD", "HEAD", "--only", "ngin/small")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and "no such server; there are rgw, " in done.stderr


def saved(path: Path, contender: str, *, wall_s: float, processor: str, runs: int = 6) -> Path:
    """Writes a result.json with one contender."""
    made = [
        Run(
            server="nginx", scenario="small", contender=contender, round=number, objects=100, bytes=1000,
            wall_s=wall_s, cpu_s=0.5, peak_kib=2048, exit_code=0, stored_objects=100, stored_bytes=1000, void=None,
        )
        for number in range(1, runs + 1)
    ]  # fmt: skip
    facts = {
        "command": "scripts/bench", "machine": {"processor": processor}, "versions": {contender: "1"}, "notes": {},
        "missing": [], "scenarios": {}, "left_out": [], "runs": made,
    }  # fmt: skip
    Result(**{field.name: facts[field.name] for field in fields(Result)}).save(path)  # type: ignore[arg-type]
    return path


def test_a_comparison_of_results_names_the_differences_between_their_machines(temporary: Path, tmp_path: Path) -> None:
    """benchmarks.compare OLD NEW: verdict, caveat, machines; only --fail-if-slower changes the exit code."""
    old = saved(tmp_path / "old.json", "bulkput", wall_s=1.0, processor="2 x a")
    new = saved(tmp_path / "new.json", "bulkput", wall_s=1.2, processor="4 x b")
    done = compare(temporary, old, new)
    assert (done.returncode, done.stderr) == (0, "")
    assert "nginx, small: bulkput: time per object: slower by 20.0 % (20.0 to 20.0 %)\n" in done.stdout
    assert "machines drift" in done.stdout
    assert "machine differs: processor was '2 x a' and is '4 x b'" in done.stdout
    assert compare(temporary, old, new, "--fail-if-slower").returncode == 1
    assert compare(temporary, new, old, "--fail-if-slower").returncode == 0


def test_results_without_a_common_contender_list_their_contenders(temporary: Path, tmp_path: Path) -> None:
    """benchmarks.compare OLD NEW: nothing is compared; with --fail-if-slower it exits with 2."""
    old = saved(tmp_path / "old.json", "rclone", wall_s=1.0, processor="2 x a")
    new = saved(tmp_path / "new.json", "bulkput", wall_s=1.0, processor="2 x a")
    done = compare(temporary, old, new)
    assert done.returncode == 0
    assert "rclone is not compared: only in OLD" in done.stdout
    assert "bulkput is not compared: only in NEW" in done.stdout
    assert compare(temporary, old, new, "--fail-if-slower").returncode == 2
