"""`bulkput upload --processes N` to a real Swift, a real S3, a real nginx, and from store to store."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from bulkput.devserver import DevServer, DevServerOptions
from bulkput.devserver.options import Latency
from tests.conftest import environ_of
from tests.e2e.cli import bulkput
from tests.e2e.store_pair import Pair
from tests.faults.test_kill import LOGGED
from tests.servers.judge import S3Judge, SwiftJudge
from tests.servers.nginx import NginxDav, nginx_dav
from tests.servers.s3 import RealS3
from tests.servers.swift import RealSwift

FILES = 120


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Small files in three directories, one of text, one that is large, an odd name, and an empty directory."""
    root = tmp_path / "tree"
    for number in range(FILES):
        place = root / "abc"[number % 3]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"f{number:03d}").write_bytes(os.urandom(200 + number))
    (root / "text.html").write_text("<p>text</p>\n" * 20_000)
    (root / "larger").write_bytes(os.urandom(3_000_000))
    (root / "odd é\n#?%41").write_bytes(b"odd")
    (root / "empty").mkdir()
    return root


def contents(tree: Path) -> dict[str, bytes]:
    return {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


@pytest.mark.swift
def test_processes_store_in_swift_what_one_would_store(swift: RealSwift, tree: Path) -> None:
    """One login and one PUT for each object; then `--skip identical` sends nothing, and verify agrees."""
    container, environ = f"c-{uuid.uuid4().hex[:8]}", swift.environment
    command = ("upload", "--progress", "none", "--summary", "-", "--processes", "2", "--gzip", "auto")
    large = ("--segment-above", "1M", "--segment-size", "1M")
    first = bulkput(*command, *large, tree, f"swift://{container}/p/", environ=environ)
    assert first.exit_code == 0, first.err
    summary, expected = first.summary, contents(tree)
    assert (summary["uploaded"], summary["failed"], summary["workers_lost"]) == (len(expected), 0, 0)
    assert len(summary["workers"]) == 2 and sum(summary["workers"].values()) == len(expected)
    assert summary["large"]["parts_sent"] == 3 and summary["gzip"]["compressed"] == 1
    judge = SwiftJudge(swift.auth_url, swift.user, swift.key)
    assert {name: judge.content(container, f"p/{name}") for name in expected if name != "text.html"} == {
        name: content for name, content in expected.items() if name != "text.html"
    }
    assert len(judge.names(container)) == len(expected)
    again = bulkput(*command, *large, "--skip", "identical", tree, f"swift://{container}/p/", environ=environ)
    assert (again.exit_code, again.summary["uploaded"], again.summary["skipped"]) == (0, 0, len(expected)), again.err
    (tree / "a" / "f000").write_bytes(b"changed, and of another length")
    (tree / "b" / "f001").unlink()
    mirror = bulkput(
        *command, *large, "--skip", "identical", "--delete-extra", tree, f"swift://{container}/p/", environ=environ
    )
    assert (mirror.exit_code, mirror.summary["uploaded"], mirror.summary["removed"]) == (0, 1, 1), mirror.err
    assert bulkput("verify", "--gzip", "auto", tree, f"swift://{container}/p/", environ=environ).exit_code == 0


@pytest.mark.rgw
def test_processes_store_in_s3_with_the_keys_of_the_driver(rgw_s3: RealS3, tree: Path) -> None:
    """No process asks for credentials of its own; large files go in parts."""
    bucket, expected = rgw_s3.make_bucket(), contents(tree)
    large = ("--segment-above", "5M", "--segment-size", "5M")
    (tree / "large").write_bytes(expected.setdefault("large", os.urandom(11_000_000)))
    command = ("upload", "--progress", "none", "--summary", "-", "--processes", "2", *large)
    ran = bulkput(*command, tree, f"s3://{bucket}/p/", environ=rgw_s3.environment)
    assert ran.exit_code == 0, ran.err
    assert (ran.summary["uploaded"], ran.summary["large"]["parts_sent"]) == (len(expected), 3)
    judge = S3Judge(rgw_s3)
    assert sorted(judge.names(bucket)) == sorted(f"p/{name}" for name in expected)
    assert all(judge.content(bucket, f"p/{name}") == content for name, content in expected.items())


@pytest.mark.rgw
@pytest.mark.swift
def test_processes_copy_from_store_to_store(swift: RealSwift, rgw_s3: RealS3) -> None:
    """Each reads the source by itself; requests to it are counted, too."""
    pair = Pair(swift, rgw_s3)
    expected = {f"f{number:03d}": os.urandom(100 + number) for number in range(60)}
    for name, content in expected.items():
        pair.judge.put(pair.container, f"x/{name}", content, fields={"Content-Type": "text/x-own"})
    pair.put_static("x/large", *[os.urandom(5_300_000) for _ in range(2)])
    expected["large"] = pair.judge.content(pair.container, "x/large") or b""
    ran = pair.to_s3("--summary", "-", "--processes", "2", "--segment-above", "6M")
    assert ran.exit_code == 0, ran.err
    assert ran.summary["uploaded"] == len(expected) and len(ran.summary["workers"]) == 2
    assert ran.summary["requests"]["GET"] >= len(expected)
    assert all(pair.in_s3(f"y/{name}") == content for name, content in expected.items())
    assert pair.client.head_object(Bucket=pair.bucket, Key="y/f000")["ContentType"] == "text/x-own"


@pytest.mark.nginx
def test_a_run_whose_driver_is_killed_goes_on_with_its_journal(tmp_path: Path) -> None:
    """Its processes end with it. What was in flight is sent again, and nothing else."""
    source, log, journal = tmp_path / "source", tmp_path / "access.log", tmp_path / "up.db"
    source.mkdir()
    for number in range(3_000):
        (source / f"f{number:04d}").write_bytes(os.urandom(number % 500))
    with nginx_dav(locations=LOGGED.replace("LOG", str(log))) as nginx:
        command = ["upload", "--processes", "2", "--concurrency", "16", "--journal", journal, source, f"{nginx.url}/k/"]
        arrived = 0
        with subprocess.Popen(
            [sys.executable, "-m", "bulkput", *map(str, command), "--json"], stdout=subprocess.PIPE, text=True
        ) as run:
            assert run.stdout is not None
            for line in run.stdout:
                arrived += '"event": "uploaded"' in line
                if arrived == 800:
                    run.send_signal(signal.SIGKILL)
        last = bulkput(*command, "--summary", "-")
        assert last.exit_code == 0 and last.summary["found"] == 3_000, last.err
        subprocess.run(["diff", "-r", source, nginx.root / "k"], check=True)
    puts = Counter(re.findall(r'"PUT /k/(\S+) HTTP/1.1" 20[14]', log.read_text()))
    assert len(puts) == 3_000
    # The journal has all but what was stored in its last half second.
    assert last.summary["uploaded"] < 3_000, "the journal had nothing of what the first run stored"


@pytest.mark.nginx
def test_ctrl_c_ends_all_processes_and_counts_every_file(nginx: NginxDav, tmp_path: Path) -> None:
    """As a terminal sends it: to the whole group."""
    source = tmp_path / "source"
    source.mkdir()
    for number in range(4_000):
        (source / f"f{number:04d}").write_bytes(b"x" * 100)
    url = f"{nginx.url}/{uuid.uuid4().hex[:8]}/"
    command = ["upload", "--processes", "2", "--concurrency", "2", "--summary", "-", "--progress", "none"]
    with subprocess.Popen(
        [sys.executable, "-m", "bulkput", *command, "--rate", "500/s", str(source), url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as run:
        assert run.stderr is not None
        while not any((nginx.root / url.rstrip("/").rpartition("/")[2]).glob("f01*")):
            assert run.poll() is None
        os.killpg(run.pid, signal.SIGINT)
        out, err = run.communicate(timeout=60)
    assert run.returncode == 130, err
    assert "Traceback" not in err
    assert out.strip().startswith("{") and '"failed": 0' in out
    with suppress(ProcessLookupError):
        for _ in range(200):  # the server that forked the processes ends when it finds the driver gone
            os.killpg(run.pid, 0)
            time.sleep(0.05)
        raise AssertionError("a process of the run is still there after 10 s")


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    ran = bulkput("upload", "--processes", "2", "-", "swift://c/name", environ={"ST_AUTH": "http://127.0.0.1:1/a"})
    assert ran.exit_code == 2 and "standard input" in ran.err


@pytest.mark.parametrize("wrong", ["0", "many", "-1", "1000"])
def test_a_wrong_number_of_processes_is_one_sentence(wrong: str, tmp_path: Path) -> None:
    ran = bulkput("upload", "--processes", wrong, tmp_path, "swift://c")
    assert ran.exit_code == 2 and f"'{wrong}' is neither auto nor a number from 1 to 512" in ran.err


async def test_processes_may_open_as_many_files_as_the_driver(tmp_path: Path) -> None:
    """A shell's soft limit is raised before they are started."""
    for number in range(300):
        (tmp_path / f"{number}").write_bytes(b"1")
    async with DevServer(DevServerOptions(latency=Latency(put=0.5))) as server:
        command = f"ulimit -Sn 100; exec {sys.executable} -m bulkput upload --processes 2 --concurrency 300 --summary -"
        process = await asyncio.create_subprocess_exec(
            "bash",
            "-c",
            f"{command} {tmp_path} swift://c",
            env={**os.environ, **environ_of(server)},
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
    assert process.returncode == 0
    assert json.loads(out.splitlines()[-1])["uploaded"] == 300
