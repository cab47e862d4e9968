"""Metadata whose spaces servers sign in different ways, on two real ones."""

from pathlib import Path

import pytest

from bulkput.stores.s3.wire_format import meta_of
from tests.e2e.cli import bulkput
from tests.servers.s3 import RealS3

VALUES = ["a b", "a  b", "a\tb", "a\t\tb", "a\u00a0b", "日本\u3000語", "a\u2028b", "a\u00a0"]


@pytest.fixture(params=[pytest.param("rgw_s3", marks=pytest.mark.rgw), pytest.param("s3api", marks=pytest.mark.swift)])
def server(request: pytest.FixtureRequest) -> RealS3:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, RealS3)
    return found


def test_metadata_with_any_white_space_is_stored_and_copied(server: RealS3, tmp_path: Path) -> None:
    """A signature that the store does not find again would stop the run, and blame the keys."""
    bucket = server.make_bucket()
    (tmp_path / "file").write_text("text")
    for number, value in enumerate(VALUES):
        url = f"s3://{bucket}/{number}"
        ran = bulkput("upload", "--meta", f"Title: {value}", tmp_path / "file", url, environ=server.environment)
        copied = bulkput("cp", url, f"s3://{bucket}/copy-{number}", environ=server.environment)
        assert (ran.exit_code, copied.exit_code) == (0, 0), (value, ran.err, copied.err)
        for name in (str(number), f"copy-{number}"):
            shown = server.client().head_object(Bucket=bucket, Key=name)["Metadata"]
            sent = {f"x-amz-meta-{each}": text for each, text in shown.items()}
            assert dict(meta_of(sent))["title"] == value.strip(), name
