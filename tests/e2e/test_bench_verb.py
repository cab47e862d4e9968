"""`bulkput bench` as a command, on stores whose limit is known."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cli import bulkput
from tests.servers.devserver import devserver_process
from tests.servers.judge import SwiftJudge
from tests.servers.nginx import NginxDav, nginx_dav
from tests.servers.swift import RealSwift

QUICK = ("--seconds", "0.2", "--sizes", "4K")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The TMPDIR of the command."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    return place


@pytest.fixture(scope="module")
def far() -> Iterator[RealSwift]:
    """A devserver with a latency of 100 ms for a PUT."""
    with devserver_process("--latency", "put=0.1") as server:
        yield server


def names(server: RealSwift, container: str) -> list[str] | None:
    """Gives the names of the objects in the container; None if it does not exist."""
    judge = SwiftJudge(server.auth_url, server.user, server.key)
    status, _, content = judge._request("GET", f"/{container}?format=json")
    return None if status == 404 else [row["name"] for row in json.loads(content)]


def test_bench_finds_a_far_store_limited_by_latency_and_deletes_its_objects(far: RealSwift, temporary: Path) -> None:
    """bulkput bench --to swift://new --concurrency 4"""
    ran = bulkput("bench", "--to", "swift://new", "--concurrency", "4", *QUICK, environ=far.environment)
    assert ran.exit_code == 0, ran.err
    assert "With --concurrency 4 the limit is network latency: one put takes 1" in ran.out
    said = re.search(
        r"^  bulkput upload SOURCE swift://new --concurrency (\d+)\n\n([\d.]+) x the objects", ran.out, re.M
    )
    assert said is not None and int(said[1]) > 4 and float(said[2]) > 2, ran.out
    assert len(re.findall(r"^\[\d/4\] 4.0 KiB, ", ran.err, re.M)) == 4, ran.err
    assert names(far, "new") is None, "the container was made by the bench"
    assert not list(temporary.iterdir())


def test_bench_json_prints_one_object_and_keeps_an_existing_container(far: RealSwift, tmp_path: Path) -> None:
    """bulkput bench --to swift://old/p --from TREE --json: the container keeps its earlier object"""
    for number in range(400):
        (tmp_path / f"own {number}").write_bytes(b"x" * number)
    (tmp_path / "own 1").rename(tmp_path / "only")
    assert bulkput("upload", tmp_path / "only", "swift://old/p/", environ=far.environment).exit_code == 0
    ran = bulkput(
        "bench", "--to", "swift://old/p", "--from", tmp_path, "--json", "--concurrency", "8", "--seconds", "0.2",
        environ=far.environment,
    )  # fmt: skip
    assert ran.exit_code == 0, ran.err
    (found,) = ran.rows
    judged: dict[int, dict[str, Any]] = {trial["concurrency"]: trial for trial in found["trials"]}
    assert list(judged) == [4, 8, 16, 64, 256]
    assert [judged[c]["is_enough"] for c in (8, 256)] == [True, False], "400 files are no two rounds of 256"
    assert found["verdict"]["limit"] == "latency"
    assert found["recommendation"]["command"].startswith(f"bulkput upload {tmp_path} swift://old/p --concurrency ")
    assert names(far, "old") == ["p/only"]


@pytest.mark.nginx
def test_bench_deletes_its_objects_from_plain_http_by_name(nginx: NginxDav, temporary: Path) -> None:
    """bulkput bench --to URL: plain HTTP has no listing; files are deleted, directories stay"""
    ran = bulkput("bench", "--to", f"{nginx.url}/bench/", *QUICK)
    assert ran.exit_code == 0, ran.err
    assert "With --concurrency 64 the limit is " in ran.out
    assert (nginx.root / "bench").is_dir()
    assert not [path for path in (nginx.root / "bench").rglob("*") if path.is_file()]


@pytest.mark.nginx
def test_bench_gives_no_verdict_on_a_store_that_refuses_everything() -> None:
    """bulkput bench --to URL: exit code 1 if each object is refused, 3 without a server, with the reason"""
    with nginx_dav(locations="location /no/ { root {{root}}; }") as server:
        refused = bulkput("bench", "--to", f"{server.url}/no/", *QUICK)
    assert (refused.exit_code, refused.out) == (1, "")
    assert re.search(r"no measurement: .*put \S+: 405 Not Allowed", refused.err), refused.err
    gone = bulkput("bench", "--to", f"{server.url}/no/", *QUICK)
    assert (gone.exit_code, gone.out) == (3, "")
    assert re.search(r"no measurement: nothing could be stored: put \S+: cannot connect", gone.err), gone.err


def test_bench_cleans_up_after_one_ctrl_c(far: RealSwift, temporary: Path) -> None:
    """bulkput bench --to swift://c, then Ctrl-C: exit code 130; nothing stays in the store or in TMPDIR"""
    with subprocess.Popen(
        [sys.executable, "-m", "bulkput", "bench", "--to", "swift://interrupted", "--sizes", "4K", "--seconds", "0.5"],
        env={**os.environ, **far.environment},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        while not names(far, "interrupted"):
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=20)
    assert (running.returncode, out) == (130, ""), err
    assert "stopping" in err
    assert names(far, "interrupted") is None
    assert not list(temporary.iterdir())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--to", "swift://"], "names no container"),
        (["--to", "swift://c"], "ST_AUTH, ST_USER and ST_KEY (v1 auth)"),
        (["--to", "swift://c", "--from", "not/there"], "does not exist"),
        ([], "Missing option '--to'"),
    ],
)
def test_bench_answers_wrong_arguments_with_one_sentence(arguments: list[str], sentence: str) -> None:
    """bulkput bench with wrong arguments: exit code 2"""
    ran = bulkput("bench", *arguments)
    assert (ran.exit_code, ran.out) == (2, "")
    assert sentence in ran.err and "Traceback" not in ran.err
