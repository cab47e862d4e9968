"""Gigabytes in parts: memory, kills, and what others read. Takes minutes: scripts/test --scale."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from tests.servers.swift import SCRIPT, RealSwift

pytestmark = [pytest.mark.scale, pytest.mark.timeout(1800)]
MIB = 1024 * 1024
SIZE = 3 * 1024 * MIB
SWIFT_CLIENT = SCRIPT.parents[1] / ".tools" / "swift-venv" / "bin" / "swift"
PARTS = ("--segment-size", "64M")
MOST_KIB = 120 * 1024


@pytest.fixture(
    params=[pytest.param("swift", marks=pytest.mark.swift), pytest.param("rgw", marks=pytest.mark.rgw)], scope="module"
)
def server(request: pytest.FixtureRequest) -> RealSwift:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, RealSwift)
    return found


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a file of 3 GiB."""
    folder = tmp_path_factory.mktemp("large")
    with (folder / "file").open("wb") as file:
        for _ in range(SIZE // (64 * MIB)):
            file.write(os.urandom(64 * MIB))
    return folder


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "bulkput", *map(str, arguments)]


def peak_of(process: "subprocess.Popen[str]") -> tuple[int, int]:
    """Waits for the process: its exit code, and its peak memory in KiB.

    By /proc, since the peak that `wait4` reports includes that of this process, from before the exec.
    """
    peak = 0
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak = max([peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))])
        time.sleep(0.05)
    return process.returncode, peak


def segments(server: RealSwift, container: str) -> dict[str, str]:
    """The names of all segments, with the times at which they were stored."""
    ran = subprocess.run(
        command("ls", "-r", "--json", f"swift://{container}_segments"),
        env={**os.environ, **server.environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return {row["name"]: row["last_modified"] for row in map(json.loads, ran.stdout.splitlines())}


@pytest.mark.parametrize("with_journal", [True, False], ids=["journal", "no journal"])
def test_a_run_that_is_killed_ten_times_sends_no_finished_part_again(
    server: RealSwift, large: Path, tmp_path: Path, with_journal: bool
) -> None:
    """bulkput upload --segment-size 64M, kill -9 ten times, then to its end: within 120 MiB, and others read it"""
    container, dice = f"kill-{uuid.uuid4().hex[:8]}", random.Random(7)
    environ = {**os.environ, **server.environment}
    upload = command("upload", large, f"swift://{container}", *PARTS, "--json", "--progress", "none")
    upload += ["--journal", str(tmp_path / "journal")] if with_journal else []
    counts = []
    for _ in range(10):
        told = segments(server, container)
        # Few at once, and at a rate, so that each of the runs has parts to send.
        slow = ("--bandwidth", "100M", "--concurrency", "4")
        with subprocess.Popen([*upload, *slow], env=environ, stdout=subprocess.DEVNULL) as run:
            while len(segments(server, container)) <= len(told) and run.poll() is None:
                pass
            time.sleep(dice.uniform(0, 0.3))
            run.send_signal(signal.SIGKILL)
        kept = segments(server, container)
        counts.append(len(kept))
        assert {name: kept[name] for name in told} == told, "a part that was there has been sent again"
    before = segments(server, container)
    assert 10 <= len(before) <= 48
    with subprocess.Popen(upload, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        code, peak = peak_of(run)
        assert run.stdout is not None
        rows = [json.loads(line) for line in run.stdout]
    assert code == 0
    after = segments(server, container)
    assert {name: after[name] for name in before} == before
    assert len(after) == 48
    assert sum(row["event"] == "part" and row["is_new"] for row in rows) == 48 - len(before)
    print(f"parts there after each kill: {counts}; then peak memory {peak} KiB")
    assert peak < MOST_KIB
    _others_read_it(server, container, large)
    for name in (container, f"{container}_segments"):
        subprocess.run([str(SWIFT_CLIENT), "-q", "delete", name], env=environ, check=True)


def _others_read_it(server: RealSwift, container: str, large: Path) -> None:
    """By SHA-256 of what python-swiftclient downloads, and by rclone check --download."""
    environ = {**os.environ, **server.environment}
    sums = []
    for words in (["cat", str(large / "file")], [str(SWIFT_CLIENT), "download", container, "file", "--output", "-"]):
        with subprocess.Popen(words, env=environ, stdout=subprocess.PIPE) as reading:
            assert reading.stdout is not None
            sums.append(hashlib.file_digest(reading.stdout, "sha256").hexdigest())  # type: ignore[arg-type]
    assert sums[0] == sums[1]
    remote = {"RCLONE_CONFIG": os.devnull, "RCLONE_SWIFT_AUTH": server.auth_url}
    remote |= {"RCLONE_SWIFT_USER": server.user, "RCLONE_SWIFT_KEY": server.key}
    judged = subprocess.run(
        ["rclone", "check", "--download", str(large), f":swift:{container}"],
        env={**os.environ, **remote}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert judged.returncode == 0, judged.stderr


@pytest.mark.swift
def test_a_large_file_takes_little_memory(swift: RealSwift, large: Path) -> None:
    """bulkput upload --segment-size 64M of 3 GiB, eight parts at once: below 120 MiB"""
    url = f"swift://whole-{uuid.uuid4().hex[:8]}"
    with subprocess.Popen(
        command("upload", large, url, *PARTS), env={**os.environ, **swift.environment}, text=True
    ) as run:
        code, peak = peak_of(run)
    assert code == 0
    print(f"3 GiB in parts of 64 MiB: peak memory {peak} KiB")
    assert peak < MOST_KIB


@pytest.mark.swift
def test_the_memory_of_a_pipe_does_not_grow_with_its_length(swift: RealSwift) -> None:
    """openssl | head -c 5G | bulkput upload - swift://c/name: not above what 1 GiB takes, by a tenth"""
    peaks = {}
    for gib in (1, 5):
        url = f"swift://pipe-{uuid.uuid4().hex[:8]}/name"
        stream = f"openssl enc -aes-128-ctr -pass pass:x -nosalt -in /dev/zero 2>/dev/null | head -c {gib}G"
        with (
            subprocess.Popen(["bash", "-c", stream], stdout=subprocess.PIPE) as producer,
            subprocess.Popen(
                command("upload", "--expect-size", f"{gib}G", "-", url),
                env={**os.environ, **swift.environment}, stdin=producer.stdout, text=True,
            ) as run,
        ):  # fmt: skip
            code, peaks[gib] = peak_of(run)
        assert code == 0
    print(f"pipes of 1 and 5 GiB: peak memory {peaks} KiB")
    assert peaks[5] <= peaks[1] * 1.1
