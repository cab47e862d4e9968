"""Uploads to a real Swift and a real Ceph RGW, checked with rclone and the swift client."""

import gzip
import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

from tests.e2e.cli import bulkput
from tests.servers.judge import SwiftJudge
from tests.servers.swift import SCRIPT, RealSwift

pytestmark = [pytest.mark.timeout(180)]
STDLIB = Path(sysconfig.get_path("stdlib"))
FOLDERS = ("concurrent", "json")


@pytest.fixture(scope="module")
def server(swift_or_rgw: RealSwift) -> RealSwift:
    return swift_or_rgw


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A part of Python's standard library, and a file larger than the buffer."""
    root = tmp_path_factory.mktemp("lib")
    for folder in FOLDERS:
        (root / folder).symlink_to(STDLIB / folder)
    (root / "large.bin").write_bytes(os.urandom(3_000_000))
    return root


def rclone(server: RealSwift, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {"RCLONE_CONFIG": os.devnull, "RCLONE_SWIFT_AUTH": server.auth_url}
    environ |= {"RCLONE_SWIFT_USER": server.user, "RCLONE_SWIFT_KEY": server.key}
    return subprocess.run(
        ["rclone", *arguments], env={**os.environ, **environ}, capture_output=True, text=True, check=False
    )


def test_a_tree_is_stored_completely_with_one_put_per_file(server: RealSwift, tree: Path, tmp_path: Path) -> None:
    """bulkput upload TREE swift://c/p, then rclone check, and swift download + diff -r"""
    files = [path for folder in FOLDERS for path in (STDLIB / folder).rglob("*") if path.is_file()]
    ran = bulkput(*("upload", tree, "swift://lib/p", "--follow-symlinks", "--summary", "-"), environ=server.environment)
    assert ran.exit_code == 0, ran.err
    summary = ran.summary
    assert summary["found"] == summary["uploaded"] == len(files) + 1
    assert summary["requests"] == {"GET": 1, "PUT": len(files) + 2}

    judged = rclone(server, "check", "--copy-links", str(tree), ":swift:lib/p")
    assert judged.returncode == 0, judged.stderr
    assert f"{len(files) + 1} matching files" in judged.stderr

    client = SCRIPT.parents[1] / ".tools" / "swift-venv" / "bin" / "swift"
    download = [str(client), "-q", "download", "lib", "--output-dir", str(tmp_path)]
    subprocess.run(download, env={**os.environ, **server.environment}, check=True)
    subprocess.run(["diff", "-r", str(tree), str(tmp_path / "p")], check=True)


@pytest.fixture
def dated(tmp_path: Path) -> Path:
    """Files with mtimes with nanoseconds, without a fraction, before 1970 and far ahead."""
    for n in range(20):
        (tmp_path / f"{n}").write_text(str(n))
    for n, mtime_ns in enumerate((1_500_000_000_123_456_789, 1_500_000_000_000_000_000, -1, -1_750_000_001, 2**62)):
        os.utime(tmp_path / f"{n}", ns=(mtime_ns, mtime_ns))
    return tmp_path


@pytest.mark.parametrize("verb", ["copy", "sync"])
def test_rclone_copy_and_sync_transfer_nothing_after_an_upload(server: RealSwift, dated: Path, verb: str) -> None:
    """bulkput upload, then rclone copy or sync TREE :swift:c: it changes no header either"""
    expiring = ("--cache-control", "max-age=60", "--expires-in", "7d", "--meta", "Color: red")
    assert bulkput("upload", dated, f"swift://{verb}", *expiring, environ=server.environment).exit_code == 0
    before = _heads(server, verb, dated)
    ran = rclone(server, verb, "-vv", str(dated), f":swift:{verb}")
    assert ran.returncode == 0 and "There was nothing to transfer" in ran.stderr, ran.stderr
    assert "Updated modification time" not in ran.stderr
    assert _heads(server, verb, dated) == before
    assert all(head["cache-control"] == "max-age=60" and "x-delete-at" in head for head in before)
    assert rclone(server, "check", str(dated), f":swift:{verb}").returncode == 0


def test_rclone_downloads_compressed_objects_only_with_identity(server: RealSwift, tmp_path: Path) -> None:
    """bulkput upload --gzip always, then rclone copy: by default it unpacks the stream and calls it corrupted"""
    (tmp_path / "a.txt").write_text("abc" * 1000)
    asked = ("--gzip", "always")
    assert bulkput("upload", tmp_path / "a.txt", "swift://zipped/", *asked, environ=server.environment).exit_code == 0
    refused = rclone(server, "copy", "--retries", "1", ":swift:zipped", str(tmp_path / "unpacked"))
    assert refused.returncode != 0 and "Object Corrupted" in refused.stderr
    identity = ("--header-download", "Accept-Encoding: identity")
    assert rclone(server, "copy", *identity, ":swift:zipped", str(tmp_path / "packed")).returncode == 0
    assert gzip.decompress((tmp_path / "packed" / "a.txt").read_bytes()) == b"abc" * 1000


def _heads(server: RealSwift, container: str, tree: Path) -> list[dict[str, str]]:
    """Gives the header fields of each object."""
    changing = ("date", "x-trans-id", "x-openstack-request-id", "accept-ranges", "connection")
    judge, found = _judge(server), []
    for path in sorted(tree.iterdir()):
        seen = judge.get(container, path.name)
        assert seen is not None
        found.append({name.lower(): value for name, value in seen.headers.items() if name.lower() not in changing})
    return found


def test_swift_upload_changed_sends_nothing_after_an_upload(server: RealSwift, dated: Path) -> None:
    """bulkput upload --mtime-format swiftclient, then swift upload --changed"""
    asked = ("--mtime-format", "swiftclient")
    assert bulkput("upload", dated, "swift://changed", *asked, environ=server.environment).exit_code == 0
    before = {row["name"]: row["last_modified"] for row in _judge(server).rows("changed")}
    client = SCRIPT.parents[1] / ".tools" / "swift-venv" / "bin" / "swift"
    subprocess.run(
        [str(client), "upload", "--changed", "changed", "."],
        env={**os.environ, **server.environment},
        cwd=dated,
        check=True,
        capture_output=True,
    )
    assert {row["name"]: row["last_modified"] for row in _judge(server).rows("changed")} == before


@pytest.mark.swift
def test_an_unknown_storage_policy_is_refused_with_the_known_ones(swift: RealSwift, tmp_path: Path) -> None:
    """bulkput upload --storage-policy gold: exit 2"""
    (tmp_path / "x").touch()
    ran = bulkput("upload", tmp_path, "swift://gold", "--storage-policy", "gold", environ=swift.environment)
    assert ran.exit_code == 2
    assert "the cluster has no storage policy 'gold'; choose from: Policy-0" in ran.err


def test_ls_prints_names_in_the_order_of_the_upload(server: RealSwift, tmp_path: Path) -> None:
    """bulkput ls -r: the walk and Swift sort by the bytes of UTF-8"""
    for name in ("a", "a-b", "b/c", "b-d", "é", "🚀", "Z", "b.e"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    sent = bulkput(*("upload", tmp_path, "swift://order", "--json", "--concurrency", "1"), environ=server.environment)
    uploaded = [row["key"] for row in sent.rows if row["event"] == "uploaded"]
    assert bulkput("ls", "-r", "swift://order", environ=server.environment).out.splitlines() == uploaded
    assert uploaded == sorted(uploaded, key=str.encode)


def _judge(server: RealSwift) -> SwiftJudge:
    return SwiftJudge(server.auth_url, server.user, server.key)
