"""`bulkput bench --to s3://...` on a real S3: it measures, and leaves nothing."""

import os
import signal
import subprocess
import sys
import uuid

import pytest

from bulkput.bench.cleanup import remove
from bulkput.engine.open_store import open_store
from tests.e2e.cli import bulkput
from tests.servers.s3 import RealS3

pytestmark = pytest.mark.rgw
NO_VERDICT = "No verdict: "
"""A busy machine may store too few objects in that time."""
QUICK = ("--seconds", "0.2", "--sizes", "4K")


def names(server: RealS3, bucket: str) -> list[str]:
    return [row["Key"] for row in server.client().list_objects_v2(Bucket=bucket).get("Contents", [])]


def buckets(server: RealS3) -> list[str]:
    return [row["Name"] for row in server.client().list_buckets()["Buckets"]]


def test_bench_measures_a_bucket_and_deletes_its_objects_from_it(rgw_s3: RealS3) -> None:
    """bulkput bench --to s3://b/p --checksum sha256: the command that it gives has the checksum"""
    bucket = rgw_s3.make_bucket()
    rgw_s3.client().put_object(Bucket=bucket, Key="p/own", Body=b"mine")
    ran = bulkput(
        "bench", "--to", f"s3://{bucket}/p", "--concurrency", "4", "--checksum", "sha256", *QUICK,
        environ=rgw_s3.environment,
    )  # fmt: skip
    assert ran.exit_code == 0, ran.err
    command = f"  bulkput upload SOURCE s3://{bucket}/p --checksum sha256 --concurrency "
    assert command in ran.out or NO_VERDICT in ran.out
    assert names(rgw_s3, bucket) == ["p/own"]


def test_bench_makes_a_bucket_only_if_asked_and_removes_it_again(rgw_s3: RealS3) -> None:
    """bulkput bench --to s3://new, then with --make-bucket"""
    new = f"bench-{uuid.uuid4().hex[:8]}"
    ran = bulkput("bench", "--to", f"s3://{new}", *QUICK, environ=rgw_s3.environment)
    assert ran.exit_code == 3 and f"there is no bucket {new}: " in ran.err and "--make-bucket" in ran.err
    ran = bulkput("bench", "--to", f"s3://{new}", "--make-bucket", *QUICK, environ=rgw_s3.environment)
    assert ran.exit_code == 0, ran.err
    assert f"bulkput upload SOURCE s3://{new} --make-bucket --concurrency " in ran.out or NO_VERDICT in ran.out
    assert new not in buckets(rgw_s3)


def test_bench_stores_nothing_where_versions_are_kept(rgw_s3: RealS3) -> None:
    """bulkput bench --to s3://b, where deleting leaves old versions and markers: exit 2"""
    bucket = rgw_s3.make_bucket()
    rgw_s3.client().put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    ran = bulkput("bench", "--to", f"s3://{bucket}", *QUICK, environ=rgw_s3.environment)
    assert (ran.exit_code, ran.out) == (2, "") and "old versions are kept there" in ran.err
    assert not rgw_s3.client().list_object_versions(Bucket=bucket).get("Versions")


def test_bench_cleans_up_after_one_ctrl_c(rgw_s3: RealS3) -> None:
    """bulkput bench --to s3://b, then Ctrl-C: exit code 130; nothing stays"""
    bucket = rgw_s3.make_bucket()
    command = [sys.executable, "-m", "bulkput", "bench", "--to", f"s3://{bucket}", "--sizes", "4K", "--seconds", "0.5"]
    environ = {**os.environ, **rgw_s3.environment}
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        while not names(rgw_s3, bucket):
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=20)
    assert (running.returncode, out) == (130, ""), err
    assert names(rgw_s3, bucket) == []


async def test_the_clean_up_removes_unfinished_uploads_below_its_prefix_and_no_others(rgw_s3: RealS3) -> None:
    """A trial that is interrupted in the middle of a large file leaves one."""
    client, bucket = rgw_s3.client(), rgw_s3.make_bucket()
    for key in ("bench/1/a", "bench/2/b", "other"):
        begun = client.create_multipart_upload(Bucket=bucket, Key=key)
        client.upload_part(Bucket=bucket, Key=key, UploadId=begun["UploadId"], PartNumber=1, Body=b"x")
    async with open_store(f"s3://{bucket}", environ=rgw_s3.environment) as store:
        assert await remove(store, "bench/", (), workers=4) == []
    assert [row["Key"] for row in client.list_multipart_uploads(Bucket=bucket)["Uploads"]] == ["other"]
