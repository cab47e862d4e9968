"""Files that change between the scan and the end of their upload.

Each test states the outcome for the changed file. In all tests the other files are stored, the numbers add up, and
each object equals one version of its file.
"""

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import bulkput
from bulkput import events as ev
from bulkput.devserver import DevServer
from bulkput.options import UploadOptions, WalkOptions
from tests.conftest import environ_of
from tests.faults.sources import ONE, calling_before, stored, upload
from tests.servers.devserver import devserver_process
from tests.servers.judge import SwiftJudge

Change = Callable[[Path], None]
SMALL, LARGE = 100, 15_000_000
"""Bytes. SMALL is read whole. LARGE is streamed and exceeds the socket buffers: its end is read after the PUT came."""


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def shrink(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def overwrite(path: Path) -> None:
    """Overwrites bytes in place; the size stays."""
    with path.open("r+b") as file:
        file.write(os.urandom(9))


def become_another_file(path: Path) -> None:
    other = path.with_name(f".{path.name}")
    other.write_bytes(os.urandom(path.stat().st_size))
    other.replace(path)


def vanish(path: Path) -> None:
    path.unlink(missing_ok=True)


def become_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inside").write_text("not asked for")


def become_a_link(path: Path) -> None:
    """Replaces the file by a symlink to a file outside the tree."""
    path.unlink()
    path.symlink_to("/etc/passwd")


def become_a_link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def become_a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def become_a_device(path: Path) -> None:
    """Replaces the file by a symlink to a device that never ends."""
    path.unlink()
    path.symlink_to("/dev/zero")


def lose_its_directory(path: Path) -> None:
    shutil.rmtree(path.parent)


def have_a_file_for_a_directory(path: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.write_text("a file now")


BEFORE: list[tuple[Change, str]] = [
    (grow, ""),
    (shrink, ""),
    (empty, ""),
    (overwrite, ""),
    (become_another_file, ""),
    (vanish, "vanished"),
    (lose_its_directory, "vanished"),
    (have_a_file_for_a_directory, "vanished"),
    (become_a_directory, "changed: it is no longer a regular file"),
    (become_a_fifo, "changed: it is no longer a regular file"),
    (become_a_link, "changed: a link has taken its place"),
    (become_a_link_to_itself, "changed: a link has taken its place"),
    (become_a_device, "changed: a link has taken its place"),
]


@pytest.mark.parametrize("size", [SMALL, 3_000_000], ids=["small", "large"])
@pytest.mark.parametrize(("change", "problem"), BEFORE, ids=[change.__name__ for change, _ in BEFORE])
async def test_a_file_that_changed_after_the_scan_is_sent_in_its_new_version_or_fails_alone(
    tmp_path: Path, change: Change, problem: str, size: int
) -> None:
    """A regular file is sent as it is now; anything else is a failure of that file."""
    (tmp_path / "d").mkdir()
    victim = tmp_path / "d" / "victim"
    victim.write_bytes(os.urandom(size))
    for name in ("a", "z"):
        (tmp_path / name).write_text(name)
    scanned = asyncio.Event()
    async with calling_before("a", lambda: change(victim), scanned) as server:
        summary, failed = await upload(server, tmp_path, UploadOptions(wire=ONE), scanned)
        expected = {"a": b"a", "z": b"z"}
        if not problem:
            expected["d/victim"] = victim.read_bytes()
        assert stored(server) == expected
    assert (summary.found, summary.uploaded) == (3, len(expected))
    assert list(failed) == ([] if not problem else ["victim"]) and failed.get("victim", "").startswith(problem)


DURING: list[tuple[Change, str]] = [
    (grow, ""),
    (shrink, ""),
    (overwrite, ""),
    (empty, "new"),
    (become_another_file, "old"),
    (vanish, "old"),
    (become_a_directory, "old"),
    (become_a_link, "old"),
    (become_a_fifo, "old"),
]


@pytest.mark.parametrize(("change", "version"), DURING, ids=[change.__name__ for change, _ in DURING])
async def test_a_file_that_changes_during_its_upload_is_stored_in_one_version_or_fails(
    tmp_path: Path, change: Change, version: str
) -> None:
    """Changed at every attempt: fails. Changed once: the new version. Replaced: the version that is already open."""
    victim = tmp_path / "victim"
    victim.write_bytes(content := os.urandom(LARGE))
    (tmp_path / "z").write_text("z")
    is_open = asyncio.Event()
    async with calling_before("victim", lambda: change(victim), is_open) as server:
        summary, failed = await upload(server, tmp_path, UploadOptions(wire=ONE), is_open, ev.Streaming)
        held = stored(server)
    assert [why.partition(":")[0] for why in failed.values()] == ([] if version else ["changed"])
    assert held.pop("z") == b"z"
    assert list(held) == (["victim"] if version else [])
    if version:
        expected = content if version == "old" else victim.read_bytes()
        assert hashlib.md5(held["victim"]).digest() == hashlib.md5(expected).digest()
    assert (summary.found, summary.uploaded) == (2, 1 + bool(version))


@pytest.mark.xfail(reason="only the last part of a path is guarded against links", strict=True)
@pytest.mark.parametrize("size", [SMALL, 3_000_000], ids=["small", "large"])
async def test_a_directory_replaced_by_a_symlink_does_not_lead_out_of_the_tree(tmp_path: Path, size: int) -> None:
    """The directory is replaced between scan and read: nothing behind the symlink is uploaded."""
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    for place in (tree / "d", outside):
        place.mkdir(parents=True)
        (place / "victim").write_bytes(os.urandom(size))
    (tree / "a").write_text("a")

    def swap() -> None:
        shutil.rmtree(tree / "d")
        (tree / "d").symlink_to(outside)

    scanned = asyncio.Event()
    async with calling_before("a", swap, scanned) as server:
        await bulkput.upload(
            [tree],
            "swift://c",
            options=UploadOptions(wire=ONE),
            on_event=lambda event: scanned.set() if isinstance(event, ev.ScanDone) else None,
            environ=environ_of(server),
        )
        assert (outside / "victim").read_bytes() not in stored(server).values()


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A directory that every user may enter; pytest's own directories are private."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    yield place
    os.seteuid(os.getuid())
    shutil.rmtree(place)


@pytest.mark.parametrize("size", [SMALL, 3_000_000], ids=["small", "large"])
async def test_a_file_that_becomes_unreadable_after_the_scan_fails_alone(open_place: Path, size: int) -> None:
    """chmod makes it unreadable; the uploader is not root."""
    victim = open_place / "victim"
    victim.write_bytes(os.urandom(size))
    for name in ("a", "z"):
        (open_place / name).write_text(name)

    def close() -> None:
        victim.chmod(0)
        if os.geteuid() == 0:  # root ignores permissions
            os.seteuid(65534)

    scanned = asyncio.Event()
    async with calling_before("a", close, scanned) as server:
        summary, failed = await upload(server, open_place, UploadOptions(wire=ONE), scanned)
        assert stored(server) == {"a": b"a", "z": b"z"}
    assert (summary.uploaded, failed) == (2, {"victim": "unreadable: Permission denied"})


async def test_a_file_with_a_read_error_or_a_wrong_size_fails_alone(tmp_path: Path) -> None:
    """Files in /proc and /sys: one read fails with EIO, one gives more than its size of 0, one less than 4096."""
    lying = {"eio": "/proc/self/mem", "more": "/proc/self/status", "less": "/sys/kernel/fscaps"}
    for name, path in lying.items():
        if not os.path.isfile(path):
            pytest.skip(f"{path} is not there")
        (tmp_path / name).symlink_to(path)
    (tmp_path / "z").write_text("z")
    async with DevServer() as server:
        options = UploadOptions(walk=WalkOptions(follow_symlinks=True))
        summary, failed = await upload(server, tmp_path, options)
        assert stored(server) == {"z": b"z"}
    assert (summary.found, summary.uploaded) == (4, 1)
    assert failed["eio"] == "unreadable: Input/output error"
    kernel = "a file of the kernel, as in /proc and /sys: copy it to a disk first"
    assert failed["more"] == f"unreadable: it has size 0 but content: {kernel}"
    assert failed["less"] == f"unreadable: it has size 4096 but less content: {kernel}"


ONE_READER = """
import asyncio, sys, bulkput
from bulkput.options import BodyOptions, UploadOptions

options = UploadOptions(body=BodyOptions(readers=1))
summary = asyncio.run(bulkput.upload(sys.argv[1], "swift://c", options=options))
print(summary.uploaded, *(failure.error for failure in summary.failures))
sys.exit(summary.exit_code)
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace gives the errors, and is not installed")
def test_a_disk_error_in_the_middle_of_a_large_file_fails_only_that_file(tmp_path: Path) -> None:
    """strace answers its second read and all later ones with EIO. One reader, as strace counts reads per thread."""
    victim = tmp_path / "tree" / "victim"
    victim.parent.mkdir()
    victim.write_bytes(os.urandom(3_000_000))
    (tmp_path / "tree" / "z").write_text("z")
    inject = ("strace", "-f", "-qq", "-o", tmp_path / "calls", "-e", "trace=read", "-P", victim)
    with devserver_process() as server:
        done = subprocess.run(
            [*inject, "-e", "inject=read:error=EIO:when=2+", sys.executable, "-c", ONE_READER, victim.parent],
            env={**os.environ, **server.environment}, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        if "ptrace" in done.stderr:
            pytest.skip(f"no tracing here: {done.stderr.splitlines()[0]}")
        names = SwiftJudge(server.auth_url, server.user, server.key).names("c")
    assert done.stdout == f"1 read {victim}: unreadable: Input/output error\n", done.stderr
    assert (done.returncode, names) == (1, ["z"])
