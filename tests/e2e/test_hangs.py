"""System calls that never return: the process reports them and still ends."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.swift import RealSwift

PATIENCE_S = 60

# Replaces only system calls, by ones that never return: reads of a file `dead`, and the stat of a source /dead.
DEAD = """
import asyncio, builtins, io, os, sys, threading
import bulkput
from bulkput.options import BodyOptions, UploadOptions

real_read, real_stat = os.read, os.stat
for_ever = threading.Event()

def read(fd, size):
    if b"dead" in os.readlink(b"/proc/self/fd/%d" % fd):
        for_ever.wait()
    return real_read(fd, size)

def stat(path, **how):
    if path == b"/dead":
        print("looking", flush=True)
        for_ever.wait()
    return real_stat(path, **how)

class DeadFile(io.FileIO):
    def read(self, size=-1):
        for_ever.wait()

def open(path, mode="r", buffering=-1, *how, opener=None, **more):
    if buffering == 0 and isinstance(path, bytes) and b"dead" in path:
        return DeadFile(path, mode, opener=opener)
    return real_open(path, mode, buffering, *how, opener=opener, **more)

real_open = builtins.open
os.read, os.stat, builtins.open = read, stat, open
"""
UPLOAD = """
options = UploadOptions(body=BodyOptions(readers=2, max_stuck=4, read_timeout_s=0.5))
summary = asyncio.run(bulkput.upload([sys.argv[1]], "swift://c", options=options))
print(summary.uploaded, summary.failed, summary.skipped)
print(summary.failures[0].error)
sys.exit(summary.exit_code)
"""
COMMAND = """
from bulkput.cli.main import main
sys.argv = ["bulkput", "upload", *sys.argv[1:], "swift://c"]
main()
"""


def process(server: RealSwift, program: str, *arguments: Path | str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", DEAD + program, *map(str, arguments)],
        env={**server.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("size", [100_000, 3_000_000], ids=["in-memory", "streamed"])
def test_a_process_with_a_hanging_read_ends_by_itself(server: RealSwift, tmp_path: Path, size: int) -> None:
    """bulkput.upload of two files: one fails, the other is stored; the hanging thread does not delay the exit"""
    for name in ("a", "dead"):
        (tmp_path / name).write_bytes(bytes(size))
    with process(server, UPLOAD, tmp_path) as running:
        out, err = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 1, err
    assert out.splitlines() == ["1 1 0", f"read {tmp_path}/dead: unreadable: the file system gave nothing for 0.5 s"]


def test_a_process_whose_file_system_hangs_ends_by_itself_with_exit_3(server: RealSwift, tmp_path: Path) -> None:
    """bulkput.upload of 12 files whose reads all hang"""
    for number in range(12):
        (tmp_path / f"dead{number}").write_bytes(bytes(100_000))
    with process(server, UPLOAD, tmp_path) as running:
        out, err = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 3, err
    uploaded, failed, skipped = map(int, out.splitlines()[0].split())
    assert (uploaded, failed + skipped) == (0, 12) and failed >= 4


def test_one_ctrl_c_ends_a_process_whose_first_stat_hangs(server: RealSwift) -> None:
    """bulkput upload /dead swift://c"""
    with process(server, COMMAND, "/dead") as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "looking\n"
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 130, err


def test_one_ctrl_c_ends_a_process_that_waits_for_its_list(server: RealSwift, tmp_path: Path) -> None:
    """bulkput upload --stalled-after 0.2 --files-from - --base DIR swift://c: nothing writes to its stdin"""
    arguments = ("--stalled-after", "0.2", "--progress", "none", "--files-from", "-", "--base", tmp_path)
    with process(server, COMMAND, *arguments) as running:
        assert running.stderr is not None
        next(line for line in running.stderr if "the list on stdin" in line)
        running.send_signal(signal.SIGINT)
        assert running.wait(PATIENCE_S) == 130


def test_a_stalled_upload_prints_the_requests_in_flight(server: RealSwift, tmp_path: Path) -> None:
    """bulkput upload --stalled-after 0.2 DIR swift://c"""
    (tmp_path / "dead").write_bytes(bytes(100_000))
    with process(server, COMMAND, "--stalled-after", "0.2", "--progress", "none", tmp_path) as running:
        assert running.stderr is not None
        line = next(line for line in running.stderr if str(tmp_path) in line)
        running.kill()
        running.communicate(timeout=PATIENCE_S)
    age_s, unit, *rest = line.split()  # the run may have stalled before the file was taken in hand
    assert 0 <= float(age_s) < PATIENCE_S and unit == "s"
    assert rest == ["1", "reading", "-", f"{tmp_path}/dead"]
