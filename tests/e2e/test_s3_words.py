"""What the verbs say of buckets that are missing or empty, and what `bulkput config` shows of S3."""

import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from bulkput.cli.main import main
from tests.e2e.cli import bulkput
from tests.servers.s3 import RealS3

pytestmark = pytest.mark.rgw
_MISSING = "404 NoSuchBucket: there is no bucket {missing}: check its name, AWS_PROFILE and AWS_ENDPOINT_URL"
LOOKED, MADE = f"{_MISSING} (tx", f"{_MISSING}; --make-bucket makes it (tx"


@pytest.fixture
def missing() -> str:
    """The name of a bucket that nobody has made."""
    return f"bulkput-{uuid.uuid4().hex[:12]}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("upload", "{tree}", "s3://{missing}"), MADE),
        (("cp", "s3://{full}/a", "s3://{missing}/a"), MADE),
        (("mv", "-r", "s3://{full}", "s3://{missing}/p"), MADE),
        (("cp", "s3://{missing}/a", "s3://{empty}"), LOOKED),
        (("cp", "-r", "s3://{missing}", "s3://{empty}/p"), LOOKED),
        (("mv", "s3://{missing}/a", "s3://{empty}"), LOOKED),
        (("mv", "-r", "s3://{missing}/p/", "s3://{empty}"), LOOKED),
        (("rm", "s3://{missing}/a"), LOOKED),
        (("rm", "-r", "--yes", "s3://{missing}"), LOOKED),
        (("segments", "s3://{missing}/a"), LOOKED),
        (("logs", "s3://{missing}/a"), LOOKED),
        (("rm", "-r", "--yes", "s3://{empty}"), "remove {empty}: nothing is stored there\n"),
        (("rm", "-r", "--yes", "s3://{full}/no"), "remove no: no object has that name, or lies below it\n"),
        (("rm", "-r", "--yes", "s3://{full}/no/"), "remove no/: no object lies below it\n"),
        (("cp", "-r", "s3://{full}/no", "s3://{empty}"), "copy no/: no object lies below it\n"),
        (("cp", "s3://{full}/no", "s3://{empty}"), "copy no: there is no object of that name\n"),
    ],
)
def test_a_bucket_that_is_missing_or_empty_is_told_as_such(
    rgw_s3: RealS3, tmp_path: Path, missing: str, words: tuple[str, ...], said: str
) -> None:
    """With advice that the verb itself takes."""
    (tmp_path / "file").write_text("x")
    names = {"tree": str(tmp_path), "missing": missing, "empty": rgw_s3.make_bucket(), "full": rgw_s3.make_bucket()}
    rgw_s3.client().put_object(Bucket=names["full"], Key="a", Body=b"x")
    ran = bulkput(*(word.format(**names) for word in words), environ=rgw_s3.environment)
    assert ran.exit_code in (1, 3)
    assert said.format(**names) in ran.err


@pytest.mark.parametrize("verb", ["cp", "mv"])
def test_cp_and_mv_make_the_bucket_if_they_are_told_to(rgw_s3: RealS3, missing: str, verb: str) -> None:
    """bulkput cp --make-bucket s3://BUCKET/a s3://NEW/b"""
    old = rgw_s3.make_bucket()
    rgw_s3.client().put_object(Bucket=old, Key="a", Body=b"x")
    ran = bulkput(verb, "--make-bucket", f"s3://{old}/a", f"s3://{missing}/b", environ=rgw_s3.environment)
    assert ran.exit_code == 0, ran.err
    assert rgw_s3.client().get_object(Bucket=missing, Key="b")["Body"].read() == b"x"


def test_a_pipe_that_ends_early_is_told_as_stdin(rgw_s3: RealS3) -> None:
    """echo x | bulkput upload - s3://BUCKET/x --expect-size 5"""
    bucket = rgw_s3.make_bucket()
    program = [sys.executable, "-m", "bulkput", "upload", "-", f"s3://{bucket}/x", "--expect-size", "5"]
    ran = subprocess.run(
        program, env={**rgw_s3.environment, "PATH": "/bin"}, input="x\n", capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("failed: read stdin: it ended after 2 bytes, and --expect-size says 5: look whether")


def test_config_shows_where_s3_is_and_no_secret(
    rgw_s3: RealS3, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """bulkput config: the key of encryption is known to it"""
    secret = "c2VjcmV0" * 4
    given = {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": secret,
        "AWS_PROFILE": "work", "AWS_ENDPOINT_URL": rgw_s3.endpoint, "BULKPUT_S3_SSE_C_KEY": secret,
    }  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["bulkput", "config"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if len(line.split()) == 2)
    assert {name: shown.get(name) for name in given} == {
        "AWS_ACCESS_KEY_ID": "***MPLE", "AWS_SECRET_ACCESS_KEY": "***", "AWS_SESSION_TOKEN": "***",
        "AWS_PROFILE": "work", "AWS_ENDPOINT_URL": rgw_s3.endpoint, "BULKPUT_S3_SSE_C_KEY": "***",
    }  # fmt: skip
