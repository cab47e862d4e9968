"""Large objects, expiry, long names and long headers on a real Ceph RGW."""

import os
import random
import subprocess
import time
import uuid
from pathlib import Path

import pytest

from tests.e2e.cli import Ran, bulkput
from tests.servers.judge import SwiftJudge
from tests.servers.rgw import RealRgw
from tests.servers.swift import SCRIPT, RealSwift

pytestmark = pytest.mark.rgw
SWIFT_CLIENT = SCRIPT.parents[1] / ".tools" / "swift-venv" / "bin" / "swift"
KIB = 1024


@pytest.fixture
def account(rgw: RealRgw) -> RealSwift:
    """An account with nothing in it."""
    return rgw.add_account(uuid.uuid4().hex[:8], "secret")


@pytest.fixture
def container() -> str:
    """The name of a container that does not exist yet: accounts share the names."""
    return f"box-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def judge(account: RealSwift) -> SwiftJudge:
    return SwiftJudge(account.auth_url, account.user, account.key)


def downloaded(account: RealSwift, container: str, name: str) -> bytes:
    """The object as python-swiftclient reads it."""
    command = [str(SWIFT_CLIENT), "-q", "download", container, name, "--output", "-"]
    return subprocess.run(command, env={**os.environ, **account.environment}, check=True, capture_output=True).stdout


def sent_in_parts(account: RealSwift, source: Path, url: str, *flags: str) -> Ran:
    small = ("--segment-above", "4K", "--segment-size", "1K", "--summary", "-")
    ran = bulkput("upload", *small, *flags, source, url, environ=account.environment)
    assert ran.exit_code == 0, ran.err
    return ran


# --- many parts


def test_a_dynamic_large_object_has_more_parts_than_a_static_one_may(
    account: RealSwift, container: str, tmp_path: Path
) -> None:
    """bulkput upload --segment-size 1K, verify, upload --skip identical: 1201 parts"""
    content = random.Random(7).randbytes(1200 * KIB + 7)
    (tmp_path / "big").write_bytes(content)
    url = f"swift://{container}"
    sent = sent_in_parts(account, tmp_path, url)
    assert (sent.summary["large"]["sent"], sent.summary["large"]["parts_sent"]) == (1, 1201)
    assert downloaded(account, container, "big") == content
    verified = bulkput("verify", tmp_path, url, environ=account.environment)
    assert verified.exit_code == 0, verified.out + verified.err
    again = sent_in_parts(account, tmp_path, url, "--skip", "identical")
    assert (again.summary["skipped"], again.summary["uploaded"]) == (1, 0)


@pytest.mark.parametrize(("size", "parts"), [(1000 * KIB, 1000), (1200 * KIB, 2)])
def test_a_static_large_object_has_a_thousand_parts_at_most(
    account: RealSwift, container: str, tmp_path: Path, size: int, parts: int
) -> None:
    """bulkput upload --large slo --segment-size 1K: if there were more, they are larger (of a MiB)"""
    content = random.Random(size).randbytes(size)
    (tmp_path / "big").write_bytes(content)
    sent = sent_in_parts(account, tmp_path, f"swift://{container}", "--large", "slo")
    assert sent.summary["large"]["parts_sent"] == parts
    assert downloaded(account, container, "big") == content


# --- their segments


def test_mv_and_rm_with_segments_leave_none_behind(
    account: RealSwift, container: str, tmp_path: Path, judge: SwiftJudge
) -> None:
    """bulkput mv -r --with-segments, then rm -r --with-segments, of what bulkput has sent to RGW"""
    content = random.Random(9).randbytes(8 * KIB)
    (tmp_path / "big").write_bytes(content)
    (tmp_path / "small").write_bytes(b"small")
    url, segments = f"swift://{container}", f"{container}_segments"
    sent_in_parts(account, tmp_path, f"{url}/p")
    before = judge.names(segments)
    moved = bulkput("mv", "-r", "--with-segments", f"{url}/p/", f"{url}/q/", environ=account.environment)
    assert moved.exit_code == 0, moved.err
    assert judge.names(container) == ["q/big", "q/small"]
    assert judge.names(segments) == [name.replace("p/", "q/", 1) for name in before]
    assert downloaded(account, container, "q/big") == content
    removed = bulkput("rm", "-r", "--with-segments", "--yes", f"{url}/q/", environ=account.environment)
    assert removed.exit_code == 0, removed.err
    assert judge.names(container) == judge.names(segments) == []


def test_a_static_large_object_of_the_account_keeps_all_segments(
    account: RealSwift, container: str, tmp_path: Path, judge: SwiftJudge
) -> None:
    """bulkput rm -r --with-segments: RGW does not show what that one reads, so nothing is proven to be unread"""
    (tmp_path / "big").write_bytes(random.Random(10).randbytes(8 * KIB))
    url, segments = f"swift://{container}", f"{container}_segments"
    sent_in_parts(account, tmp_path, f"{url}/static", "--large", "slo")
    sent_in_parts(account, tmp_path, f"{url}/dynamic")
    before = judge.names(segments)
    removed = bulkput("rm", "-r", "--with-segments", "--yes", f"{url}/dynamic/", environ=account.environment)
    assert (removed.exit_code, judge.names(container), judge.names(segments)) == (1, ["static/big"], before)
    assert "the answer is not the manifest of a large object" in removed.err


