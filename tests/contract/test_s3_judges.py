"""The judges of what is stored in S3 see what they are there to see; boto3 stores it here."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers.judge import S3Judge
from tests.servers.s3 import RealS3
from tests.servers.s3_judges import aws_would, rclone_differences, s5cmd_would

Judge = Callable[[RealS3, Path, str], list[str]]
JUDGES = [
    pytest.param(rclone_differences, id="rclone"),
    pytest.param(aws_would, marks=pytest.mark.aws, id="aws"),
    pytest.param(s5cmd_would, id="s5cmd"),
]
NAMES = ("a", "b c/ü", "d/e")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for name in NAMES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode() * 10)
        os.utime(root / name, (time.time() - 3600,) * 2)
    return root


def store(server: RealS3, tree: Path) -> str:
    """Stores the tree below a prefix; gives BUCKET/PREFIX, when all are listed with a time that has passed.

    Swift rounds times up to the next second, and s5cmd leaves out what is newer than its own start."""
    bucket, judge = server.make_bucket(), S3Judge(server)
    for name in NAMES:
        judge.put(bucket, f"p/{name}", (tree / name).read_bytes())
    while len([row for row in judge.rows(bucket) if row["LastModified"].timestamp() < time.time()]) < len(NAMES):
        time.sleep(0.1)  # the test's own time limit ends it
    return f"{bucket}/p"


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize(
    "name",
    ["moto", pytest.param("rgw_s3", marks=pytest.mark.rgw), pytest.param("s3api", marks=pytest.mark.swift)],
)
def test_equal_trees_have_no_differences(request: pytest.FixtureRequest, tree: Path, name: str, judge: Judge) -> None:
    """On each server"""
    server: RealS3 = request.getfixturevalue(name)
    assert judge(server, tree, store(server, tree)) == []


@pytest.mark.parametrize("judge", JUDGES)
def test_each_difference_is_seen(moto: RealS3, tree: Path, judge: Judge) -> None:
    """A file more, a file less, a file of another size"""
    place = store(moto, tree)
    (tree / "a").rename(tree / "z")
    (tree / "d" / "e").write_bytes(b"longer than it was, by some bytes")
    found = judge(moto, tree, place)
    assert sorted(line[-1] for line in found) == ["a", "e", "z"], found


def test_rclone_sees_other_bytes_of_the_same_size(moto: RealS3, tree: Path) -> None:
    """rclone check --download, and not the ETag or the time"""
    place = store(moto, tree)
    (tree / "a").write_bytes(b"b" * 10)
    assert rclone_differences(moto, tree, place) == ["* a"]


def test_the_judge_in_boto3_reads_what_is_there(moto: RealS3) -> None:
    """S3Judge"""
    judge, bucket = S3Judge(moto), moto.make_bucket()
    judge.put(bucket, "ä/x", b"hello", Metadata={"a": "1"})
    assert judge.content(bucket, "ä/x") == b"hello" and judge.content(bucket, "none") is None
    assert judge.names(bucket) == ["ä/x"] and judge.head(bucket, "ä/x")["x-amz-meta-a"] == "1"
    assert judge.unfinished(bucket) == [] and bucket in list(judge.buckets())
    moto.client().create_multipart_upload(Bucket=bucket, Key="p/big")
    assert judge.unfinished(bucket, "p/") == ["p/big"] and judge.unfinished(bucket, "q") == []
