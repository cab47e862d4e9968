"""What a compressed object says of its source."""

import pytest

from bulkput.model import Fields, RemoteObject
from bulkput.policy.gzip_source import Original, original_of

MD5 = "0123456789abcdef" * 2
ORIGINAL = Original(1234, MD5)


def head(meta: Fields, encoding: str | None = "gzip") -> RemoteObject:
    return RemoteObject("x", 10, "e" * 32, None, None, encoding=encoding, meta=meta)


def test_a_recorded_original_is_read_back() -> None:
    """Field names match in any case, since HTTP header names are case-insensitive."""
    assert original_of(head(ORIGINAL.as_fields())) == ORIGINAL
    shouted = tuple((name.upper(), value.upper()) for name, value in ORIGINAL.as_fields())
    assert original_of(head((("Mtime", "1.0"), *shouted), "GZIP")) == ORIGINAL


def test_the_etag_of_a_large_object_is_recorded_if_it_is_known() -> None:
    """One that is no MD5 is ignored."""
    sent = Original(1234, MD5, "e" * 32)
    assert original_of(head(sent.as_fields())) == sent
    assert original_of(head((*ORIGINAL.as_fields(), ("Segments-Etag", "x")))) == ORIGINAL


@pytest.mark.parametrize(
    "meta",
    [
        (),
        (("Source-Md5", MD5),),
        (("Source-Size", "1234"),),
        (("Source-Md5", MD5), ("Source-Size", "-1")),
        (("Source-Md5", MD5), ("Source-Size", "1e3")),
        (("Source-Md5", MD5), ("Source-Size", "\u0661")),
        (("Source-Md5", MD5[1:]), ("Source-Size", "1234")),
        (("Source-Md5", MD5 + "-2"), ("Source-Size", "1234")),
    ],
)
def test_an_incomplete_record_is_ignored(meta: Fields) -> None:
    """Both fields must be there and well-formed."""
    assert original_of(head(meta)) is None


def test_an_object_with_the_gz_suffix_needs_no_content_encoding() -> None:
    """It is what it is called."""
    assert original_of(head(ORIGINAL.as_fields(), None), is_suffixed=True) == ORIGINAL
    assert original_of(head((), None), is_suffixed=True) is None


@pytest.mark.parametrize("encoding", [None, "br", "gzip, gzip", "identity"])
def test_a_record_without_gzip_encoding_is_ignored(encoding: str | None) -> None:
    """The object may have been replaced, and its metadata may be older."""
    assert original_of(head(ORIGINAL.as_fields(), encoding)) is None
