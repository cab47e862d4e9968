"""What an ETag says, however it was rewritten on its way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.policy.etag import md5_of

MD5 = "900150983cd24fb0d6963f7d28e17f72"


@pytest.mark.parametrize(
    "etag",
    [
        MD5,
        f'"{MD5}"',
        MD5.upper(),
        f" {MD5} ",
        f'W/"{MD5}"',
        f'w/"{MD5}"',
        f'"{MD5}-gzip"',
        f'"{MD5}-br"',
        f'"{MD5}--gzip"',
        f'"{MD5};gzip"',
        f'"{MD5}";gzip',
        f'W/"{MD5}-gzip"',
        f"{MD5}-gzip",
    ],
)
def test_md5_of_removes_quotes_weakness_and_codings(etag: str) -> None:
    """Proxies add them to an ETag."""
    assert md5_of(etag) == MD5


@pytest.mark.parametrize(
    "etag", [None, "", '""', "W/", f"{MD5}-3", f'"{MD5}-12"', MD5[:-1], MD5 + "0", f"{MD5}-x", "5f3-2a", f"{MD5} {MD5}"]
)
def test_an_etag_that_is_no_md5_gives_none(etag: str | None) -> None:
    """Examples are multipart objects in S3, ETags of nginx and unknown suffixes."""
    assert md5_of(etag) is None


@given(st.text(max_size=50) | st.from_regex(r'(W/)?"?[0-9a-fA-F]{30,34}[-;a-z0-9]{0,8}"?', fullmatch=True))
def test_md5_of_finds_only_32_consecutive_hex_digits(text: str) -> None:
    """This holds for any text."""
    found = md5_of(text)
    assert found is None or (len(found) == 32 and found in text.lower() and md5_of(found) == found)
