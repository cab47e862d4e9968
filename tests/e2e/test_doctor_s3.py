"""`bulkput doctor s3://...` against real servers, healthy and broken. Nothing of the probe stays."""

import os
import re
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path

import pytest

from tests.e2e.changes_relay import Asked, PassOn, Said, relay
from tests.e2e.cli import Ran, bulkput
from tests.e2e.doctor_lines import ON_THE_WAY, bad, commands, steps, told
from tests.servers.nginx import NginxDav
from tests.servers.s3 import RealS3

AT_S3 = [
    *ON_THE_WAY, "container", "unfinished", "put", "get", "list", "copy", "large", "checksum", "latency", "latency",
    "bulk-delete", "delete",
]  # fmt: skip


def doctor(server: RealS3, bucket: str, *flags: str, **changed: str) -> Ran:
    return bulkput("doctor", *flags, f"s3://{bucket}/p", environ=server.environment | changed)


def holds(server: RealS3, bucket: str) -> list[str]:
    """The names of objects, versions and unfinished uploads in the bucket."""
    client = server.client()
    versions = client.list_object_versions(Bucket=bucket)
    rows = [*versions.get("Versions", []), *versions.get("DeleteMarkers", [])]
    return [row["Key"] for row in [*rows, *client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]]


@pytest.mark.rgw
def test_a_healthy_bucket_passes_every_step_and_keeps_nothing(rgw_s3: RealS3) -> None:
    """bulkput doctor s3://b/p: exit 0, one line for each step in order, then the command to upload"""
    bucket = rgw_s3.make_bucket()
    ran = doctor(rgw_s3, bucket)
    assert (ran.exit_code, ran.err) == (0, ""), ran.out
    assert [step for _, step in steps(ran)] == AT_S3
    assert bad(ran) == []
    assert f"({rgw_s3.access_key})" in told(ran, "login") and rgw_s3.secret_key not in ran.out
    assert "sent in parts reads back" in told(ran, "large")
    assert "the store checks Content-MD5" in told(ran, "checksum")
    assert commands(ran) == [f"bulkput upload SOURCE s3://{bucket}/p"]
    assert holds(rgw_s3, bucket) == []


@pytest.mark.swift
def test_swifts_s3_passes_every_step_and_keeps_nothing(s3api: RealS3) -> None:
    """bulkput doctor s3://b/p --json: it checks more kinds of checksums than the gateway"""
    bucket = s3api.make_bucket()
    ran = doctor(s3api, bucket, "--json")
    (found,) = ran.rows
    assert (ran.exit_code, found["verdict"], found["left"]) == (0, "ok", [])
    assert [each["step"] for each in found["findings"]] == AT_S3
    facts = {each["step"]: each["facts"] for each in found["findings"]}
    assert facts["checksum"]["checksums"]["auto"] == facts["checksum"]["checksums"]["sha256"] == "checks"
    assert s3api.client().list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.rgw
@pytest.mark.parametrize(
    ("changed", "says", "types"),
    [
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "the store does not know this access key", "aws configure list"),
        ({"AWS_SECRET_ACCESS_KEY": "wrong-secret"}, "the secret is not that of the access key", "aws configure list"),
    ],
)
def test_a_wrong_key_and_a_wrong_secret_are_told_apart(
    rgw_s3: RealS3, changed: dict[str, str], says: str, types: str
) -> None:
    """bulkput doctor: exit 3, and nothing is tried with them; the secret is not shown"""
    bucket = rgw_s3.make_bucket()
    ran = doctor(rgw_s3, bucket, **changed)
    assert (ran.exit_code, bad(ran), steps(ran)[-1]) == (3, [("fail", "container")], ("fail", "container")), ran.out
    assert says in told(ran, "container") and commands(ran)[0].startswith(types)
    assert "wrong-secret" not in ran.out


@pytest.mark.rgw
def test_a_bucket_that_is_not_there_is_not_made(rgw_s3: RealS3) -> None:
    """bulkput doctor s3://not-there: exit 3, since an upload makes it only with --make-bucket"""
    ran = doctor(rgw_s3, "doctor-not-there")
    assert (ran.exit_code, bad(ran)) == (3, [("fail", "container")]), ran.out
    assert "there is no such bucket" in told(ran, "container") and "--make-bucket makes it" in told(ran, "container")
    assert commands(ran)[0] == "bulkput upload SOURCE s3://doctor-not-there/p --make-bucket"


@pytest.mark.rgw
def test_a_bucket_of_somebody_else_fails_at_put(rgw_s3: RealS3) -> None:
    """bulkput doctor without keys of its owner (here without any): exit 3"""
    bucket = rgw_s3.make_bucket()
    ran = doctor(rgw_s3, bucket, AWS_SKIP_SIGNATURE="true")
    assert (ran.exit_code, bad(ran)) == (3, [("warn", "container"), ("fail", "put")]), ran.out
    assert "share the names of buckets" in told(ran, "container")
    assert "403 AccessDenied: the key, or a request without one, may not do this here" in told(ran, "put")
    assert commands(ran)[0].startswith(f"aws s3api get-bucket-policy --bucket {bucket}")


