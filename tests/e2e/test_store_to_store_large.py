"""Large objects from store to store: between a real OpenStack Swift and the S3 of a real Ceph RGW."""

from __future__ import annotations

import pytest

from tests.e2e.store_pair import MIB, Pair, noise
from tests.servers.rgw import RealRgw
from tests.servers.s3 import RealS3

pytestmark = [pytest.mark.rgw, pytest.mark.swift]


def test_a_large_object_stays_one_of_the_same_parts(pair: Pair) -> None:
    """There and back: static, an upload in parts, static again; each part proven by its MD5."""
    parts = [noise(5 * MIB, 1), noise(6 * MIB, 2), noise(5 * MIB + 1, 3)]
    pair.put_static("x/large", *parts)
    ran = pair.to_s3()
    assert ran.exit_code == 0, ran.err
    head = pair.client.head_object(Bucket=pair.bucket, Key="y/large")
    assert head["ETag"].endswith('-3"') and head["ContentType"] == "text/x-l"
    assert pair.in_s3("y/large") == b"".join(parts)
    back = pair.to_swift("--segment-above", "1M", source="y/", to="z/")
    assert back.exit_code == 0, back.err
    seen = pair.judge.get(pair.container, "z/large")
    assert seen is not None and seen.content == b"".join(parts)
    assert seen.headers["X-Static-Large-Object"] == "True"
    assert seen.headers["Content-Type"] == "text/x-l"


def test_a_dynamic_large_object_becomes_a_static_one(pair: Pair) -> None:
    parts = [noise(5 * MIB, 1), noise(100, 2)]
    for number, content in enumerate(parts):
        pair.judge.put(pair.container, f"parts/{number}", content)
    pair.judge.put(pair.container, "x/d", fields={"X-Object-Manifest": f"{pair.container}/parts/"})
    to = f"{pair.container}-copy"
    for destination in (f"swift://{to}/y/", f"s3://{pair.bucket}/y/"):
        ran = pair(f"swift://{pair.container}/x/", destination)
        assert ran.exit_code == 0, ran.err
    seen = pair.judge.get(to, "y/d")
    assert seen is not None and seen.content == pair.in_s3("y/d") == b"".join(parts)
    assert seen.headers["X-Static-Large-Object"] == "True"
    assert pair.client.head_object(Bucket=pair.bucket, Key="y/d")["ETag"].endswith('-2"')


def test_segments_that_a_copy_uses_are_not_told_as_left(pair: Pair) -> None:
    """Whoever removes what is told as left would lose the object."""
    pair.put_static("x/large", noise(5 * MIB, 1), noise(9, 2))
    command = ("--summary", "-", "--skip", "unchanged", f"swift://{pair.container}/x/")
    for expected in ("large 1: 2 parts sent", "2 there already"):
        # The same bytes and mtime, and a later time in the listing: sent again, into the same segments.
        pair.judge.post(pair.container, "x/large", {"X-Object-Meta-Mtime": "1700000000"})
        ran = pair(*command, f"swift://{pair.container}-copy/y/")
        assert (ran.exit_code, ran.summary["uploaded"]) == (0, 1), ran.err
        assert "left" not in ran.err, ran.err
        assert expected in ran.err


def test_what_is_listed_as_empty_is_not_taken_for_an_empty_object(pair: Pair) -> None:
    """A dynamic large object, and a link that becomes an object: their rows say nothing of what they hold."""
    for number in range(2):
        pair.judge.put(pair.container, f"parts/{number}", noise(1000, number))
    pair.judge.put(pair.container, "target", b"content")
    pair.judge.put(pair.container, "x/d", fields={"X-Object-Manifest": f"{pair.container}/parts/"})
    pair.judge.put(pair.container, "x/link", fields={"X-Symlink-Target": f"{pair.container}/target"})
    to = f"{pair.container}-copy"
    pair.judge.put(to, "")
    for name in ("y/d", "y/link"):
        pair.judge.put(to, name)
        pair.client.put_object(Bucket=pair.bucket, Key=name, Body=b"")
    for destination in (f"swift://{to}/y/", f"s3://{pair.bucket}/y/"):
        command = ("--skip", "identical", "--summary", "-", f"swift://{pair.container}/x/", destination)
        ran = pair(*command)
        assert (ran.exit_code, ran.summary["uploaded"]) == (0, 2), ran.err
        again = pair(*command)
        assert (again.exit_code, again.summary["uploaded"]) == (0, 0), again.err
    assert pair.judge.content(to, "y/d") == pair.in_s3("y/d") == noise(1000, 0) + noise(1000, 1)
    assert pair.judge.content(to, "y/link") == pair.in_s3("y/link") == b"content"


def test_large_objects_that_are_there_are_skipped_without_being_read(pair: Pair) -> None:
    """Static ones by the MD5s of both manifests, and by those of the parts that S3 got."""
    pair.put_static("x/large", noise(5 * MIB, 1), noise(5 * MIB, 2), noise(9, 3))
    to = f"{pair.container}-copy"
    for destination in (f"swift://{to}/y/", f"s3://{pair.bucket}/y/"):
        command = ("--skip", "identical", "--summary", "-", f"swift://{pair.container}/x/", destination)
        assert pair(*command).summary["uploaded"] == 1
        again = pair(*command)
        assert (again.exit_code, again.summary["uploaded"]) == (0, 0), again.err


def test_what_cephs_gateway_shows_of_large_objects_is_enough(rgw: RealRgw, rgw_s3: RealS3) -> None:
    """Its listing has no size of a static one, and no GET shows the manifest: the bytes are copied in parts of ours."""
    pair = Pair(rgw, rgw_s3)
    parts = [noise(6 * MIB, 1), noise(100, 2)]
    pair.put_static("x/static", *parts)
    pair.judge.put(pair.container, "x/dynamic", fields={"X-Object-Manifest": f"{pair.container}_segments/x/static/"})
    ran = pair.to_s3("--segment-above", "5M", "--segment-size", "5M")
    assert ran.exit_code == 0, ran.err
    assert pair.in_s3("y/static") == pair.in_s3("y/dynamic") == b"".join(parts)
