"""Skipping and mirroring of large trees. Takes minutes: scripts/test --scale."""

import asyncio
import hashlib
import os
import subprocess
import uuid
from pathlib import Path
from typing import get_args

import pytest

import bulkput as library
from bulkput.devserver import DevServer
from bulkput.devserver.record import StoredObject
from bulkput.options import SkipMode, SkipOptions, UploadOptions
from bulkput.results import Summary
from tests.conftest import environ_of
from tests.servers.swift import RealSwift

MODES: tuple[SkipMode, ...] = tuple(mode for mode in get_args(SkipMode) if mode != "none")
pytestmark = [pytest.mark.scale, pytest.mark.timeout(3600)]


@pytest.mark.swift
def test_a_second_run_over_20_000_files_sends_only_changes(swift: RealSwift, tmp_path: Path) -> None:
    """10 files are changed, 5 deleted and 3 added; afterwards bulkput verify and rclone find no difference."""
    tree, url, environ = tmp_path / "tree", f"swift://s-{uuid.uuid4().hex[:8]}/p", swift.environment
    for n in range(20_000):
        path = tree / f"{n // 200:03d}" / f"{n:05d}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"file {n}\n")

    def run(mode: SkipMode, *, delete_extra: bool = False) -> Summary:
        options = UploadOptions(skip=SkipOptions(mode=mode, delete_extra=delete_extra))
        done = asyncio.run(library.upload(tree, url, options=options, environ=environ))
        print(mode, done.uploaded, done.skipped, done.removed, dict(done.requests), f"{done.elapsed_s:.1f} s")
        assert done.exit_code == 0
        return done

    assert run("none").uploaded == 20_000
    for mode in MODES:
        again = run(mode)
        assert (again.uploaded, again.skipped, again.requests) == (0, 20_000, {"GET": 3})
    files = sorted(tree.rglob("*.txt"))
    for path in files[::2_000]:
        path.write_text(path.read_text().replace("file", "FILE"))
    for path in files[7::4_000]:
        path.unlink()
    for name in ("000/new", "new", "zzz"):
        (tree / name).write_text("new")
    last = run("identical", delete_extra=True)
    assert (last.uploaded, last.removed, last.skipped) == (13, 5, 20_000 - 15)
    verified = asyncio.run(library.verify(tree, url, environ=environ))
    print(verified)
    assert (verified.is_identical, verified.identical) == (True, 19_998)
    where = {"RCLONE_CONFIG": os.devnull, "RCLONE_SWIFT_AUTH": swift.auth_url}
    where |= {"RCLONE_SWIFT_USER": swift.user, "RCLONE_SWIFT_KEY": swift.key}
    remote = f":swift:{url.removeprefix('swift://')}"
    command = ["rclone", "check", str(tree), remote]
    check = subprocess.run(command, env={**os.environ, **where}, capture_output=True, text=True, check=False)
    print(check.stderr)
    assert check.returncode == 0
    assert "0 differences found" in check.stderr


@pytest.mark.parametrize("mode", MODES)
async def test_a_hundred_thousand_objects_take_eleven_requests(
    devserver: DevServer, tmp_path: Path, mode: SkipMode
) -> None:
    """A login and ten pages of the listing."""
    pieces, etag = (b"x",), hashlib.md5(b"x").hexdigest()
    devserver.store.create("c", ())
    container = devserver.store.containers["c"]

    def make() -> None:
        for n in range(100_000):
            folder, file = tmp_path / "tree" / f"{n // 1000:04d}", tmp_path / f"file-{n // 50_000}"
            if n % 1000 == 0:
                folder.mkdir(parents=True)
            if n % 50_000 == 0:  # a file has 65 000 links at most (ext4)
                file.write_bytes(b"x")
            os.link(file, folder / f"{n:06d}")

    await asyncio.to_thread(make)
    for n in range(100_000):
        container.enter(StoredObject(f"{n // 1000:04d}/{n:06d}", 1, etag, "text/plain", 4e9, (), pieces))
    options = UploadOptions(skip=SkipOptions(mode=mode))
    done = await library.upload(tmp_path / "tree", "swift://c", options=options, environ=environ_of(devserver))
    print(mode, dict(done.requests), f"{done.elapsed_s:.1f} s")
    assert (done.skipped, done.uploaded) == (100_000, 0)
    assert sum(done.requests.values()) <= 11
