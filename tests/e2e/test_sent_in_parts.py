"""Objects that were sent in parts and are plain ones, as in S3, compared with files: `--skip`, `verify`, `--if-exists`
and manifests, on a store of another package (`tests/servers/parted.py`). Docstrings begin with what they cover."""

import asyncio
import json
import os
from pathlib import Path

import pytest

import bulkput as library
from bulkput import events as ev
from bulkput.events import Finding, Verdict
from bulkput.options import MIB, BodyOptions, GzipOptions, LargeOptions, SkipMode, SkipOptions, UploadOptions
from bulkput.policy.etag import parts_in
from bulkput.results import Summary
from bulkput.verb_options import ManifestOptions, VerifyOptions
from bulkput.verb_results import Comparison
from tests.servers.parted import Bucket

URL = "parted://b/p"
SMALL_PARTS = LargeOptions(above=MIB, part_size=MIB)
IN_PIECES = BodyOptions(buffer_size=64 * 1024)


@pytest.fixture(autouse=True)
def bucket(parted_bucket: Bucket) -> Bucket:
    return parted_bucket


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    (root / "large").write_bytes(os.urandom(2 * MIB + 7))
    return root


def upload(tree: Path, **options: object) -> Summary:
    given = UploadOptions(large=SMALL_PARTS, body=IN_PIECES, **options)  # type: ignore[arg-type]
    return asyncio.run(library.upload(tree, URL, options=given, environ={}))


def skip(tree: Path, mode: SkipMode, **options: object) -> Summary:
    return upload(tree, skip=SkipOptions(mode=mode), **options)


def verify(tree: Path, *, is_quick: bool = False) -> tuple[Comparison, list[Finding]]:
    found: list[ev.Event] = []
    options = VerifyOptions(is_quick=is_quick, body=IN_PIECES)
    done = asyncio.run(library.verify(tree, URL, options=options, on_event=found.append, environ={}))
    return done, [each for each in found if isinstance(each, Finding)]


def change(path: Path) -> None:
    """Another byte near the end of a file; its size is the same."""
    with path.open("r+b") as file:
        file.seek(-3, os.SEEK_END)
        byte = file.read(1)
        file.seek(-3, os.SEEK_END)
        file.write(bytes([byte[0] ^ 1]))


@pytest.mark.parametrize("tells_sizes", [True, False])
def test_a_file_that_was_sent_in_parts_is_identical(bucket: Bucket, tree: Path, *, tells_sizes: bool) -> None:
    """upload, then upload --skip identical and verify: whether the store tells the sizes of parts or not"""
    bucket.tells_sizes = tells_sizes
    first = upload(tree)
    assert (first.uploaded, first.large_sent, parts_in(bucket.objects["p/large"][0].hash)) == (1, 1, 3)
    bucket.asked.clear()
    again = skip(tree, "identical")
    assert (again.uploaded, again.skipped_by_reason) == (0, {"identical in the store": 1})
    assert bucket.asked == ["list", "stat", "part sizes"]
    done, found = verify(tree)
    assert (done.is_identical, done.identical, found) == (True, 1, [])


@pytest.mark.parametrize(
    ("tells_sizes", "verdict", "why"),
    [
        (True, Verdict.DIFFERENT, "another MD5 in its 3 parts"),
        (False, Verdict.NOT_COMPARABLE, "of the same size, but sent in 3 parts of unknown sizes"),
    ],
)
def test_a_changed_file_of_the_same_size_is_sent_again(
    bucket: Bucket, tree: Path, *, tells_sizes: bool, verdict: Verdict, why: str
) -> None:
    """verify and upload --skip identical: different if the store tells the sizes of parts, else not comparable"""
    bucket.tells_sizes = tells_sizes
    upload(tree)
    change(tree / "large")
    done, (found,) = verify(tree)
    assert (done.exit_code, found.verdict, found.why) == (1, verdict, why)
    assert skip(tree, "identical").uploaded == 1
    assert bucket.objects["p/large"][1] == (tree / "large").read_bytes()
    assert verify(tree)[0].is_identical


