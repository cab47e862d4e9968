"""Metadata with letters that are not ASCII, and with spaces that servers sign in different ways, on real servers."""

from email.header import decode_header, make_header
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


@pytest.mark.parametrize("value", ["é", "naïve  ü", "日本語", "\N{FACE WITH TEARS OF JOY}" * 40])
@pytest.mark.parametrize(
    "name", [pytest.param("rgw_s3", marks=pytest.mark.rgw), pytest.param("s3api", marks=pytest.mark.swift), "moto"]
)
def test_other_programs_read_the_metadata_as_amazon_shows_it(
    request: pytest.FixtureRequest, tmp_path: Path, name: str, value: str
) -> None:
    """Encoded by RFC 2047, which any library for mail decodes; and bulkput keeps it in a copy with other metadata."""
    server = request.getfixturevalue(name)
    bucket, file = server.make_bucket(), tmp_path / "file"
    file.write_text("text")
    url = f"s3://{bucket}"
    ran = bulkput("upload", "--meta", f"Title: {value}", file, f"{url}/a", environ=server.environment)
    copied = bulkput("cp", "--meta", "Other: x", f"{url}/a", f"{url}/b", environ=server.environment)
    assert (ran.exit_code, copied.exit_code) == (0, 0), ran.err + copied.err
    for key in ("a", "b"):
        shown = server.client().head_object(Bucket=bucket, Key=key)["Metadata"]["title"]
        assert shown.isascii()
        assert str(make_header(decode_header(shown))) == value


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
