"""What S3's parts and copies say: the body of a completion, header fields that are compared, checksums."""

import asyncio
import hashlib
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.model import ObjectHeaders
from bulkput.policy.parts import Cut
from bulkput.stores.s3.checksums import Checksums
from bulkput.stores.s3.copies import merged
from bulkput.stores.s3.wire_format import complete_request, has_fields, kept, own_encryption, parsed
from bulkput.testing.given import Pieces

MIB = 1024 * 1024


def test_the_completion_of_ten_thousand_parts_is_shorter_than_what_gateways_take() -> None:
    """Ceph's gateway: rgw_max_put_param_size, 1 MiB."""
    body = complete_request([(number, "f" * 32, "") for number in range(1, 10_001)])
    assert len(body) < MIB
    root = parsed(body, "complete", "key")
    assert [int(each.text or 0) for each in root.iter("PartNumber")] == list(range(1, 10_001))
    assert {each.text for each in root.iter("ETag")} == {f'"{"f" * 32}"'}


def test_the_checksum_of_a_part_stands_in_the_completion() -> None:
    """Under the name that S3 has for it."""
    body = complete_request([(1, "e", "x-amz-checksum-sha256=YWJj"), (2, "e", "")])
    assert body.count(b"<ChecksumSHA256>YWJj</ChecksumSHA256>") == body.count(b"Checksum") // 2 == 1


@given(st.integers(1, 10**6), st.integers(1, 10**5), st.integers(-3, 10**6), st.integers(0, 10**6))
def test_a_cut_has_exactly_its_parts(size: int, part_size: int, number: int, of_size: int) -> None:
    """By number and size."""
    cut = Cut(size, max(part_size, size // 1000 + 1))
    sizes = {part.number: part.size for part in cut}
    assert cut.has(number, of_size) == (sizes.get(number) == of_size)
    assert all(cut.has(*part) for part in sizes.items())


HEAD = {
    "Content-Type": "text/plain",
    "Content-Length": "1",
    "Cache-Control": "no-store",
    "x-amz-meta-color": "red",
    "x-amz-server-side-encryption": "AES256",
    "ETag": '"x"',
}


@pytest.mark.parametrize(
    ("wanted", "has", "exactly"),
    [
        ({"Content-Type": "text/plain", "Cache-Control": "no-store", "x-amz-meta-Color": "red"}, True, True),
        ({"Cache-Control": "no-store", "x-amz-meta-color": "red"}, True, True),
        ({"x-amz-meta-color": "red"}, True, False),
        ({"x-amz-meta-color": "red", "x-amz-acl": "private"}, True, False),
        ({"Content-Type": "text/plain", "Cache-Control": "no-store", "x-amz-meta-color": "blue"}, False, False),
        ({"x-amz-meta-other": "red"}, False, False),
        ({"Cache-Control": "no-store", "x-amz-meta-color": "=?UTF-8?B?cmVk?="}, True, True),  # as it is sent
        ({"x-amz-storage-class": "STANDARD_IA"}, False, False),
    ],
)
def test_an_object_has_the_headers_that_were_wanted_and_perhaps_others(
    wanted: dict[str, str], has: bool, exactly: bool
) -> None:
    """Fields that a HEAD does not show count as there."""
    assert (has_fields(HEAD, wanted), has_fields(HEAD, wanted, exactly=True)) == (has, exactly)


def test_tags_that_nobody_has_asked_for_are_others() -> None:
    """A HEAD shows their number."""
    wanted = {"Cache-Control": "no-store", "x-amz-meta-color": "red"}
    assert not has_fields(HEAD | {"x-amz-tagging-count": "1"}, wanted, exactly=True)


def test_encryption_is_kept_only_if_it_is_by_a_key_of_kms() -> None:
    """AES256 is what every object has: the bucket of the copy may say otherwise."""
    kms = {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": "arn"}
    assert own_encryption(HEAD) == ()
    assert dict(own_encryption(HEAD | kms)) == kms
    assert kept(HEAD | kms).extra == ()


def test_given_headers_are_laid_over_those_of_the_source() -> None:
    """Metadata and other fields name by name, whatever the case; a given time replaces the source's."""
    own = ObjectHeaders("a/b", "gzip", meta=(("color", "red"), ("mtime", "1")), extra=(("Expires", "x"),))
    given = ObjectHeaders("c/d", mtime_ns=2, meta=(("Color", "blue"),), extra=(("expires", "y"),))
    assert merged(own, given) == ObjectHeaders("c/d", "gzip", 2, meta=(("Color", "blue"),), extra=(("expires", "y"),))
    assert merged(own, ObjectHeaders()) == own


def test_a_bucket_whose_etags_prove_nothing_gets_the_md5_of_every_body() -> None:
    """A streamed body is read for it before it is sent: over TLS nothing else would be checked. Each that was in flight
    learns that it may be sent again."""
    checksums = Checksums("auto", is_tls=True, is_directory_bucket=False)
    body = Pieces((b"ab", b"c"))
    assert asyncio.run(checksums.of(body)).fields == {}
    assert (checksums.hash_first(), checksums.hash_first()) == (True, True)
    md5 = hashlib.md5(b"abc")
    said = asyncio.run(checksums.of(body))
    assert (said.fields, said.md5) == ({"Content-MD5": b64encode(md5.digest()).decode()}, md5.hexdigest())


@pytest.mark.parametrize("checksum", ["sha256", "none"])
def test_whoever_asked_for_another_check_gets_no_md5(checksum: str) -> None:
    """So an answer that proves nothing is an error that says what to do."""
    assert not Checksums(checksum, is_tls=True, is_directory_bucket=False).hash_first()  # type: ignore[arg-type]
