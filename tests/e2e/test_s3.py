"""`bulkput cp`, `mv`, `rm` and mirrors of what is in S3, on real servers. Each docstring begins with the command."""

import json
import shutil
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bulkput.stores.s3 import copies
from bulkput.stores.s3.store import S3Store
from tests.e2e.cli import Bulkput, Ran
from tests.e2e.cli import bulkput as bulkput_apart
from tests.e2e.s3_world import MIB, PART, Box, noise
from tests.servers.judge import SwiftJudge
from tests.servers.nginx import nginx_dav
from tests.servers.s3 import RealS3
from tests.servers.swift import RealSwift

pytestmark = pytest.mark.timeout(120)
ODD = ["ü/ö €", "a+b%20&c=d;e#f?", "quote\"s'<&>", "back\\slash", " a ", "dir//x", "p%percent"]


@pytest.fixture(
    params=[pytest.param("rgw_s3", marks=pytest.mark.rgw), pytest.param("s3api", marks=pytest.mark.swift), "moto"]
)
def box(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Box:
    """A bucket, and the variables that point bulkput at its server."""
    return box_of(request.getfixturevalue(request.param), monkeypatch)


def box_of(server: RealS3, monkeypatch: pytest.MonkeyPatch) -> Box:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return Box(server, server.make_bucket())


def put_parts(box: Box, key: str, content: bytes, **given: object) -> None:
    parts = {n + 1: content[at : at + PART] for n, at in enumerate(range(0, len(content), PART))}
    box.complete(key, box.left(key, parts, **given))


def ok(ran: Ran) -> Ran:
    assert ran.exit_code == 0, ran.out + ran.err
    return ran


def meta_of(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("x-amz-meta-")}


# --- copies


GIVEN = {
    "ContentType": "text/x-own", "CacheControl": "max-age=7", "ContentDisposition": "inline",
    "Metadata": {"color": "red", "size": "xl"},
}  # fmt: skip


@pytest.mark.parametrize("verb", ["cp", "mv"])
def test_a_tree_is_copied_with_its_headers(bulkput: Bulkput, box: Box, verb: str) -> None:
    """bulkput cp -r, mv -r: odd names, and an object in parts, to another bucket"""
    content = noise(2 * PART + 5)
    for name in ODD:
        box.judge.put(box.name, f"d/{name}", name.encode(), **GIVEN)
    box.judge.put(box.name, "d/empty")
    put_parts(box, "d/parts", content, **GIVEN)
    before = set(box.judge.names(box.name))
    other = box.server.make_bucket()
    ok(bulkput(verb, "-r", f"s3://{box.name}/d/", f"s3://{other}/e/"))
    assert set(box.judge.names(other)) == {f"e/{name[2:]}" for name in before}
    assert set(box.judge.names(box.name)) == (before if verb == "cp" else set())
    assert box.judge.content(other, "e/parts") == content
    for name in ODD:
        assert box.judge.content(other, f"e/{name}") == name.encode()
    for name in ("e/parts", f"e/{ODD[0]}"):
        headers = box.judge.head(other, name)
        assert headers["content-type"].startswith("text/x-own")
        assert (headers["cache-control"], headers["content-disposition"]) == ("max-age=7", "inline")
        assert meta_of(headers) == {"x-amz-meta-color": "red", "x-amz-meta-size": "xl"}


def test_given_headers_replace_those_of_the_source(bulkput: Bulkput, box: Box) -> None:
    """bulkput cp --meta --header: name by name; what is not given stays"""
    box.judge.put(box.name, "a", b"1", **GIVEN)
    url = f"s3://{box.name}"
    ok(bulkput("cp", "--meta", "Color: blue", "--header", "Cache-Control: no-store", f"{url}/a", f"{url}/b"))
    headers = box.judge.head(box.name, "b")
    assert meta_of(headers) == {"x-amz-meta-color": "blue", "x-amz-meta-size": "xl"}
    assert headers["cache-control"] == "no-store"
    assert headers["content-type"].startswith("text/x-own")
    assert headers["content-disposition"] == "inline"


TAGS = [{"Key": "team", "Value": "a b+c"}]


def is_tagged(box: Box, key: str) -> bool:
    """Gives the object tags, if the server has such a thing: s3api has not."""
    try:
        box.client.put_object_tagging(Bucket=box.name, Key=key, Tagging={"TagSet": TAGS})
    except box.client.exceptions.ClientError:
        return False
    return True


@pytest.mark.parametrize("flags", [(), ("--meta", "Color: blue")])
def test_an_object_above_the_limit_is_copied_in_parts(
    bulkput: Bulkput, box: Box, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...]
) -> None:
    """bulkput mv: the limit is 6 MiB here, and parts have 5; Ceph's name without a percent sign"""
    monkeypatch.setattr(S3Store, "limits", replace(S3Store.limits, max_object_bytes=6 * MIB))
    monkeypatch.setattr(copies, "_PART", PART)
    content = noise(2 * PART + 5)
    put_parts(box, "a ü+", content, **GIVEN)
    has_tags = is_tagged(box, "a ü+")
    url = f"s3://{box.name}"
    ok(bulkput("mv", *flags, f"{url}/a ü+", f"{url}/b"))
    assert box.judge.names(box.name) == ["b"]
    assert box.judge.content(box.name, "b") == content
    headers = box.judge.head(box.name, "b")
    assert meta_of(headers) == {"x-amz-meta-color": "blue" if flags else "red", "x-amz-meta-size": "xl"}
    assert box.unfinished() == []
    if has_tags:
        assert box.client.get_object_tagging(Bucket=box.name, Key="b")["TagSet"] == TAGS


