"""What is stored with objects of S3: ACLs, tags, checksums, fields by name. Each docstring begins with the command."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from bulkput.stores.s3 import copies
from bulkput.stores.s3.store import S3Store
from tests.e2e.cli import Bulkput, Ran
from tests.e2e.cli import bulkput as apart
from tests.e2e.s3_world import MIB, PART, Box, noise
from tests.servers.s3 import RealS3

pytestmark = pytest.mark.timeout(120)
IN_PARTS = ("--segment-above", "5MiB", "--segment-size", "5MiB")
TAGS = [{"Key": "new", "Value": ""}, {"Key": "team", "Value": "a b+c"}]
TAGGING = ("--header", "X-Amz-Tagging: team=a%20b%2Bc&new=")
NO_ACL = (
    "warning: copies do not have the ACLs of their sources, but what the store gives to new objects: name another by"
    " --header x-amz-acl\n"
)


@pytest.fixture(params=[pytest.param("rgw_s3", marks=pytest.mark.rgw), "moto"])
def box(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Box:
    """A bucket, and the variables that point bulkput at its server."""
    return box_of(request.getfixturevalue(request.param), monkeypatch)


@pytest.fixture
def ceph(rgw_s3: RealS3, monkeypatch: pytest.MonkeyPatch) -> Box:
    return box_of(rgw_s3, monkeypatch)


def box_of(server: RealS3, monkeypatch: pytest.MonkeyPatch) -> Box:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return Box(server, server.make_bucket())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "file"
    made.write_text("text")
    return made


@pytest.fixture
def big(tmp_path: Path) -> Path:
    made = tmp_path / "big"
    made.write_bytes(noise(PART + 5))
    return made


def warned(ran: Ran) -> str:
    """The warnings of a command that has succeeded."""
    assert ran.exit_code == 0, ran.err
    return "".join(line for line in ran.err.splitlines(keepends=True) if line.startswith("warning: "))


def told(ran: Ran) -> str:
    """The one line that says why a command has failed, without the store's name for the request."""
    lines = [line for line in ran.err.splitlines() if line.startswith(("failed: ", "bulkput: "))]
    assert (ran.exit_code, len(lines)) == (1, 1), ran.err
    return re.sub(r" \(tx[^)]*\)$", "", lines[0])


# --- ACLs


def is_public(box: Box, key: str) -> bool:
    grants = box.client.get_object_acl(Bucket=box.name, Key=key)["Grants"]
    return any(each["Grantee"].get("URI", "").endswith("/AllUsers") for each in grants)


@pytest.mark.parametrize("verb", ["cp", "mv"])
def test_a_copy_without_the_acl_of_its_source_is_told_once(bulkput: Bulkput, box: Box, verb: str) -> None:
    """bulkput cp -r, mv -r: as S3 itself does it; with --header x-amz-acl the copies have that one"""
    for name in "abc":
        box.judge.put(box.name, f"d/{name}", ACL="public-read")
    assert warned(bulkput(verb, "-r", f"s3://{box.name}/d/", f"s3://{box.name}/e/")) == NO_ACL
    assert not is_public(box, "e/a")
    given = ("--header", "X-Amz-Acl: public-read")
    assert warned(bulkput(verb, "-r", *given, f"s3://{box.name}/e/", f"s3://{box.name}/f/")) == ""
    assert all(is_public(box, f"f/{name}") for name in "abc")


def test_a_copy_that_loses_no_acl_says_nothing(bulkput: Bulkput, box: Box) -> None:
    """bulkput cp: one object, whose ACL is the usual one; two others may have one"""
    for name in ("one", "d/a", "d/b"):
        box.judge.put(box.name, name)
    assert warned(bulkput("cp", f"s3://{box.name}/one", f"s3://{box.name}/two")) == ""
    assert warned(bulkput("cp", "-r", f"s3://{box.name}/d/", f"s3://{box.name}/e/")) == NO_ACL


@pytest.mark.parametrize("ownership", ["BucketOwnerEnforced", "ObjectWriter", None])
def test_a_bucket_of_amazons_says_whether_it_has_acls(
    bulkput: Bulkput, moto: RealS3, monkeypatch: pytest.MonkeyPatch, ownership: str | None
) -> None:
    """bulkput cp: ownership controls that disable them are the default since 2023; an ACL is shown all the same"""
    box = box_of(moto, monkeypatch)
    monkeypatch.setattr(S3Store, "is_amazons", True)
    if ownership is not None:
        rules = {"Rules": [{"ObjectOwnership": ownership}]}
        box.client.put_bucket_ownership_controls(Bucket=box.name, OwnershipControls=rules)
    box.judge.put(box.name, "a")
    said = warned(bulkput("cp", f"s3://{box.name}/a", f"s3://{box.name}/b"))
    assert said == ("" if ownership == "BucketOwnerEnforced" else NO_ACL)