def test_parts_of_any_sizes_are_compared_if_the_store_tells_them(bucket: Bucket, tree: Path) -> None:
    """verify: a stream that was sent in growing parts, or a copy"""
    bucket.sent("p/large", (tree / "large").read_bytes(), 5, MIB + 1, MIB - 1, 2)
    assert verify(tree)[0].is_identical
    bucket.tells_sizes = False
    done, (found,) = verify(tree)
    assert (done.not_comparable, found.why) == (1, "of the same size, but sent in 4 parts of unknown sizes")


def test_a_file_of_another_size_is_different_without_a_look_at_the_object(bucket: Bucket, tree: Path) -> None:
    """upload --skip identical: the listing has the size of all the bytes"""
    bucket.sent("p/large", b"123456", 3, 3)
    assert skip(tree, "identical").uploaded == 1
    assert {"stat", "part sizes"}.isdisjoint(bucket.asked)


@pytest.mark.parametrize("mode", ["existing", "unchanged"])
def test_other_modes_of_skip_read_nothing(bucket: Bucket, tree: Path, mode: SkipMode) -> None:
    """upload --skip existing and unchanged; verify --quick: the listing is enough"""
    bucket.sent("p/large", bytes(2 * MIB + 7), MIB, MIB + 7)
    os.utime(tree / "large", (1, 1))
    assert skip(tree, mode).skipped == 1
    assert verify(tree, is_quick=True)[0].is_identical
    assert {"stat", "part sizes"}.isdisjoint(bucket.asked)


def test_a_compressed_object_in_parts_is_compared_by_its_source(bucket: Bucket, tree: Path) -> None:
    """upload --gzip always, twice with --skip identical: nothing is asked for parts"""
    gzip = GzipOptions(mode="always")
    first = upload(tree, gzip=gzip)
    assert (first.uploaded, parts_in(bucket.objects["p/large"][0].hash)) == (1, 3)
    assert skip(tree, "identical", gzip=gzip).skipped == 1
    assert verify(tree)[0].is_identical
    assert "part sizes" not in bucket.asked
    change(tree / "large")
    assert skip(tree, "identical", gzip=gzip).uploaded == 1


def test_an_object_in_parts_is_kept_if_it_does_not_differ(bucket: Bucket, tree: Path) -> None:
    """upload --if-exists differs: it holds what the file holds, or the file fails"""
    upload(tree)
    same = upload(tree, if_exists="differs")
    assert (same.uploaded, same.skipped, same.exit_code) == (0, 1, 0)
    before = bucket.objects["p/large"]
    change(tree / "large")
    other = upload(tree, if_exists="differs")
    assert (other.failed, other.exit_code, bucket.objects["p/large"]) == (1, 1, before)


def test_a_mirror_keeps_what_is_identical_in_parts(bucket: Bucket, tree: Path) -> None:
    """upload --skip identical --delete-extra: it is neither sent nor removed"""
    upload(tree)
    bucket.sent("p/extra", b"123456", 3, 3)
    done = upload(tree, skip=SkipOptions(mode="identical", delete_extra=True))
    assert (done.uploaded, done.skipped, done.exit_code, set(bucket.objects)) == (0, 1, 0, {"p/large"})


def test_a_manifest_has_the_etags_of_parts_and_is_verified_by_them(bucket: Bucket, tree: Path) -> None:
    """upload --write-manifest, verify --manifest: no file is read, and an object of other parts is not comparable"""
    upload(tree, manifest="m.ndjson")
    (line,) = [json.loads(line) for line in bucket.objects["p/m.ndjson"][1].splitlines()]
    assert line["hash"] == bucket.objects["p/large"][0].hash

    def verified() -> Comparison:
        options = ManifestOptions()
        return asyncio.run(library.verify_manifest(f"{URL}/m.ndjson", options=options, environ={}))

    assert verified().is_identical
    bucket.sent("p/large", bytes(2 * MIB + 7), MIB, MIB, 7)
    assert verified().not_comparable == 1
    second = skip(tree, "identical", manifest="m.ndjson")
    assert (second.uploaded, verified().is_identical) == (2, True)