@pytest.mark.rgw
@pytest.mark.parametrize("state", ["Enabled", "Suspended"])
def test_nothing_is_written_where_removals_leave_marks(rgw_s3: RealS3, state: str) -> None:
    """bulkput doctor of a bucket with versions: exit 1; it says what removals and mirrors do there"""
    bucket = rgw_s3.make_bucket()
    rgw_s3.client().put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    rgw_s3.client().put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": state})
    ran = doctor(rgw_s3, bucket)
    assert (ran.exit_code, bad(ran)) == (1, [("warn", "container")]), ran.out
    assert "removals and mirrors leave a delete marker there" in told(ran, "container")
    assert steps(ran)[-1] == ("ok", "latency") and holds(rgw_s3, bucket) == []


def test_uploads_that_are_unfinished_since_long_are_counted(moto: RealS3) -> None:
    """bulkput doctor: exit 1; only those below the URL count, and moto's are all of 2010"""
    bucket = moto.make_bucket()
    for key in ("p/a", "p/b", "other"):
        moto.client().create_multipart_upload(Bucket=bucket, Key=key)
    ran = doctor(moto, bucket)
    assert (ran.exit_code, bad(ran)) == (1, [("warn", "unfinished")]), ran.out
    assert "2 uploads in parts unfinished, the oldest begun" in told(ran, "unfinished")
    assert f"bulkput segments s3://{bucket}/p" in commands(ran)


@pytest.mark.rgw
def test_uploads_that_may_be_running_are_no_warning(rgw_s3: RealS3) -> None:
    """bulkput doctor, beside an upload in parts: exit 0"""
    bucket = rgw_s3.make_bucket()
    rgw_s3.client().create_multipart_upload(Bucket=bucket, Key="p/a")
    ran = doctor(rgw_s3, bucket)
    assert (ran.exit_code, bad(ran)) == (0, []), ran.out
    assert "1 upload in parts unfinished, begun" in told(ran, "unfinished")
    assert holds(rgw_s3, bucket) == ["p/a"]


def elsewhere(asked: Asked, pass_on: PassOn) -> Said:
    """As Amazon answers, if the bucket is in eu-west-1 and the request is signed for another region."""
    if "/eu-west-1/s3/" in asked.headers.get("authorization", "/eu-west-1/s3/"):
        return pass_on(asked)
    body = (
        b'<?xml version="1.0"?><Error><Code>AuthorizationHeaderMalformed</Code><Message>the region is wrong;'
        b" expecting 'eu-west-1'</Message><Region>eu-west-1</Region></Error>"
    )
    return Said(400, body if asked.method != "HEAD" else b"", {"x-amz-bucket-region": "eu-west-1"})


def test_a_bucket_in_another_region_works_and_the_region_is_told(moto: RealS3) -> None:
    """bulkput doctor with AWS_REGION=us-east-1, of a bucket in eu-west-1: exit 1"""
    bucket = moto.make_bucket()
    with relay(moto.endpoint, elsewhere) as relayed:
        ran = doctor(moto, bucket, AWS_ENDPOINT_URL=relayed.auth_url)
    assert (ran.exit_code, bad(ran)) == (1, [("warn", "container")]), ran.out
    assert "it is in the region eu-west-1" in told(ran, "container")
    assert commands(ran) == ["export AWS_REGION=eu-west-1", f"bulkput upload SOURCE s3://{bucket}/p"]


def hour_ahead(asked: Asked, pass_on: PassOn) -> Said:
    """A store whose clock is an hour ahead, as S3 refuses what is signed by ours."""
    said = pass_on(asked)
    now = parsedate_to_datetime(said.headers["Date"]) + timedelta(hours=1)
    said.headers["Date"] = format_datetime(now, usegmt=True)
    signed = asked.headers.get("x-amz-date", "")
    if signed and not signed.startswith(now.strftime("%Y%m%dT%H")):
        code = b"<Error><Code>RequestTimeTooSkewed</Code><Message>too large</Message></Error>"
        return Said(403, code if asked.method != "HEAD" else b"", {"Date": said.headers["Date"]})
    return said


def test_a_clock_an_hour_off_is_a_warning(moto: RealS3) -> None:
    """bulkput doctor: exit 1; requests are signed by the store's clock, so every other step passes"""
    bucket = moto.make_bucket()
    with relay(moto.endpoint, hour_ahead) as relayed:
        ran = doctor(moto, bucket, AWS_ENDPOINT_URL=relayed.auth_url)
    assert (ran.exit_code, bad(ran)) == (1, [("warn", "clock")]), ran.out
    assert "its clock is 1 h ahead of this machine's" in ran.out and "timedatectl" in commands(ran)


