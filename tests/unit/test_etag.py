"""What an ETag says, however it was rewritten on its way."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.policy.etag import composite_etag, composite_of, md5_of, parts_in

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


@pytest.mark.parametrize(
    "etag", [f"{MD5}-12", f'"{MD5}-12"', f" {MD5.upper()}-12 ", f'W/"{MD5}-12"', f'"{MD5}-12-gzip"', f'"{MD5}-12";gzip']
)
def test_an_etag_of_parts_tells_their_number(etag: str) -> None:
    """However it was rewritten."""
    assert (parts_in(etag), composite_of(etag)) == (12, f"{MD5}-12")


@pytest.mark.parametrize("etag", [None, "", MD5, f"{MD5}-", f"{MD5}-0", f"{MD5}-012", f"{MD5}-1x", f"{MD5[:-1]}-3"])
def test_any_other_etag_is_none_of_parts(etag: str | None) -> None:
    """Such as a plain MD5."""
    assert parts_in(etag) is composite_of(etag) is None


@given(st.lists(st.binary(max_size=5), min_size=1, max_size=30), st.data())
def test_the_etag_of_parts_depends_on_each_part_and_on_the_order(parts: list[bytes], data: st.DataObject) -> None:
    """It is the MD5 of the binary MD5s, and their number."""
    md5s = [hashlib.md5(part).hexdigest() for part in parts]
    etag = composite_etag(md5s)
    binary = b"".join(hashlib.md5(part).digest() for part in parts)
    assert etag == f"{hashlib.md5(binary).hexdigest()}-{len(parts)}"
    assert (parts_in(etag), composite_of(f'"{etag}"'), md5_of(etag)) == (len(parts), etag, None)
    others = data.draw(st.permutations(md5s))
    assert (composite_etag(others) == etag) is (others == md5s)
