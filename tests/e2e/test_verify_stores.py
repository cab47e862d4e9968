"""`bulkput verify URL DEST` between a real OpenStack Swift and the S3 of a real Ceph RGW."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.cli import Ran
from tests.e2e.cli import bulkput as run
from tests.e2e.store_pair import MIB, Pair, noise
from tests.servers.s3 import RealS3
from tests.servers.swift import RealSwift

KIB = 1024
pytestmark = [pytest.mark.swift, pytest.mark.rgw]


@pytest.fixture
def pair(swift: RealSwift, rgw_s3: RealS3) -> Pair:
    return Pair(swift, rgw_s3)


def verify(pair: Pair, *arguments: str | Path) -> Ran:
    return run("verify", *arguments, environ=pair.environ)


def filled(pair: Pair) -> tuple[str, str]:
    """Small objects, an empty one, a large one, a link, and an object that bulkput has compressed, copied to S3."""
    for name in ("a", "a/b", "a b/ü%41?#.txt"):
        pair.judge.put(pair.container, f"x/{name}", noise(KIB, len(name)))
    pair.judge.put(pair.container, "x/empty")
    pair.judge.put(pair.container, "x/to-a", fields={"X-Symlink-Target": f"{pair.container}/x/a"})
    pair.put_static("x/large", noise(5 * MIB, 1), noise(9, 2))
    ran = pair.to_s3()
    assert ran.exit_code == 0, ran.err
    return f"swift://{pair.container}/x/", f"s3://{pair.bucket}/y/"


def test_a_copy_is_identical(pair: Pair) -> None:
    """Also the other way round: each store may be the source."""
    one, other = filled(pair)
    for places in ((one, other), (other, one)):
        ran = verify(pair, *places)
        assert (ran.exit_code, ran.out) == (0, ""), ran.out + ran.err
        assert "6 identical" in ran.err


def test_what_differs_is_a_line_and_the_exit_code_says_so(pair: Pair) -> None:
    one, other = filled(pair)
    pair.client.put_object(Bucket=pair.bucket, Key="y/a", Body=noise(KIB, 77))
    pair.client.put_object(Bucket=pair.bucket, Key="y/empty", Body=b"no more")
    pair.client.put_object(Bucket=pair.bucket, Key="y/large", Body=noise(5 * MIB + 9, 3))
    pair.client.put_object(Bucket=pair.bucket, Key="y/new", Body=b"1")
    pair.client.delete_object(Bucket=pair.bucket, Key="y/a/b")
    ran = verify(pair, one, other)
    assert ran.exit_code == 1
    found = {tuple(line.split(maxsplit=2)[:2]) for line in ran.out.splitlines()}
    different = {("different", f"y/{name}") for name in ("a", "empty", "large")}
    assert found == different | {("missing", "y/a/b"), ("extra", "y/new")}


def test_small_objects_are_compared_by_two_listings_alone(pair: Pair) -> None:
    for number in range(30):
        pair.judge.put(pair.container, f"x/{number}", noise(100, number))
    assert pair.to_s3().exit_code == 0
    ran = verify(pair, "--json", f"swift://{pair.container}/x/", f"s3://{pair.bucket}/y/")
    assert ran.exit_code == 0, ran.err
    assert sum(ran.summary["requests"].values()) <= 6
    assert ran.summary["identical"] == 30


def test_a_compressed_object_is_compared_as_it_is_stored(pair: Pair, tmp_path: Path) -> None:
    """bulkput's metadata about the file that it was made of say nothing of the copy."""
    (tmp_path / "text").write_bytes(b"text " * 400_000)
    source = f"swift://{pair.container}/x/"
    sent = pair("--gzip", "always", "--segment-above", "1K", "--segment-size", "1K", str(tmp_path), source)
    assert sent.exit_code == 0, sent.err
    assert pair.to_s3("--segment-above", "5M").exit_code == 0
    ran = verify(pair, source, f"s3://{pair.bucket}/y/")
    assert (ran.exit_code, ran.out) == (0, ""), ran.out + ran.err


