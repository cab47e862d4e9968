"""S3's formats, as Amazon, Ceph's gateway, MinIO, moto and Swift's s3api write them."""

from typing import Any

import pytest

from bulkput.errors import StoreError
from bulkput.model import ObjectHeaders, Prefix, RemoteObject
from bulkput.policy.mtime import mtime_text
from bulkput.policy.s3_proof import Proves, proves
from bulkput.stores.s3.wire_format import (
    described,
    fresh_head,
    has_opaque_etag,
    kept,
    left_of,
    meta_of,
    page,
    query_of,
    render,
)

MD5 = "900150983cd24fb0d6963f7d28e17f72"
AMAZON = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix></Prefix>
<NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=</NextContinuationToken><KeyCount>2</KeyCount>
<MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>{rows}</ListBucketResult>"""
CEPH = """<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>
<Prefix></Prefix><MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>{rows}<Marker></Marker></ListBucketResult>"""
SWIFT = """<?xml version='1.0' encoding='UTF-8'?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix/><MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType><KeyCount>1</KeyCount><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>"""
PLAIN = "<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>"
"""An old store that does not know `encoding-type`."""
OBJECT = (
    "<Contents><Key>{key}</Key><LastModified>2026-03-01T12:00:00.000Z</LastModified>"
    "<ETag>&quot;{etag}&quot;</ETag><Size>3</Size><StorageClass>STANDARD</StorageClass></Contents>"
)


def listed(form: str, *keys: str, etag: str = MD5) -> list[RemoteObject | Prefix]:
    rows = "".join(OBJECT.format(key=key, etag=etag) for key in keys)
    return page(form.format(rows=rows).encode(), "list", "b").rows


@pytest.mark.parametrize(
    ("form", "key", "name"),
    [
        (AMAZON, "a+b", "a b"),
        (AMAZON, "a%2Bb", "a+b"),
        (AMAZON, "%E2%82%AC%0A", "€\n"),
        (AMAZON, "a%252Fb", "a%2Fb"),
        (AMAZON, "a%01b", "a\x01b"),
        (AMAZON, "%EF%BD%9E", "～"),
        (CEPH, "a%20b", "a b"),
        (CEPH, "a%2Bb", "a+b"),
        (CEPH, "%F0%9F%98%80%0D%0A", "😀\r\n"),
        (CEPH, "dir%2Fname", "dir/name"),
        (SWIFT, "a%20%2B%26", "a +&"),
        (SWIFT, "%C3%A9/~", "é/~"),
        (PLAIN, "a+b&amp;%20", "a+b&%20"),
        (PLAIN, "é&#10;", "é\n"),
    ],
)
def test_a_listed_name_is_read_as_its_store_writes_it(form: str, key: str, name: str) -> None:
    """Escapes of URLs if the page says so, else those of XML alone."""
    assert listed(form, key) == [RemoteObject(name, 3, MD5, None, "2026-03-01T12:00:00.000")]


def test_a_page_says_where_the_next_one_begins() -> None:
    """Only if there is one."""
    assert page(AMAZON.format(rows="").encode(), "list", "b").token == "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM="
    assert page(CEPH.format(rows="").encode(), "list", "b").token is None


def test_objects_and_prefixes_are_one_list_in_the_order_of_their_bytes() -> None:
    """U+FF5E is before an emoji in UTF-8, and behind it in UTF-16."""
    rows = OBJECT.format(key="%F0%9F%98%80", etag=MD5) + OBJECT.format(key="b", etag=MD5)
    prefixes = "".join(
        f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>" for name in ("a/", "c%2F", "%EF%BD%9E/")
    )
    found = page(AMAZON.format(rows=rows + prefixes).encode(), "list", "b").rows
    assert [row.name for row in found] == ["a/", "b", "c/", "～/", "😀"]
    assert [type(row) for row in found] == [Prefix, RemoteObject, Prefix, Prefix, RemoteObject]


def test_the_etag_of_parts_is_kept_as_it_is() -> None:
    """It is no MD5, and tells how many parts there are."""
    row = listed(AMAZON, "a", etag=f"{MD5}-3")[0]
    assert isinstance(row, RemoteObject)
    assert row.hash == f"{MD5}-3"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not XML of S3: is there something else at this address?"),
        (b"<html><body>hello</body>", "not XML of S3"),
        (b"<html/>", "not a listing of S3"),
        (b"<Error><Code>InternalError</Code></Error>", "not a listing of S3"),
        (AMAZON.format(rows=OBJECT.format(key="%FF", etag=MD5)).encode(), "the name %FF is not UTF-8"),
    ],
)
def test_a_page_that_is_none_is_a_sentence(body: bytes, said: str) -> None:
    """It names what was listed."""
    with pytest.raises(StoreError, match=r"^list b/p: ") as raised:
        page(body, "list", "b/p")
    assert said in str(raised.value)


def test_an_answer_with_entities_of_its_own_does_not_fill_the_memory() -> None:
    """Expat limits them: a billion laughs."""
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE x [<!ENTITY a0 "{"ha" * 100}">{entities}]><ListBucketResult>&a11;</ListBucketResult>'
    with pytest.raises(StoreError, match="not XML of S3"):
        page(bomb.encode(), "list", "b")


def test_what_is_left_of_a_list_to_delete_is_named_with_the_reason() -> None:
    """In quiet mode nothing else is."""
    body = (
        b"<DeleteResult><Error><Key>a&amp;b</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>"
    )
    assert left_of(body, "delete", "k") == (("a&b", "AccessDenied"),)
    assert left_of(b'<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>', "delete", "k") == ()
    with pytest.raises(StoreError, match="not that of DeleteObjects"):
        left_of(b"<Other/>", "delete", "k")


def test_a_query_is_as_its_signature_wants_it() -> None:
    """Names in order, and everything escaped but letters, digits and -._~"""
    assert (
        query_of(list_type="2", prefix="a b/~é", encoding_type="url")
        == "encoding-type=url&list-type=2&prefix=a%20b%2F~%C3%A9"
    )
    assert query_of(uploads="") == "uploads="
    assert query_of(uploadId="x+/=", partNumber="1") == "partNumber=1&uploadId=x%2B%2F%3D"


def test_headers_of_an_object_get_the_names_of_s3() -> None:
    """Names of metadata become small: S3 does that itself, and signs them so."""
    headers = ObjectHeaders(
        content_type="text/html",
        encoding="gzip",
        cache_control="no-cache",
        mtime_ns=1_700_000_000_123_456_789,
        meta=(("Tag", "v1"),),
        extra=(("x-amz-acl", "public-read"), ("cache-control", "max-age=5")),
        storage_class="STANDARD_IA",
        only_new=True,
    )
    assert render(headers, mtime_text) == {
        "x-amz-meta-tag": "v1",
        "x-amz-meta-mtime": "1700000000.123456789",
        "Content-Type": "text/html",
        "Content-Encoding": "gzip",
        "x-amz-storage-class": "STANDARD_IA",
        "If-None-Match": "*",
        "x-amz-acl": "public-read",
        "cache-control": "max-age=5",
    }


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        ("plain", "plain"),
        ("=?UTF-8?Q?=C3=A9t=C3=A9?=", "été"),
        ("=?UTF-8?B?w6l0w6k=?=", "été"),
        ("=?utf-8?b?w6l0w6k=?=", "été"),
        ("=?UTF-8?Q?a =09 b?=", "a \t b"),
        ("=?utf-8?b?a?=", "=?utf-8?b?a?="),
        ("=?utf-8?b?abcde?=", "=?utf-8?b?abcde?="),
        ("=?utf-8?q?a?= =?nothing?q?b?=", "=?utf-8?q?a?= =?nothing?q?b?="),
        ("=?utf-8?q?", "=?utf-8?q?"),
        ("=?latin-1?q?=E9?=", "=?latin-1?q?=E9?="),
    ],
)
def test_metadata_that_s3_encodes_is_decoded(sent: str, value: str) -> None:
    """RFC 2047; what is wrong stays as it is."""
    assert meta_of({"X-Amz-Meta-Title": sent, "Other": "x"}) == (("title", value),)


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("a b", "a b"),
        ("a  b", "a  b"),
        ("é", "=?UTF-8?B?w6k=?="),
        ("", ""),
        ("a\tb", "=?UTF-8?B?YQli?="),
        ("a\u00a0b", "=?UTF-8?B?YcKgYg==?="),
        ("日本\u3000語", "=?UTF-8?B?5pel5pys44CA6Kqe?="),
        (" a", "=?UTF-8?B?IGE=?="),
    ],
)
def test_metadata_that_is_not_ascii_or_has_white_space_that_servers_sign_in_different_ways_is_encoded(
    value: str, sent: str
) -> None:
    """Ceph's gateway signs all but spaces as it is, MinIO and botocore take it for spaces. Letters that are not ASCII
    are encoded as S3 itself shows them."""
    assert render(ObjectHeaders(meta=(("T", value),)), mtime_text) == {"x-amz-meta-t": sent}
    assert meta_of({"x-amz-meta-t": sent}) == (("t", value),)


@pytest.mark.parametrize(
    ("sent", "encoding"),
    [
        (None, None), ("gzip", "gzip"), ("aws-chunked", None), ("aws-chunked,gzip", "gzip"),
        ("gzip, aws-chunked", "gzip"),
        ("", None), (",", None), ("br,gzip", "br,gzip"),
    ],
)  # fmt: skip
def test_an_encoding_of_the_transfer_is_not_the_objects(sent: str | None, encoding: str | None) -> None:
    """Some stores keep the `aws-chunked` of uploads by the AWS command line."""
    headers = {"Content-Encoding": sent} if sent is not None else {}
    assert described("key", headers).encoding == encoding
    assert kept(headers).encoding == encoding


@pytest.mark.parametrize(
    ("fields", "is_opaque"),
    [
        ({}, False),
        ({"x-amz-server-side-encryption": "AES256"}, False),
        ({"x-amz-server-side-encryption": "aws:kms"}, True),
        ({"x-amz-server-side-encryption": "aws:kms:dsse"}, True),
        ({"x-amz-server-side-encryption-customer-algorithm": "AES256"}, True),
    ],
)
def test_an_etag_is_no_md5_where_keys_of_kms_or_of_the_customer_encrypt(
    fields: dict[str, str], *, is_opaque: bool
) -> None:
    """Though it looks like one. https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html"""
    headers = {"ETag": f'"{MD5}"', "Content-Length": "3", **fields}
    assert has_opaque_etag(headers) is is_opaque
    assert described("key", headers).hash == (None if is_opaque else MD5)
    assert fresh_head(headers).md5 == (None if is_opaque else MD5)


def test_an_etag_of_a_directory_bucket_is_no_md5() -> None:
    """Though nothing in the answer says so: its name does."""
    headers = {"ETag": f'"{MD5}"', "Content-Length": "3"}
    assert described("key", headers, is_opaque=True) == RemoteObject("key", 3, None, None, None)
    assert fresh_head(headers, is_opaque=True).md5 is None


def test_a_head_is_described() -> None:
    """The date becomes ISO 8601; what is no number or no date is left out."""
    headers = {
        "Content-Length": "3",
        "ETag": f'"{MD5}"',
        "Content-Type": "text/plain",
        "Last-Modified": "Sun, 01 Mar 2026 12:00:00 GMT",
        "x-amz-meta-a": "1",
    }
    assert described("k", headers) == RemoteObject("k", 3, MD5, "text/plain", "2026-03-01T12:00:00", meta=(("a", "1"),))
    assert described("k", {"Content-Length": "-3", "Last-Modified": "yesterday", "ETag": ""}) == RemoteObject(
        "k", None, None, None, None
    )


def test_what_a_head_shows_is_kept_by_a_put() -> None:
    """With the fields that have no name of ours."""
    extra = {"Content-Disposition": "attachment", "Content-Language": "de"}
    headers = {"Content-Type": "a/b", "x-amz-storage-class": "GLACIER", "x-amz-meta-a": "1", "ETag": "x", **extra}
    assert kept(headers) == ObjectHeaders(
        content_type="a/b", storage_class="GLACIER", meta=(("a", "1"),), extra=tuple(extra.items())
    )


OTHER = "0" * 32


@pytest.mark.parametrize(
    ("etag", "more", "proven"),
    [
        (MD5, {}, Proves.BYTES),
        (f'"{MD5}"', {"is_opaque": True}, Proves.BYTES),
        (MD5, {"sent": "a", "returned": "b"}, Proves.BYTES),
        (OTHER, {}, Proves.OTHERS),
        (None, {}, Proves.OTHERS),
        (f"{MD5}-2", {}, Proves.OTHERS),
        (OTHER, {"sent": "a", "returned": "a"}, Proves.OTHERS),
        (OTHER, {"is_opaque": True, "sent": "a", "returned": "a"}, Proves.BYTES),
        (OTHER, {"is_opaque": True, "sent": "a", "returned": "b"}, Proves.OTHERS),
        (OTHER, {"is_opaque": True, "sent": "a"}, Proves.NOTHING),  # the store does not know it
        (OTHER, {"is_opaque": True, "is_checked": True}, Proves.CHECKED),
        (None, {"is_opaque": True, "is_checked": True}, Proves.CHECKED),
        (OTHER, {"is_opaque": True}, Proves.NOTHING),
        (OTHER, {"is_opaque": True, "returned": "a"}, Proves.NOTHING),
    ],
)
def test_what_the_answer_to_a_put_proves(etag: str | None, more: dict[str, Any], proven: Proves) -> None:
    """The table of policy/s3_proof.py."""
    given = {"is_opaque": False, "sent": None, "returned": None, "is_checked": False, **more}
    assert proves(etag, MD5, **given) is proven