# --- tags


def tags_of(box: Box, key: str) -> list[dict[str, str]]:
    found = box.client.get_object_tagging(Bucket=box.name, Key=key)["TagSet"]
    return sorted(found, key=lambda tag: tag["Key"])


def test_files_have_their_tags_whether_they_go_in_parts_or_not(box: Box, file: Path, big: Path) -> None:
    """bulkput upload --header x-amz-tagging: Ceph's gateway ignores it when an upload in parts is begun"""
    assert warned(apart("upload", *TAGGING, *IN_PARTS, file, big, f"s3://{box.name}/")) == ""
    assert "-2" in box.judge.head(box.name, "big")["etag"]
    assert (tags_of(box, "file"), tags_of(box, "big")) == (TAGS, TAGS)


def test_a_stream_in_parts_has_its_tags(box: Box, tmp_path: Path) -> None:
    """bulkput upload --gzip always: its headers are complete only at its end, which a copy onto itself corrects"""
    text = tmp_path / "text"
    text.write_bytes(noise(8 * MIB).hex().encode())
    assert warned(apart("upload", "--gzip", "always", *TAGGING, *IN_PARTS, text, f"s3://{box.name}/")) == ""
    head = box.judge.head(box.name, "text")
    assert (head["content-encoding"], "-2" in head["etag"]) == ("gzip", True)
    assert tags_of(box, "text") == TAGS


@pytest.mark.rgw
def test_a_file_whose_tags_are_refused_has_failed(ceph: Box, big: Path) -> None:
    """bulkput upload: eleven tags, where ten are allowed; it says that the object is there without them"""
    many = "&".join(f"t{number}=x" for number in range(11))
    ran = apart("upload", "--header", f"x-amz-tagging: {many}", *IN_PARTS, big, f"s3://{ceph.name}/")
    assert told(ran).startswith("failed: put big: 400 ")
    assert told(ran).endswith("; the object is stored without its tags (x-amz-tagging)")
    assert ceph.judge.names(ceph.name) == ["big"]


@pytest.mark.parametrize("is_large", [False, True], ids=["whole", "in parts"])
@pytest.mark.parametrize("flags", [(), ("--meta", "Color: blue"), TAGGING], ids=["as it is", "with metadata", "given"])
def test_a_copy_has_the_tags_of_its_source_or_those_that_are_given(
    bulkput: Bulkput, box: Box, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], is_large: bool
) -> None:
    """bulkput cp --meta --header x-amz-tagging: the limit for one request is 6 MiB here; Ceph's gateway drops both"""
    monkeypatch.setattr(S3Store, "limits", replace(S3Store.limits, max_object_bytes=6 * MIB))
    monkeypatch.setattr(copies, "_PART", PART)
    box.judge.put(box.name, "a", noise(6 * MIB + 1 if is_large else 10), Tagging="old=1")
    assert warned(bulkput("cp", *flags, f"s3://{box.name}/a", f"s3://{box.name}/b")) == ""
    assert tags_of(box, "b") == (TAGS if flags == TAGGING else [{"Key": "old", "Value": "1"}])


# --- checksums


@pytest.mark.rgw
@pytest.mark.parametrize("checksum", ["sha256", "crc32c", "crc64nvme", "md5"])
def test_a_checksum_that_the_store_ignores_is_told_once(ceph: Box, file: Path, big: Path, checksum: str) -> None:
    """bulkput upload --checksum: with what proves the objects instead"""
    ran = apart("upload", "--checksum", checksum, *IN_PARTS, file, big, f"s3://{ceph.name}/")
    assert warned(ran) == (
        f"warning: the store does not confirm --checksum {checksum}, and may ignore it: what proves each object is its"
        " ETag, which is the MD5 of what was sent\n"
    )


@pytest.mark.parametrize("checksum", ["auto", "none"])
def test_a_run_without_such_a_checksum_warns_of_none(box: Box, file: Path, checksum: str) -> None:
    """bulkput upload --checksum"""
    assert warned(apart("upload", "--checksum", checksum, file, f"s3://{box.name}/")) == ""


# --- fields by name


@pytest.mark.rgw
@pytest.mark.parametrize("verb", ["upload", "upload in parts", "cp"])
def test_a_refusal_names_the_fields_that_were_given(bulkput: Bulkput, ceph: Box, big: Path, verb: str) -> None:
    """bulkput upload, cp --header x-amz-acl: Ceph's gateway says InvalidArgument, and no more"""
    ceph.judge.put(ceph.name, "a")
    url, flags = f"s3://{ceph.name}", ("--header", "x-amz-acl: everybody", "--header", "Expires: never")
    match verb:
        case "cp":
            ran = bulkput("cp", *flags, f"{url}/a", f"{url}/b")
        case _:
            ran = apart("upload", *flags, *(IN_PARTS if verb != "upload" else ()), big, url)
    assert told(ran).endswith(": 400 InvalidArgument; the cause may be what was given: x-amz-acl (--header, --rules)")