def test_a_dynamic_large_object_is_compared_by_what_it_holds(pair: Pair) -> None:
    """Its row in the listing says that it is empty. Ceph's gateway does not tell in which parts its copy was sent: what
    does not fit the likely ones is not comparable."""
    for number in range(2):
        pair.judge.put(pair.container, f"parts/{number}", noise(5 * MIB, number))
    pair.judge.put(pair.container, "x/d", fields={"X-Object-Manifest": f"{pair.container}/parts/"})
    assert pair.to_s3().exit_code == 0
    places = f"swift://{pair.container}/x/", f"s3://{pair.bucket}/y/"
    assert verify(pair, *places).exit_code == 0
    pair.judge.put(pair.container, "parts/1", noise(5 * MIB, 9))
    ran = verify(pair, *places)
    assert ran.exit_code == 1 and ran.out.startswith("not comparable y/d"), ran.out + ran.err


def test_a_single_object_is_compared_with_its_copy(pair: Pair) -> None:
    pair.judge.put(pair.container, "x/one", noise(KIB))
    places = f"swift://{pair.container}/x/one", f"s3://{pair.bucket}/y/another"
    assert pair(*places).exit_code == 0
    assert verify(pair, *places).exit_code == 0
    pair.judge.put(pair.container, "x/one", noise(KIB, 1))
    ran = verify(pair, *places)
    assert (ran.exit_code, ran.out.split()[:2]) == (1, ["different", "y/another"])


@pytest.mark.parametrize("wrong", [("--journal", "j.db"), ("--gzip", "always"), ("--follow-symlinks",)])
def test_what_holds_for_files_only_is_refused(pair: Pair, wrong: tuple[str, ...]) -> None:
    ran = verify(pair, *wrong, f"swift://{pair.container}/x/", f"s3://{pair.bucket}/y/")
    assert ran.exit_code == 2 and f"{wrong[0]} is for files" in ran.err, ran.err


def test_a_source_that_is_not_there_is_no_comparison(pair: Pair) -> None:
    """A typing error must not say that all is identical, nor that all is extra."""
    ran = verify(pair, f"swift://{pair.container}/no/", f"s3://{pair.bucket}/y/")
    assert ran.exit_code == 2 and "there is no such object, and none below it" in ran.err


def test_the_same_bytes_in_other_parts_are_identical(pair: Pair) -> None:
    """Their ETags say nothing of each other, so the source is read."""
    content = noise(20 * MIB)
    ends = {"x/a": (8, 16, 20), "z/a": (16, 20)}
    for key, cuts in ends.items():
        begins = (0, *cuts)
        pair.put_s3_in_parts(key, *(content[one * MIB : end * MIB] for one, end in zip(begins, cuts, strict=False)))
    places = f"s3://{pair.bucket}/x/", f"s3://{pair.bucket}/z/"
    ran = verify(pair, *places)
    assert (ran.exit_code, ran.out) == (0, ""), ran.out + ran.err


@pytest.mark.parametrize("kind", ["static", "dynamic"])
def test_a_copy_with_parts_of_any_size_is_known_by_those_of_its_source(pair: Pair, kind: str) -> None:
    """Ceph's gateway tells no sizes of parts, and nobody guesses these. verify and --skip identical agree."""
    parts = noise(5_300_001, 1), noise(5_300_001, 2), noise(9, 3)
    if kind == "static":
        pair.put_static("x/odd", *parts)
    else:
        for number, content in enumerate(parts):
            pair.judge.put(pair.container, f"parts/{number}", content)
        pair.judge.put(pair.container, "x/odd", fields={"X-Object-Manifest": f"{pair.container}/parts/"})
    assert pair.to_s3().exit_code == 0
    ran = verify(pair, f"swift://{pair.container}/x/", f"s3://{pair.bucket}/y/")
    assert (ran.exit_code, ran.out) == (0, ""), ran.out + ran.err
    again = pair.to_s3("--skip", "identical", "--summary", "-")
    assert (again.exit_code, again.summary["uploaded"]) == (0, 0), again.err


def test_an_empty_container_is_an_empty_source(pair: Pair) -> None:
    """As an empty directory is. A mirror of it removes nothing."""
    source, to = f"swift://{pair.container}/", f"s3://{pair.bucket}/y/"
    ran = pair("--summary", "-", source, to)
    assert (ran.exit_code, ran.summary["found"]) == (0, 0), ran.err
    assert verify(pair, source, to).exit_code == 0
    pair.client.put_object(Bucket=pair.bucket, Key="y/there", Body=b"1")
    assert verify(pair, source, to).exit_code == 1
    mirrored = pair("--skip", "identical", "--delete-extra", source, to)
    assert mirrored.exit_code != 0, mirrored.err
    assert pair.in_s3("y/there") == b"1"
