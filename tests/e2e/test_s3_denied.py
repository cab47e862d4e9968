"""What a policy of the bucket forbids: one prefix fails alone, and everything stops the run."""

import json
from pathlib import Path

import pytest

from tests.e2e.cli import bulkput
from tests.e2e.s3_world import MIB, Box, noise
from tests.servers.s3 import RealS3

pytestmark = [pytest.mark.rgw, pytest.mark.timeout(120)]
ONE_BY_ONE = ("--concurrency", "1", "--summary", "-", "--quiet")
IN_PARTS = ("--segment-above", "5MiB", "--segment-size", "5MiB")


@pytest.fixture
def box(rgw_s3: RealS3, monkeypatch: pytest.MonkeyPatch) -> Box:
    for name, value in rgw_s3.environment.items():
        monkeypatch.setenv(name, value)
    return Box(rgw_s3, rgw_s3.make_bucket())


def deny(box: Box, action: str, keys: str) -> None:
    statement = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": f"arn:aws:s3:::{box.name}/{keys}"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    box.client.put_bucket_policy(Bucket=box.name, Policy=policy)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two files in each of three directories; in order, those of the second are neither first nor last."""
    for name in ("a", "b", "c"):
        (tmp_path / "tree" / name).mkdir(parents=True)
        for number in range(2):
            (tmp_path / "tree" / name / str(number)).write_text("text")
    return tmp_path / "tree"


def test_a_prefix_that_may_not_be_written_fails_alone(box: Box, tree: Path) -> None:
    """Once an object is stored. The others are stored, too."""
    deny(box, "s3:PutObject", "b/*")
    ran = bulkput("upload", *ONE_BY_ONE, tree, f"s3://{box.name}")
    assert (ran.exit_code, ran.summary["uploaded"], ran.summary["failed"]) == (1, 4, 2), ran.err
    assert box.judge.names(box.name) == ["a/0", "a/1", "c/0", "c/1"]
    assert ran.err.count("403 AccessDenied") == 2 and "stopped" not in ran.err


def test_a_file_in_parts_that_may_not_be_written_fails_alone(box: Box, tree: Path) -> None:
    """It is refused before its first part."""
    (tree / "b" / "large").write_bytes(noise(6 * MIB))
    deny(box, "s3:PutObject", "b/*")
    ran = bulkput("upload", *ONE_BY_ONE, *IN_PARTS, tree, f"s3://{box.name}")
    assert (ran.exit_code, ran.summary["uploaded"], ran.summary["failed"]) == (1, 4, 3), ran.err
    assert "b/large: 403 AccessDenied" in ran.err


def test_refusals_of_a_prefix_count_for_max_errors(box: Box, tree: Path) -> None:
    """The run stops at the first of them, if it is told so."""
    deny(box, "s3:PutObject", "b/*")
    ran = bulkput("upload", *ONE_BY_ONE, "--max-errors", "1", tree, f"s3://{box.name}")
    assert (ran.summary["uploaded"], ran.summary["failed"]) == (2, 1), ran.err
    assert "stopped: 1 failed, --max-errors 1" in ran.err
    assert box.judge.names(box.name) == ["a/0", "a/1"]


def test_an_object_that_may_not_be_read_says_what_that_needs(box: Box) -> None:
    """The answer to a HEAD has no text."""
    box.judge.put(box.name, "a", b"1")
    deny(box, "s3:GetObject", "*")
    ran = bulkput("cp", f"s3://{box.name}/a", f"s3://{box.name}/b")
    said = "stat a: 403 Forbidden; reading this object needs s3:GetObject (and s3:ListBucket where it may be missing)"
    assert (ran.exit_code, said in ran.err) == (3, True), ran.err


def test_a_run_that_may_write_nothing_stops_at_the_first_file(box: Box, tree: Path) -> None:
    """Nothing has been stored, so the others would be refused as well."""
    deny(box, "s3:PutObject", "*")
    ran = bulkput("upload", *ONE_BY_ONE, tree, f"s3://{box.name}")
    assert (ran.exit_code, ran.summary["failed"]) == (3, 1), ran.err
    assert "stopped: put a/0: 403 AccessDenied" in ran.err
    assert box.judge.names(box.name) == []
