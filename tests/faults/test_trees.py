"""Trees with directories that vanish, are too deep, or link in circles: all other files are stored."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import bulkput
from bulkput import events as ev
from bulkput.devserver import DevServer, DevServerOptions, SwiftConstraints
from bulkput.model import Reason
from bulkput.options import UploadOptions, WalkOptions
from tests.conftest import environ_of
from tests.faults.sources import ONE, calling_before, stored, upload


async def test_each_file_or_directory_deleted_during_the_walk_is_one_failure(tmp_path: Path) -> None:
    """A directory is deleted before it is entered and a file before its stat; the scan is at most 1100 files ahead."""
    for name in ("a", "y"):
        (tmp_path / name).mkdir()
    for number in range(1500):
        (tmp_path / "a" / f"{number:04d}").touch()
    (tmp_path / "y" / "inside").write_text("inside")
    (tmp_path / "z").write_text("z")

    def delete() -> None:
        shutil.rmtree(tmp_path / "y")
        (tmp_path / "a" / "1499").unlink()

    at_once = asyncio.Event()
    at_once.set()
    async with calling_before("a/0000", delete, at_once) as server:
        summary, failed = await upload(server, tmp_path, UploadOptions(wire=ONE))
        assert sorted(stored(server)) == [*(f"a/{number:04d}" for number in range(1499)), "z"]
    assert (summary.found, summary.uploaded) == (1502, 1500)
    assert set(failed) == {"1499", "y"} and all(why.startswith("vanished") for why in failed.values())


async def test_20_000_entries_in_one_directory_upload_with_100_names_in_memory(tmp_path: Path) -> None:
    """The names are sorted on disk, 100 at a time; the first object is stored before the scan ends."""
    for number in range(20_000):
        os.close(os.open(tmp_path / f"{number:05d}", os.O_CREAT | os.O_WRONLY))
    seen: list[type[ev.Event]] = []
    async with DevServer() as server:
        walk = WalkOptions(include=("*00",), entries_in_memory=100)
        summary = await bulkput.upload(
            [tmp_path],
            "swift://c",
            options=UploadOptions(walk=walk),
            on_event=lambda event: seen.append(type(event)),
            environ=environ_of(server),
        )
        assert sorted(stored(server)) == [f"{number:05d}" for number in range(0, 20_000, 100)]
    assert summary.adds_up and (summary.found, summary.uploaded, summary.exit_code) == (20_000, 200, 0)
    assert summary.skipped_by_reason == {Reason.EXCLUDED.value: 19_800}
    assert seen.index(ev.Uploaded) < seen.index(ev.ScanDone)


@pytest.fixture
def abyss(tmp_path: Path) -> Iterator[Path]:
    """3100 nested directories with a file in every thousandth: deeper than a path can be (PATH_MAX is 4096)."""
    tree = tmp_path / "tree"
    tree.mkdir()
    at = os.open(tree, os.O_RDONLY)
    for level in range(3_100):
        if level % 1000 == 0:
            os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=at))
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    (tree / "z").write_text("z")
    yield tree
    subprocess.run(["rm", "-rf", tree], check=True)  # shutil.rmtree calls itself for each level


async def test_a_tree_deeper_than_path_max_fails_only_below_that_depth(abyss: Path) -> None:
    """The subtree below is one failure that names the cause; no descriptor stays open."""
    options = DevServerOptions(limits=SwiftConstraints(max_object_name_length=7000))
    async with DevServer(options) as server:
        before = len(os.listdir("/proc/self/fd"))
        summary, failed = await upload(server, abyss, UploadOptions())
        assert sorted(stored(server)) == sorted(["z", *("d/" * level + "file" for level in (0, 1000, 2000))])
        while len(os.listdir("/proc/self/fd")) > before:
            await asyncio.sleep(0.01)  # the server closes its ends of the connections later
    assert (summary.uploaded, failed) == (4, {"d": "unreadable: File name too long"})


@pytest.mark.parametrize("follow", [False, True])
async def test_symlink_loops_end_and_are_counted(tmp_path: Path, follow: bool) -> None:
    """Links to themselves, upwards and to each other, and a chain longer than the system follows."""
    tree = tmp_path / "tree"
    for name in ("a", "b"):
        (tree / name).mkdir(parents=True)
        (tree / name / "file").write_text(name)
    (tree / "self").symlink_to("self")
    (tree / "up").symlink_to(".")
    (tree / "top").symlink_to("../tree")
    (tree / "a" / "to-b").symlink_to("../b")
    (tree / "b" / "to-a").symlink_to("../a")
    for number in range(50):
        (tree / f"chain-{number:02d}").symlink_to(f"chain-{number + 1:02d}" if number < 49 else "a/file")
    async with DevServer() as server:
        summary, _ = await upload(server, tree, UploadOptions(walk=WalkOptions(follow_symlinks=follow)))
        held = stored(server)
    followed = {f"chain-{number:02d}": b"a" for number in range(10, 50)}
    expected = {"a/file": b"a", "b/file": b"b"} | followed
    reasons = {Reason.LINK_TO_DIRECTORY.value: 4, Reason.LINK_DANGLING.value: 11}
    if follow:
        expected |= {"a/to-b/file": b"b", "b/to-a/file": b"a"}
        reasons = {Reason.LINK_LOOP.value: 4, Reason.LINK_DANGLING.value: 11}
    assert held == expected
    assert summary.skipped_by_reason == reasons