def test_a_clock_that_no_date_tells_fails_with_what_to_do(moto: RealS3) -> None:
    """bulkput doctor of a store that refuses the time and does not tell its own: exit 3"""

    def refuse(asked: Asked, pass_on: PassOn) -> Said:
        if "authorization" not in asked.headers:
            return pass_on(asked)
        code = b"<Error><Code>RequestTimeTooSkewed</Code><Message>too large</Message></Error>"
        return Said(403, code if asked.method != "HEAD" else b"")

    bucket = moto.make_bucket()
    with relay(moto.endpoint, refuse) as relayed:
        ran = doctor(moto, bucket, AWS_ENDPOINT_URL=relayed.auth_url)
    assert (ran.exit_code, bad(ran)) == (3, [("fail", "container")]), ran.out
    assert "this machine's clock differs too much" in told(ran, "container") and "timedatectl" in commands(ran)


def test_something_else_than_an_s3_is_told(moto: RealS3, nginx: NginxDav) -> None:
    """bulkput doctor with AWS_ENDPOINT_URL at a web server: exit 3"""
    ran = doctor(moto, "bucket", AWS_ENDPOINT_URL=nginx.url.rstrip("/"))
    assert (ran.exit_code, bad(ran)) == (3, [("fail", "container")]), ran.out
    assert re.search(r"what answers \(nginx[^)]*\) is no S3", told(ran, "container"))
    assert commands(ran)[0] == "export AWS_ENDPOINT_URL_S3=https://HOST"


@pytest.mark.parametrize("status", [200, 403, 404])
def test_a_page_is_no_s3_whatever_its_status_is(moto: RealS3, status: int) -> None:
    """bulkput doctor with AWS_ENDPOINT_URL at a web application: exit 3"""
    with relay(moto.endpoint, lambda _asked, _pass_on: Said(status, b"<html><p>Welcome</p></html>")) as relayed:
        ran = doctor(moto, "bucket", AWS_ENDPOINT_URL=relayed.auth_url)
    assert (ran.exit_code, bad(ran)) == (3, [("fail", "container")]), ran.out
    assert "what answers is no S3" in told(ran, "container")


def test_without_botocore_files_of_aws_are_told_to_need_it(tmp_path: Path, moto: RealS3) -> None:
    """bulkput doctor with AWS_PROFILE: exit 2, and the command that installs it"""
    (tmp_path / "botocore.py").write_text("raise ImportError('not installed')")
    changed = {"AWS_PROFILE": "work", "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-m", "bulkput", "doctor", "s3://bucket/p"]
    environ = {**os.environ, **moto.environment, **changed}
    ran = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert (ran.returncode, ran.stdout) == (2, "") and "pip install 'bulkput[s3]'" in ran.stderr


@pytest.mark.rgw
def test_read_only_writes_nothing(rgw_s3: RealS3) -> None:
    """bulkput doctor --read-only: only GET and HEAD"""
    bucket = rgw_s3.make_bucket()
    with relay(rgw_s3.endpoint, lambda asked, pass_on: pass_on(asked)) as relayed:
        ran = doctor(rgw_s3, bucket, "--read-only", AWS_ENDPOINT_URL=relayed.auth_url)
    assert (ran.exit_code, bad(ran)) == (0, []), ran.out
    assert {asked.method for asked in relayed.asked} == {"GET", "HEAD"}


@pytest.mark.rgw
@pytest.mark.parametrize("held", ["PUT /{0}/p/bulkput-doctor-", "POST /{0}/p/bulkput-doctor-", "PUT partNumber="])
def test_an_interrupted_look_keeps_nothing(rgw_s3: RealS3, held: str) -> None:
    """bulkput doctor, then Ctrl-C while a request waits for its answer: exit 130; object and parts are removed"""
    bucket = rgw_s3.make_bucket()
    method, what = held.format(bucket).split(" ")
    is_held, may_answer = threading.Event(), threading.Event()

    def hold(asked: Asked, pass_on: PassOn) -> Said:
        said = pass_on(asked)
        if asked.method == method and what in asked.path:
            is_held.set()
            may_answer.wait(20)
        return said

    with relay(rgw_s3.endpoint, hold) as relayed:
        environ = {**os.environ, **rgw_s3.environment, "AWS_ENDPOINT_URL": relayed.auth_url}
        command = [sys.executable, "-m", "bulkput", "doctor", f"s3://{bucket}/p"]
        with subprocess.Popen(command, env=environ, stdout=-1, stderr=-1, text=True) as running:
            assert is_held.wait(30)
            running.send_signal(signal.SIGINT)
            out, err = running.communicate(timeout=20)
        may_answer.set()
    assert running.returncode == 130, (out, err)
    assert "Interrupted" in out and "clean-up" not in out
    assert holds(rgw_s3, bucket) == []