def test_a_misspelt_field_is_told_before_the_run(bulkput: Bulkput, box: Box, file: Path) -> None:
    """bulkput upload, cp --header: stores ignore it in silence; metadata may have any name"""
    flags = ("--header", "x-amz-stroage-class: GLACIER", "--header", "x-amz-meta-stroage: x")
    said = (
        "warning: S3 knows no field x-amz-stroage-class, and ignores it (--header): did you mean x-amz-storage-class?\n"
    )
    url = f"s3://{box.name}"
    assert warned(apart("upload", *flags, file, f"{url}/")) == said
    assert warned(bulkput("cp", *flags, f"{url}/file", f"{url}/copy")) == said


def test_a_field_that_s3_does_not_store_is_told_once(bulkput: Bulkput, box: Box, tmp_path: Path) -> None:
    """bulkput upload, cp --header: and a file's name that is not ASCII is told how to be written"""
    for number in range(3):
        (tmp_path / str(number)).write_text("text")
    disposition = 'Content-Disposition: attachment; filename="ü.py"'
    flags = ("--header", "Foo: bar", "--header", disposition)
    said = (
        "warning: S3 does not store Foo (--header): a field of your own is metadata, --meta\n"
        "warning: Content-Disposition (--header) is not ASCII: it is sent as UTF-8, of which some programs make other"
        " letters; all of them read filename*=UTF-8''%C3%BC.py\n"
    )
    url = f"s3://{box.name}"
    assert warned(apart("upload", *flags, tmp_path, f"{url}/")) == said
    assert warned(bulkput("cp", *flags, f"{url}/0", f"{url}/copy")) == said


@pytest.mark.rgw
def test_an_object_of_a_customers_key_says_which_variable_it_needs(
    bulkput: Bulkput, ceph: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bulkput cp: the answer to a HEAD has no text"""
    ceph.judge.put(ceph.name, "a", b"1", SSECustomerAlgorithm="AES256", SSECustomerKey=noise(32))
    url = f"s3://{ceph.name}"
    said = told(bulkput("cp", f"{url}/a", f"{url}/b"))
    assert said == (
        "failed: stat a: 400 Bad Request; the object may be encrypted with a key of its owner (SSE-C): set"
        " BULKPUT_S3_SSE_C_KEY to that key"
    )
    monkeypatch.setenv("BULKPUT_S3_SSE_C_KEY", "A" * 43 + "=")
    said = told(bulkput("cp", f"{url}/a", f"{url}/b"))
    assert "may be encrypted with another key than that in BULKPUT_S3_SSE_C_KEY" in said


# --- directory buckets


def test_a_directory_bucket_is_compared_by_size_and_time_only(
    monkeypatch: pytest.MonkeyPatch, moto: RealS3, file: Path
) -> None:
    """bulkput upload --skip unchanged: a HEAD for each name, since its listing has no order"""
    box_of(moto, monkeypatch)
    name = "bulkput--use1-az4--x-s3"
    moto.client().create_bucket(Bucket=name)
    os.utime(file, (1, 1))  # stores tell times in whole seconds
    assert apart("upload", file, f"s3://{name}/").exit_code == 0
    ran = apart("upload", "--skip", "unchanged", "--summary", "-", "--quiet", file, f"s3://{name}/")
    assert (ran.exit_code, ran.summary["skipped"], ran.summary["uploaded"]) == (0, 1, 0)
    file.write_text("more text")
    ran = apart("upload", "--skip", "unchanged", "--summary", "-", "--quiet", file, f"s3://{name}/")
    assert (ran.exit_code, ran.summary["skipped"], ran.summary["uploaded"]) == (0, 0, 1)


# --- requests


def test_amazon_is_not_asked_again_whether_a_source_was_overwritten(
    bulkput: Bulkput, moto: RealS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bulkput cp: above the limit, here 6 MiB; each part has the condition, which other stores may ignore"""
    box = box_of(moto, monkeypatch)
    monkeypatch.setattr(S3Store, "limits", replace(S3Store.limits, max_object_bytes=6 * MIB))
    monkeypatch.setattr(copies, "_PART", PART)
    box.judge.put(box.name, "a", noise(6 * MIB + 1))
    counts = []
    for is_amazons in (False, True):
        monkeypatch.setattr(S3Store, "is_amazons", is_amazons)
        ran = bulkput("cp", "--header", "x-amz-acl: private", f"s3://{box.name}/a", f"s3://{box.name}/b")
        assert ran.exit_code == 0, ran.err
        counts.append(int(re.findall(r"(\d+) requests in", ran.err)[0]))
    assert counts[1] == counts[0] - 1