def test_a_copy_keeps_its_storage_class(bulkput: Bulkput, moto: RealS3, monkeypatch: pytest.MonkeyPatch) -> None:
    """bulkput mv: S3 itself would give it the usual one"""
    box = box_of(moto, monkeypatch)
    box.judge.put(box.name, "a", b"1", StorageClass="STANDARD_IA", Metadata={"color": "red"})
    url = f"s3://{box.name}"
    ok(bulkput("mv", f"{url}/a", f"{url}/b"))
    headers = box.judge.head(box.name, "b")
    assert (headers["x-amz-storage-class"], headers["x-amz-meta-color"]) == ("STANDARD_IA", "red")


# --- removals


def test_a_tree_of_odd_names_is_removed(bulkput: Bulkput, box: Box) -> None:
    """bulkput rm -r: also an object in parts; what is beside it stays"""
    for name in ODD:
        box.judge.put(box.name, f"d/{name}", b"1")
    put_parts(box, "d/parts", noise(PART + 1))
    box.judge.put(box.name, "dd", b"1")
    ok(bulkput("rm", "-r", "--yes", f"s3://{box.name}/d/"))
    assert box.judge.names(box.name) == ["dd"]


@pytest.mark.rgw
def test_an_object_that_may_not_be_removed_fails_alone(
    bulkput: Bulkput, rgw_s3: RealS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bulkput rm -r: the bucket's policy forbids one of them"""
    box = box_of(rgw_s3, monkeypatch)
    for number in range(30):
        box.judge.put(box.name, f"d/{number:02d}", b"1")
    statement = {
        "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject",
        "Resource": [f"arn:aws:s3:::{box.name}/d/07"],
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    box.client.put_bucket_policy(Bucket=box.name, Policy=policy)
    ran = bulkput("rm", "-r", "--yes", f"s3://{box.name}/d/")
    assert (ran.exit_code, box.judge.names(box.name)) == (1, ["d/07"]), ran.err
    assert "d/07" in ran.err and "AccessDenied" in ran.err


@pytest.mark.parametrize("server", [pytest.param("rgw_s3", marks=pytest.mark.rgw), "moto"])
@pytest.mark.parametrize("count", [1, 3])
def test_a_bucket_that_keeps_versions_says_that_they_stay(
    bulkput: Bulkput, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, server: str, count: int
) -> None:
    """bulkput rm -r"""
    box = box_of(request.getfixturevalue(server), monkeypatch)
    box.client.put_bucket_versioning(Bucket=box.name, VersioningConfiguration={"Status": "Enabled"})
    for number in range(count):
        box.judge.put(box.name, f"d/{number}", b"1")
    ran = ok(bulkput("rm", "-r", "--yes", f"s3://{box.name}/d/"))
    assert ran.err.count("the bucket keeps versions") == 1
    assert box.judge.names(box.name) == []
    assert len(box.client.list_object_versions(Bucket=box.name)["Versions"]) == count


# --- mirrors


def test_a_mirror_removes_what_has_no_file(box: Box, tmp_path: Path) -> None:
    """bulkput upload --delete-extra: an empty object and one in parts too; what is beside the destination stays"""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a").write_bytes(b"1")
    (tmp_path / "tree" / "zero").touch()
    for name in ODD:
        box.judge.put(box.name, f"p/{name}", b"1")
    for name in ("p/empty", "beside", "q/empty"):
        box.judge.put(box.name, name)
    put_parts(box, "p/parts", noise(PART + 1))
    url = f"s3://{box.name}/p/"
    flags = ("--skip", "identical", "--delete-extra", "--max-delete", "1")
    kept = bulkput_apart("upload", *flags, tmp_path / "tree", url)
    assert "p/parts" in box.judge.names(box.name), kept.err
    ok(bulkput_apart("upload", *flags[:3], tmp_path / "tree", url))
    assert set(box.judge.names(box.name)) == {"p/a", "p/zero", "beside", "q/empty"}


# --- two kinds of stores


@pytest.mark.swift
@pytest.mark.rgw
@pytest.mark.parametrize("verb", ["cp", "mv"])
def test_objects_pass_between_s3_and_swift(
    bulkput: Bulkput, rgw_s3: RealS3, swift: RealSwift, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """bulkput cp -r s3://... swift://..., and back: with types and metadata; what expires is not moved to S3"""
    box = box_of(rgw_s3, monkeypatch)
    for name, value in swift.environment.items():
        monkeypatch.setenv(name, value)
    judge, container = SwiftJudge(swift.auth_url, swift.user, swift.key), f"r-{uuid.uuid4().hex[:8]}"
    content = noise(PART + 3)
    put_parts(box, "d/parts", content, **GIVEN)
    box.judge.put(box.name, "d/empty")
    box.judge.put(box.name, f"d/{ODD[0]}", b"odd", **GIVEN)
    ok(bulkput(verb, "-r", f"s3://{box.name}/d/", f"swift://{container}/e/"))
    names = {"e/parts", "e/empty", f"e/{ODD[0]}"}
    assert set(judge.names(container)) == names
    assert judge.content(container, "e/parts") == content
    headers = judge.head(container, "e/parts")
    assert (headers["Content-Type"], headers["X-Object-Meta-Color"]) == ("text/x-own", "red")
    judge.put(container, "e/expires", b"1", fields={"X-Delete-After": "3600"})
    back = bulkput(verb, "-r", f"swift://{container}/e/", f"s3://{box.name}/f/")
    moved = names | ({"e/expires"} if verb == "cp" else set())
    assert {f"e/{each[2:]}" for each in box.judge.names(box.name) if each.startswith("f/")} == moved
    assert ("it expires, which the destination does not keep" in back.err) is (verb == "mv")
    assert box.judge.content(box.name, "f/parts") == content
    assert meta_of(box.judge.head(box.name, "f/parts")) == {"x-amz-meta-color": "red", "x-amz-meta-size": "xl"}


# --- judges


@pytest.mark.rgw
@pytest.mark.skipif(shutil.which("rclone") is None, reason="no rclone")
def test_rclone_finds_the_files_that_were_sent(rgw_s3: RealS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """bulkput upload, then rclone check --download: small files and one in parts, with their times"""
    box = box_of(rgw_s3, monkeypatch)
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "big").write_bytes(noise(3 * PART + 1))
    for number in range(20):
        (tree / "sub" / f"{number} ü+").write_bytes(noise(number * 100, number))
    ran = bulkput_apart(
        "upload", "--segment-above", "5M", "--segment-size", "5M", tree, f"s3://{box.name}/p",
        environ=rgw_s3.environment,
    )  # fmt: skip
    assert ran.exit_code == 0, ran.err
    options = f"provider=Ceph,env_auth=true,endpoint='{rgw_s3.endpoint}',region=us-east-1"
    for verb in (("check", "--download"), ("sync", "--dry-run")):
        checked = subprocess.run(
            ["rclone", *verb, str(tree), f":s3,{options}:{box.name}/p"], capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stderr
        assert "Skipped" not in checked.stderr, checked.stderr


@pytest.mark.nginx
def test_an_endpoint_with_a_path_is_served(moto: RealS3, tmp_path: Path) -> None:
    """A gateway that passes on what is below a path, as some services have it. (moto does not check signatures.)"""
    bucket = moto.make_bucket()
    (tmp_path / "tree" / "a b").mkdir(parents=True)
    (tmp_path / "tree" / "a b" / "c").write_text("c")
    with nginx_dav(locations=f"location /storage/v1/s3/ {{ proxy_pass {moto.endpoint}/; }}") as server:
        environ = {**moto.environment, "AWS_ENDPOINT_URL": f"{server.url}/storage/v1/s3/"}
        sent = bulkput_apart("upload", tmp_path / "tree", f"s3://{bucket}", environ=environ)
        assert sent.exit_code == 0, sent.err
        assert bulkput_apart("ls", "-r", f"s3://{bucket}", environ=environ).out == "a b/c\n"
    assert moto.client().get_object(Bucket=bucket, Key="a b/c")["Body"].read() == b"c"
