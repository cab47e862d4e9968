"""`bulkput verify` against a real Swift: compared with rclone, and for large objects and symlinks."""

import hashlib
import http.client
import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.e2e.cli import bulkput
from tests.servers.judge import SwiftJudge
from tests.servers.swift import SCRIPT, RealSwift

pytestmark = [pytest.mark.swift, pytest.mark.timeout(180)]
Put = Callable[..., None]
CLIENT = SCRIPT.parents[1] / ".tools" / "swift-venv" / "bin" / "swift"


@pytest.fixture
def container() -> str:
    return f"v-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def put(swift: RealSwift, container: str) -> Put:
    """`put(name, body, query, fields)` sends a PUT of an object, or without a name of the container."""
    _, headers, _ = _ask("GET", swift.auth_url, {"X-Auth-User": swift.user, "X-Auth-Key": swift.key})

    def put(name: str, body: bytes = b"", query: str = "", fields: Mapping[str, str] | None = None) -> None:
        url = f"{headers['X-Storage-Url']}/{container}{'/' + quote(name) if name else ''}{query}"
        status, _, text = _ask("PUT", url, {"X-Auth-Token": headers["X-Auth-Token"], **(fields or {})}, body)
        assert status in (201, 202), (status, text)

    put("")
    return put


def _ask(method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> tuple[int, Mapping[str, str], bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.request(method, url.partition(parts.netloc)[2], body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def verified(swift: RealSwift, tree: Path, url: str, *flags: str) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Runs `bulkput verify --json`; gives the exit code, the verdicts by name, and the last row."""
    ran = bulkput("verify", "--json", *flags, tree, url, environ=swift.environment)
    *findings, finished = ran.rows
    return ran.exit_code, {row["name"]: row["event"] for row in findings}, finished


def test_verdicts_equal_those_of_rclone_check(swift: RealSwift, container: str, tmp_path: Path) -> None:
    """bulkput verify TREE swift://c/p, and rclone check --combined: changed, removed and added on both sides"""
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    for n in range(12):
        (tree / ("sub" if n % 2 else "") / f"{n}").write_text(f"file {n}")
    url = f"swift://{container}/p"
    assert bulkput("upload", tree, url, environ=swift.environment).exit_code == 0
    assert verified(swift, tree, url)[:2] == (0, {})

    (tree / "0").write_text("FILE 0")
    (tree / "sub" / "1").write_text("another size")
    (tree / "2").unlink()
    (tree / "sub-new").write_text("new")
    (tmp_path / "added").write_text("added in the store")
    assert bulkput("upload", tmp_path / "added", f"{url}/", environ=swift.environment).exit_code == 0

    environ = {"RCLONE_CONFIG": os.devnull, "RCLONE_SWIFT_AUTH": swift.auth_url}
    environ |= {"RCLONE_SWIFT_USER": swift.user, "RCLONE_SWIFT_KEY": swift.key}
    judged = subprocess.run(
        ["rclone", "check", "--combined", "-", str(tree), f":swift:{container}/p"],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    events = {"*": "different", "+": "missing", "-": "extra"}
    lines = [line.split(" ", 1) for line in judged.stdout.splitlines()]
    theirs = {f"p/{name}": events[sign] for sign, name in lines if sign != "="}
    code, ours, finished = verified(swift, tree, url)
    assert len(theirs) == 5
    assert (code, ours) == (1, theirs)
    assert finished["identical"] == sum(sign == "=" for sign, _ in lines) == 9
    assert finished["requests"] == {"GET": 3, "HEAD": 2}  # login, a page, the empty one; two that differ


def test_a_mirror_keeps_the_segments_of_remaining_large_objects(
    swift: RealSwift, container: str, tmp_path: Path
) -> None:
    """bulkput upload --skip MODE --delete-extra: static and dynamic, with segments below DEST"""
    tree, url = tmp_path / "tree", f"swift://{container}"
    tree.mkdir()
    (tree / "plain").touch()
    for flag, name in (("--use-slo", "static"), ("--use-dlo", "dynamic")):
        large = os.urandom(250_000)
        (tree / name).write_bytes(large)
        command = [str(CLIENT), "-q", "upload", "-S", "100000", flag, "-C", container, container, name]
        subprocess.run(command, cwd=tree, env={**os.environ, **swift.environment}, check=True)
        for mode in ("existing", "unchanged"):
            flags = ("--skip", mode, "--delete-extra", "--summary", "-", "-q")
            ran = bulkput("upload", *flags, tree, url, environ=swift.environment)
            assert (ran.exit_code, ran.summary["removed"], ran.summary["not_removed"]) == (1, 0, 3), (mode, ran.err)
            assert ran.err.count(f"is read through {name}, which stays") == 3
        bulkput("rm", f"{url}/{name}", environ=swift.environment)
        bulkput("rm", "-r", "--yes", url, environ=swift.environment)
        (tree / name).unlink()


def test_verify_proves_large_objects_by_their_segments(swift: RealSwift, container: str, tmp_path: Path) -> None:
    """bulkput verify after swift upload -S: static and dynamic"""
    for name in ("static", "dynamic", "cut"):
        (tmp_path / name).write_bytes(os.urandom(2_500_000))
    for flag, name in (("--use-slo", "static"), ("--use-dlo", "dynamic"), ("--use-dlo", "cut")):
        command = [str(CLIENT), "-q", "upload", "-S", "1000000", flag, container, name]
        subprocess.run(command, cwd=tmp_path, env={**os.environ, **swift.environment}, check=True)
    url = f"swift://{container}"
    code, findings, finished = verified(swift, tmp_path, url)
    assert (code, findings, finished["identical"]) == (0, {}, 3)
    assert verified(swift, tmp_path, url, "--quick")[:2] == (0, {})
    ran = bulkput("upload", "--skip", "identical", "--summary", "-", "-q", tmp_path, url, environ=swift.environment)
    assert (ran.exit_code, ran.summary["skipped"]) == (0, 3), ran.err

    for name in ("static", "dynamic"):
        with (tmp_path / name).open("r+b") as file:
            file.seek(1_999_999)
            file.write(b"\0\1\2\3")
    (tmp_path / "cut").write_bytes(b"")  # a listing has a dynamic large object as empty, too
    code, findings, _ = verified(swift, tmp_path, url)
    assert (code, findings) == (1, {"static": "different", "dynamic": "different", "cut": "different"})


def test_a_dynamic_large_object_without_plain_segments_is_not_comparable(
    swift: RealSwift, container: str, tmp_path: Path, put: Put
) -> None:
    """bulkput verify: a segment that is a link or large, and the manifest among its own segments"""
    for part in (1, 2):
        for group in ("whole", "nested", "linked"):
            put(f"s/{group}/{part}", b"%d" % part * 4)
    put("s/target", b"4444")
    manifest = [{"path": f"/{container}/s/target"}]
    put("s/nested/3", json.dumps(manifest).encode(), "?multipart-manifest=put")
    put("s/linked/3", fields={"X-Symlink-Target": f"{container}/s/target"})
    put("d/nobody", fields={"X-Object-Manifest": f"{container}/s/nobody/"})
    put("d/itself", fields={"X-Object-Manifest": f"{container}/d/itself"})
    for group in ("whole", "nested", "linked"):
        put(f"d/{group}", fields={"X-Object-Manifest": quote(f"{container}/s/{group}/")})
    for name, content in {"whole": b"11112222", "nested": b"111122224444", "linked": b"11112222"}.items():
        (tmp_path / name).write_bytes(content)
    for name in ("nobody", "itself"):
        (tmp_path / name).touch()
    _, findings, finished = verified(swift, tmp_path, f"swift://{container}/d")
    assert findings == dict.fromkeys(("d/nested", "d/linked", "d/itself"), "not_comparable")
    assert finished["identical"] == 2


@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_a_dynamic_large_object_that_lost_or_changed_a_segment_is_different(
    swift: RealSwift, container: str, tmp_path: Path, put: Put, harm: str
) -> None:
    """bulkput verify: what a GET gives now; a compressed one needs the ETag that it was sent with"""
    judge = SwiftJudge(swift.auth_url, swift.user, swift.key)
    for part in (1, 2, 3):
        put(f"s/{part}", b"%d" % part * 4)
    below, content = {"X-Object-Manifest": f"{container}/s/"}, b"111122223333"
    source = {"X-Object-Meta-Source-Md5": hashlib.md5(content).hexdigest(), "X-Object-Meta-Source-Size": "12"}
    packed = {**below, **source, "Content-Encoding": "gzip"}
    put("p/plain", fields=below)
    put("p/unrecorded", fields=packed)
    seen = judge.get(container, "p/plain")
    assert seen is not None
    put("p/packed", fields={**packed, "X-Object-Meta-Segments-Etag": seen.headers["ETag"].strip('"')})
    for name in ("plain", "packed", "unrecorded"):
        (tmp_path / name).write_bytes(content)
    url = f"swift://{container}/p"
    assert verified(swift, tmp_path, url)[1] == {"p/unrecorded": "not_comparable"}
    if harm == "gone":
        judge.delete(container, "s/3")
    else:
        put("s/2", b"2two")
    _, findings, _ = verified(swift, tmp_path, url)
    assert findings == {"p/plain": "different", "p/packed": "different", "p/unrecorded": "not_comparable"}


def test_a_large_object_without_whole_plain_segments_is_not_comparable(
    swift: RealSwift, container: str, tmp_path: Path, put: Put
) -> None:
    """bulkput verify: a range, a nested large object or inline bytes in the manifest; whole segments are proven"""
    put("segment", b"0123456789")
    whole, half = {"path": f"/{container}/segment"}, {"path": f"/{container}/segment", "range": "0-4"}
    manifests = {
        "whole": ([whole, whole], b"0123456789" * 2),
        "range": ([whole, half], b"012345678901234"),
        "nested": ([{"path": f"/{container}/whole"}, whole], b"0123456789" * 3),
        "inline": ([whole, {"data": "YWJj"}], b"0123456789abc"),
    }
    for name, (manifest, content) in manifests.items():
        put(name, json.dumps(manifest).encode(), "?multipart-manifest=put")
        (tmp_path / name).write_bytes(content)
    (tmp_path / "segment").write_bytes(b"0123456789")
    code, findings, finished = verified(swift, tmp_path, f"swift://{container}")
    assert (code, findings) == (1, dict.fromkeys(("range", "nested", "inline"), "not_comparable"))
    assert finished["identical"] == 2
    for name in manifests:
        with (tmp_path / name).open("ab") as file:
            file.write(b"more")
    _, findings, _ = verified(swift, tmp_path, f"swift://{container}")
    assert findings == dict.fromkeys(manifests, "different")


def test_symlinks_and_compressed_objects_are_compared_by_their_get(
    swift: RealSwift, container: str, tmp_path: Path, put: Put
) -> None:
    """bulkput verify: the HEAD of a symlink is its target's; a gzip object has the MD5 of its source"""
    md5 = "781e5e245d69b566979b86e28d23f2c7"  # of 0123456789
    put("target", b"0123456789")
    put("link", b"", fields={"X-Symlink-Target": f"{container}/target", "Content-Type": "application/symlink"})
    put("empty", b"", fields={"X-Symlink-Target": f"{container}/target", "Content-Type": "application/symlink"})
    packed = {"Content-Encoding": "gzip", "X-Object-Meta-Source-Md5": md5, "X-Object-Meta-Source-Size": "10"}
    put("packed", b"whatever gzip made of it", fields=packed)
    put("other", b"whatever gzip made of it", fields={**packed, "X-Object-Meta-Source-Md5": md5[::-1]})
    for name in ("target", "link", "packed", "other"):
        (tmp_path / name).write_bytes(b"0123456789")
    (tmp_path / "empty").touch()
    code, findings, finished = verified(swift, tmp_path, f"swift://{container}")
    assert (code, findings) == (1, {"empty": "different", "other": "different"})
    assert finished["identical"] == 3


@pytest.mark.parametrize("harm", ["gone", "changed", "expired"])
def test_a_large_object_with_a_missing_segment_is_different(
    swift: RealSwift, container: str, tmp_path: Path, put: Put, harm: str
) -> None:
    """bulkput verify, and upload --skip identical, which sends the file again: a GET of the object breaks off"""
    judge = SwiftJudge(swift.auth_url, swift.user, swift.key)
    for number in (1, 2, 3):
        put(f"s/{number}", b"%d" % number * 4)
    manifest = [{"path": f"/{container}/s/{number}"} for number in (1, 2, 3)]
    put("p/large", json.dumps(manifest).encode(), "?multipart-manifest=put")
    (tmp_path / "large").write_bytes(b"111122223333")
    url = f"swift://{container}/p"
    code, findings, finished = verified(swift, tmp_path, url)
    assert (code, findings, finished["requests"]) == (0, {}, {"GET": 4, "HEAD": 4})
    match harm:
        case "gone":
            judge.delete(container, "s/2")
        case "changed":
            put("s/2", b"2two")
        case "expired":
            put("s/2", b"2222", fields={"X-Delete-After": "1"})
            while judge.get(container, "s/2") is not None:
                time.sleep(0.1)
    assert verified(swift, tmp_path, url)[:2] == (1, {"p/large": "different"})
    flags = ("--skip", "identical", "--summary", "-", "-q")
    ran = bulkput("upload", *flags, tmp_path, url, environ=swift.environment)
    assert (ran.exit_code, ran.summary["uploaded"]) == (0, 1), ran.err
    seen = judge.get(container, "p/large")
    assert seen is not None
    assert seen.content == b"111122223333"
    assert verified(swift, tmp_path, url)[:2] == (0, {})


@pytest.mark.parametrize("mode", ["existing", "unchanged", "identical"])
def test_an_empty_file_is_sent_over_a_broken_symlink(
    swift: RealSwift, container: str, tmp_path: Path, put: Put, mode: str
) -> None:
    """bulkput upload --skip MODE: dangling and circular symlinks, and a static one whose target has changed"""
    judge = SwiftJudge(swift.auth_url, swift.user, swift.key)
    put("target", b"1")
    put("p/nowhere", fields={"X-Symlink-Target": f"{container}/none"})
    put("p/circle", fields={"X-Symlink-Target": f"{container}/p/circle2"})
    put("p/circle2", fields={"X-Symlink-Target": f"{container}/p/circle"})
    etag = hashlib.md5(b"1").hexdigest()
    put("p/static", fields={"X-Symlink-Target": f"{container}/target", "X-Symlink-Target-Etag": etag})
    put("target", b"2")
    for name in ("nowhere", "circle", "static"):
        (tmp_path / name).touch()
    flags = ("--skip", mode, "--summary", "-", "-q")
    ran = bulkput("upload", *flags, tmp_path, f"swift://{container}/p", environ=swift.environment)
    assert (ran.exit_code, ran.summary["uploaded"]) == (0, 3), ran.err
    for name in ("nowhere", "circle", "static"):
        assert judge.get(container, f"p/{name}") is not None
