"""Uploads to a real Ceph RGW by its Swift API, checked with rclone."""

import hashlib
import json
import os
import re
import subprocess
import time
import uuid
from pathlib import Path

import pytest

from tests.e2e.cli import bulkput
from tests.servers.judge import SwiftJudge
from tests.servers.rgw import RealRgw

pytestmark = pytest.mark.rgw
ODD_NAMES = (
    "plain", "with space", "ünïcödé/日本語", "hash#and?query&more=1", "percent%2f", "plus+plus", "quote'\"`",
    "back\\slash", "deep/er/and/deeper", "emoji-🚀", "new\nline", "-dash", "~", "a:b", "empty",
)  # fmt: skip


@pytest.fixture
def container(rgw: RealRgw) -> str:
    """The name of a container that does not exist yet."""
    return f"e2e-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def judge(rgw: RealRgw) -> SwiftJudge:
    return SwiftJudge(rgw.auth_url, rgw.user, rgw.key)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Files with odd names; one is empty, one is larger than the buffer."""
    root = tmp_path / "tree"
    for name in ODD_NAMES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"" if name == "empty" else name.encode())
    (root / "large").write_bytes(os.urandom(3_000_000))
    return root


def test_odd_names_are_stored_verified_skipped_and_listed(
    rgw: RealRgw, container: str, tree: Path, judge: SwiftJudge
) -> None:
    """bulkput upload, verify, upload --skip identical, ls -r; rclone check agrees"""
    url, count = f"swift://{container}/p", len(ODD_NAMES) + 1
    sent = bulkput("upload", tree, url, "--summary", "-", environ=rgw.environment)
    assert sent.exit_code == 0, sent.err
    assert sent.summary["uploaded"] == count
    assert sent.summary["requests"] == {"GET": 1, "PUT": count + 1}

    environ = {"RCLONE_CONFIG": os.devnull, "RCLONE_SWIFT_AUTH": rgw.auth_url}
    environ |= {"RCLONE_SWIFT_USER": rgw.user, "RCLONE_SWIFT_KEY": rgw.key}
    judged = subprocess.run(
        ["rclone", "check", str(tree), f":swift:{container}/p"],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0 and f"{count} matching files" in judged.stderr, judged.stderr

    verified = bulkput("verify", tree, url, environ=rgw.environment)
    assert verified.exit_code == 0, verified.err
    again = bulkput("upload", tree, url, "--skip", "identical", "--summary", "-", environ=rgw.environment)
    assert (again.exit_code, again.summary["uploaded"], again.summary["skipped"]) == (0, 0, count), again.err
    listed = bulkput("ls", "-r", "--json", url, environ=rgw.environment)
    names = [f"p/{path.relative_to(tree)}" for path in tree.rglob("*") if path.is_file()]
    assert [row["name"] for row in listed.rows] == sorted(names, key=str.encode) == judge.names(container)


def test_rm_removes_all_below_a_prefix(rgw: RealRgw, container: str, tree: Path, judge: SwiftJudge) -> None:
    """bulkput rm -r: by a bulk-delete, since /swift/info says that RGW takes them"""
    assert bulkput("upload", tree, f"swift://{container}/p", environ=rgw.environment).exit_code == 0
    judge.put(container, "stays", b"x")
    removed = bulkput("rm", "-r", "--yes", f"swift://{container}/p/", environ=rgw.environment)
    assert removed.exit_code == 0, removed.err
    assert re.search(f"{len(ODD_NAMES) + 1} removed.*; [45] requests", removed.err), removed.err
    assert judge.names(container) == ["stays"]


def test_an_unknown_storage_policy_is_refused_with_the_known_ones(rgw: RealRgw, container: str, tree: Path) -> None:
    """bulkput upload --storage-policy gold: exit 2"""
    ran = bulkput("upload", tree, f"swift://{container}", "--storage-policy", "gold", environ=rgw.environment)
    assert ran.exit_code == 2
    assert "the cluster has no storage policy 'gold'; choose from: default-placement" in ran.err


@pytest.mark.parametrize("policy", [(), ("--storage-policy", "default-placement")])
def test_a_public_container_takes_objects(
    rgw: RealRgw, container: str, tree: Path, judge: SwiftJudge, policy: tuple[str, ...]
) -> None:
    """bulkput upload: RGW answers 409 to the PUT of a container that has an ACL, and it stays as it is"""
    judge.put(container, "", b"")
    judge.post(container, "", {"X-Container-Read": ".r:*,.rlistings"})
    ran = bulkput("upload", tree, f"swift://{container}", *policy, environ=rgw.environment)
    assert ran.exit_code == 0, ran.err
    assert len(judge.names(container)) == len(ODD_NAMES) + 1
    # RGW takes the account in the URL of a stranger for a tenant, which `test` is not in: its S3 address has none.
    address = f"{rgw.auth_url.removesuffix('/auth/v1.0')}/{container}/plain"
    assert subprocess.run(["curl", "-sf", address], capture_output=True, check=True).stdout == b"plain"


def test_a_container_of_another_account_is_refused_with_a_hint(
    rgw: RealRgw, container: str, tree: Path, judge: SwiftJudge
) -> None:
    """bulkput upload: all accounts share the names of containers, unless they are in tenants"""
    judge.put(container, "", b"")
    other = rgw.add_account(f"other-{container}", "secret")
    ran = bulkput("upload", tree, f"swift://{container}", environ=other.environment)
    assert ran.exit_code == 3
    assert "403 Forbidden: AccessDenied; the container may be another account's: then choose another name" in ran.err


@pytest.mark.parametrize("name", ["ab", "n" * 256])
def test_a_container_whose_name_rgw_does_not_take_is_a_usage_error(rgw: RealRgw, tree: Path, name: str) -> None:
    """bulkput upload: RGW takes 3 to 255 bytes, Swift 1 to 256"""
    ran = bulkput("upload", tree, f"swift://{name}", environ=rgw.environment)
    assert (ran.exit_code, ran.err.count("\n")) == (2, 1)
    assert "the store takes no container of the name 'ab': Bad Request: InvalidBucketName" in ran.err or name != "ab"


def store_static(judge: SwiftJudge, container: str, name: str, segments: dict[str, bytes]) -> None:
    """Stores segments and a static large object of them. RGW takes sizes and MD5s from the manifest."""
    judge.put(container, "", b"")
    for segment, content in segments.items():
        judge.put(container, segment, content)
    manifest = [
        {"path": f"/{container}/{segment}", "etag": hashlib.md5(content).hexdigest(), "size_bytes": len(content)}
        for segment, content in segments.items()
    ]
    judge.put(container, name, json.dumps(manifest).encode(), query="?multipart-manifest=put")


SEGMENTS = {"p/segments/1": b"hello", "p/segments/2": b"world"}


def test_a_mirror_keeps_the_segments_of_a_large_object_that_stays(
    rgw: RealRgw, container: str, tmp_path: Path, judge: SwiftJudge
) -> None:
    """bulkput upload --skip existing --delete-extra: RGW shows no manifest, so everything is kept"""
    (tmp_path / "large").write_bytes(b"helloworld")
    store_static(judge, container, "p/large", SEGMENTS)
    mirror = ("--skip", "existing", "--delete-extra")
    ran = bulkput("upload", tmp_path, f"swift://{container}/p", *mirror, environ=rgw.environment)
    assert ran.exit_code == 1
    seen = judge.get(container, "p/large")
    assert seen is not None and seen.content == b"helloworld"


def test_ls_gives_large_objects_the_size_of_what_they_are_composed_of(
    rgw: RealRgw, container: str, judge: SwiftJudge
) -> None:
    """bulkput ls --json: RGW lists a manifest with its own size, and its copy as empty"""
    store_static(judge, container, "p/static", {f"q/{name}": content for name, content in SEGMENTS.items()})
    url = f"swift://{container}/p"
    assert bulkput("cp", f"{url}/static", f"{url}/copy", environ=rgw.environment).exit_code == 0
    judge.put(container, "p/dynamic", b"", fields={"X-Object-Manifest": f"{container}/q/"})
    rows = bulkput("ls", "--json", url, environ=rgw.environment).rows
    assert [(row["name"], row["bytes"], row["large"]) for row in rows] == [
        ("p/copy", 10, "static"), ("p/dynamic", 10, "dynamic"), ("p/static", 10, "static"),
    ]  # fmt: skip


def test_cp_with_segments_copies_dynamic_large_objects_and_refuses_static_ones(
    rgw: RealRgw, container: str, judge: SwiftJudge
) -> None:
    """bulkput cp -r --with-segments: RGW shows no manifest, so of a static one nothing is copied"""
    store_static(judge, container, "p/static", {f"q/{name}": content for name, content in SEGMENTS.items()})
    judge.put(container, "p/dynamic", b"", fields={"X-Object-Manifest": f"{container}/q/p/segments/"})
    url = f"swift://{container}"
    ran = bulkput("cp", "-r", "--with-segments", f"{url}/p", f"{url}-b/p", environ=rgw.environment)
    assert (ran.exit_code, ran.err.count("failed: manifest p/static: 200 ")) == (1, 1), ran.err
    assert judge.names(f"{container}-b") == ["p/dynamic"]
    for name in SEGMENTS:
        judge.delete(container, f"q/{name}")
    seen = judge.get(f"{container}-b", "p/dynamic")
    assert seen is not None and seen.content == b"helloworld"


def test_mv_of_a_directory_refuses_to_part_a_large_object_from_its_segments(
    rgw: RealRgw, container: str, judge: SwiftJudge
) -> None:
    """bulkput mv -r: the large object, and its copy, which RGW lists with the size 0"""
    store_static(judge, container, "p/large", SEGMENTS)
    url = f"swift://{container}/"
    assert bulkput("cp", f"{url}p/large", f"{url}p/copy", environ=rgw.environment).exit_code == 0
    for name in ("p/large", "p/copy"):
        ran = bulkput("mv", "-r", f"{url}p/", f"{url}q/", environ=rgw.environment)
        assert ran.exit_code == 3 and f"manifest {name}: " in ran.err.replace("p/copy", name), ran.err
        seen = judge.get(container, "p/copy")
        assert seen is not None and seen.content == b"helloworld"
        if name == "p/large":
            judge.delete(container, name)


def test_mv_of_a_large_object_keeps_it_readable(rgw: RealRgw, container: str, judge: SwiftJudge) -> None:
    """bulkput mv: the manifest is copied, and its segments stay"""
    store_static(judge, container, "p/large", SEGMENTS)
    url = f"swift://{container}/"
    assert bulkput("mv", f"{url}p/large", f"{url}q/large", environ=rgw.environment).exit_code == 0
    seen = judge.get(container, "q/large")
    assert seen is not None and seen.content == b"helloworld"


@pytest.mark.parametrize("mode", ["unchanged", "identical"])
def test_a_file_is_sent_over_a_large_object_that_shows_no_segments(
    rgw: RealRgw, container: str, tmp_path: Path, judge: SwiftJudge, mode: str
) -> None:
    """bulkput upload --skip MODE: in doubt the file is sent"""
    (tmp_path / "large").write_bytes(b"helloworld")
    os.utime(tmp_path / "large", (0, 0))
    store_static(judge, container, "p/large", {f"q/{name}": content for name, content in SEGMENTS.items()})
    flags = ("--skip", mode, "--summary", "-", "-q")
    ran = bulkput("upload", *flags, tmp_path, f"swift://{container}/p", environ=rgw.environment)
    assert (ran.exit_code, ran.summary["uploaded"]) == (0, 1), ran.err
    seen = judge.get(container, "p/large")
    assert seen is not None and seen.content == b"helloworld" and "X-Static-Large-Object" not in seen.headers


def test_a_dynamic_large_object_is_verified(rgw: RealRgw, container: str, tmp_path: Path, judge: SwiftJudge) -> None:
    """bulkput verify, before and after a segment is written to"""
    (tmp_path / "large").write_bytes(b"helloworld")
    judge.put(container, "", b"")
    for name, content in SEGMENTS.items():
        judge.put(container, f"q/{name}", content)
    judge.put(container, "p/large", b"", fields={"X-Object-Manifest": f"{container}/q/p/segments/"})
    verify = ("verify", tmp_path, f"swift://{container}/p")
    ran = bulkput(*verify, environ=rgw.environment)
    assert ran.exit_code == 0, ran.out
    judge.put(container, "q/p/segments/2", b"WORLD")
    ran = bulkput(*verify, environ=rgw.environment)
    assert (ran.exit_code, ran.out) == (1, "different p/large (another MD5 in segment 2 of 2)\n")


@pytest.mark.parametrize("kind", ["dynamic", "static", "a copy"])
def test_segments_that_nothing_reads_are_removed_unless_a_manifest_cannot_be_seen(
    rgw: RealRgw, container: str, kind: str
) -> None:
    """bulkput segments --reap: RGW 16 shows the segments of dynamic large objects only, so others keep everything"""
    account = rgw.add_account(f"of-{container}", "secret")  # no other test's objects read anything there
    judge = SwiftJudge(account.auth_url, account.user, account.key)
    of_segments = f"{container}_segments"
    for name in ("k/bulkput/v1/00000001", "k/bulkput/v1/00000002", "gone/bulkput/v1/00000001"):
        judge.put(of_segments, "", b"")
        judge.put(of_segments, name, name[-1].encode())
    judge.put(container, "", b"")
    if kind == "dynamic":
        judge.put(container, "k", b"", fields={"X-Object-Manifest": f"{of_segments}/k/bulkput/v1/"})
    else:
        store_static(judge, of_segments, "k", {f"k/bulkput/v1/0000000{n}": str(n).encode() for n in (1, 2)})
    if kind == "a copy":
        copied = bulkput("cp", f"swift://{of_segments}/k", f"swift://{container}/k", environ=account.environment)
        assert copied.exit_code == 0, copied.err
        judge.delete(of_segments, "k")
    time.sleep(2.1)
    reap = ("segments", f"swift://{container}", "--reap", "--older-than", "1", "--json")
    ran = bulkput(*reap, environ=account.environment)
    numbers = ran.rows[-1]
    if kind == "dynamic":
        assert (ran.exit_code, numbers["removed"], numbers["read"]) == (0, 1, 2), ran.err
    else:
        assert (ran.exit_code, numbers["removed"], numbers["proven"]) == (1, 0, False), ran.err
    seen = judge.get(of_segments if kind == "static" else container, "k")
    assert seen is not None and seen.content == b"12"


def test_a_static_large_object_is_not_comparable_unless_its_size_is_another(
    rgw: RealRgw, container: str, tmp_path: Path, judge: SwiftJudge
) -> None:
    """bulkput verify: RGW 16 answers ?multipart-manifest=get with nothing, so no segment can be proven"""
    (tmp_path / "large").write_bytes(b"helloworld")
    store_static(judge, container, "p/large", {f"q/{name}": content for name, content in SEGMENTS.items()})
    ran = bulkput("verify", tmp_path, f"swift://{container}/p", environ=rgw.environment)
    assert (ran.exit_code, ran.out.startswith("not comparable p/large ")) == (1, True), ran.out
    (tmp_path / "large").write_bytes(b"helloworld!")
    ran = bulkput("verify", tmp_path, f"swift://{container}/p", environ=rgw.environment)
    assert (ran.exit_code, ran.out.startswith("different p/large ")) == (1, True), ran.out