# --- expiry


def expiries(judge: SwiftJudge, container: str) -> dict[str, int]:
    """The names of the objects that expire, and in how many days."""
    heads = {name: judge.head(container, name) for name in judge.names(container)}
    return {
        name: round((int(head["X-Delete-At"]) - time.time()) / 86_400)
        for name, head in heads.items()
        if "X-Delete-At" in head
    }


def test_copies_and_moved_objects_expire_when_their_sources_do(
    account: RealSwift, container: str, tmp_path: Path, judge: SwiftJudge
) -> None:
    """bulkput upload --expires-in 7d, then cp -r, mv -r --with-segments, cp --expires-in 2d"""
    (tmp_path / "big").write_bytes(random.Random(11).randbytes(8 * KIB))
    (tmp_path / "small").write_bytes(b"small")
    url, segments = f"swift://{container}", f"{container}_segments"
    sent_in_parts(account, tmp_path, f"{url}/a", "--expires-in", "7d")
    judge.put(container, "a/stays", b"x")
    of_segments = expiries(judge, segments)
    assert len(of_segments) == 8
    for verb in (
        ("cp", "-r", f"{url}/a/", f"{url}/b/"),
        ("mv", "-r", "--with-segments", f"{url}/a/", f"{url}/c/"),
        ("cp", f"{url}/b/small", f"{url}/e/small", "--header", "X-Delete-After: 172800"),
    ):
        ran = bulkput(*verb, environ=account.environment)
        assert ran.exit_code == 0, ran.err
    assert "c/stays" in judge.names(container)
    assert expiries(judge, container) == {"b/big": 7, "b/small": 7, "c/big": 7, "c/small": 7, "e/small": 2}
    assert expiries(judge, segments) == of_segments | {
        n.replace("a/", "c/", 1): days for n, days in of_segments.items()
    }


# --- long names and headers


def test_names_of_1024_bytes_are_stored_and_longer_ones_fail_alone(
    account: RealSwift, container: str, tmp_path: Path, judge: SwiftJudge
) -> None:
    """bulkput upload, verify, cp, rm: one of the files is large"""
    deep = Path("d" * 255, "é" * 127, "e" * 255)
    for name, content in (("f" * 254, b"f"), ("ü" * 127, b"x" * 8 * KIB)):
        (tmp_path / deep).mkdir(parents=True, exist_ok=True)
        (tmp_path / deep / name).write_bytes(content)
    names = sorted(f"p/{path.relative_to(tmp_path)}" for path in tmp_path.rglob("*") if path.is_file())
    assert [len(name.encode()) for name in names] == [1023, 1023]
    (tmp_path / deep / ("g" * 255)).write_bytes(b"g")
    names.append(f"p/{deep}/{'g' * 255}")
    (tmp_path / deep / "h").mkdir()
    (tmp_path / deep / "h" / ("h" * 254)).write_bytes(b"too long")
    url = f"swift://{container}/p"
    flags = ("--segment-above", "4K", "--segment-size", "1K", "--summary", "-")
    ran = bulkput("upload", *flags, tmp_path, url, environ=account.environment)
    assert (ran.exit_code, ran.summary["uploaded"], ran.summary["failed"]) == (1, 3, 1), ran.err
    assert judge.names(container) == sorted(names, key=str.encode)
    (tmp_path / deep / "h" / ("h" * 254)).unlink()
    assert bulkput("verify", tmp_path, url, environ=account.environment).exit_code == 0
    copied = bulkput("cp", "-r", f"{url}/", f"swift://{container}/q/", environ=account.environment)
    assert copied.exit_code == 0, copied.err
    removed = bulkput("rm", "-r", "--yes", f"{url}/", environ=account.environment)
    assert (removed.exit_code, len(judge.names(container))) == (0, 3), removed.err
    assert downloaded(account, container, f"q/{deep}/{'ü' * 127}") == b"x" * 8 * KIB


@pytest.mark.parametrize(("count", "size", "status"), [(120, 100, 0), (140, 100, 1), (1, 16_000, 0), (1, 16_400, 1)])
def test_a_header_that_is_too_long_is_told_as_the_reason(
    account: RealSwift, container: str, tmp_path: Path, count: int, size: int, status: int
) -> None:
    """bulkput upload --meta: RGW takes 16 384 bytes of fields, and says nothing but 400"""
    (tmp_path / "a").write_bytes(b"a")
    meta = [f"--meta=K{n:03d}: {'v' * size}" for n in range(count)]
    ran = bulkput("upload", *meta, tmp_path, f"swift://{container}", environ=account.environment)
    reason = "bytes of header fields, more than this server takes: send less metadata (--meta)"
    assert (ran.exit_code, reason in ran.err) == (status, status == 1), ran.err
