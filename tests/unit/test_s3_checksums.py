"""What a PUT says about its bytes: the checksums of botocore are the judges."""

import asyncio
import hashlib
import os
import sys
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from typing import Any

import pytest
from botocore.httpchecksum import CrtCrc32cChecksum, CrtCrc64NvmeChecksum, Sha256Checksum

from bulkput.errors import UsageError
from bulkput.payload.in_memory import BytesBody
from bulkput.s3_options import Checksum, S3Options
from bulkput.stores.s3.checksums import Checksums, Said
from bulkput.stores.s3.encryption import VARIABLE, customer_key, of_source, refuse_in_clear
from bulkput.stores.s3.sign import UNSIGNED


class Md5:
    """botocore has none of its own."""

    def __init__(self) -> None:
        self._md5 = hashlib.md5()
        self.update = self._md5.update

    def b64digest(self) -> str:
        return b64encode(self._md5.digest()).decode()


JUDGES: Mapping[Checksum, Callable[[], Any]] = {
    "md5": Md5,
    "sha256": Sha256Checksum,
    "crc32c": CrtCrc32cChecksum,
    "crc64nvme": CrtCrc64NvmeChecksum,
}
DATA = [b"", b"a", b"abc" * 1000, os.urandom(3 * 1024 * 1024)]


class Streamed:
    """A body that is not in memory, in pieces."""

    data = None

    def __init__(self, data: bytes, md5: str | None = None) -> None:
        self._data = data
        self.md5 = md5
        self.size = self.length_hint = len(data)
        self.reads = 0

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        self.reads += 1
        for begin in range(0, len(self._data), 700_001):
            yield self._data[begin : begin + 700_001]


class ReadInThreads(Streamed):
    """As a large file: its pieces are given to a function as well."""

    async def chunks_into(self, take: Callable[[bytes], None]) -> AsyncGenerator[bytes, None]:
        async for piece in self.chunks():
            take(piece)
            yield piece


def said(checksum: Checksum, body: Any, *, is_tls: bool = True, is_directory_bucket: bool = False) -> Said:
    checksums = Checksums(checksum, is_tls=is_tls, is_directory_bucket=is_directory_bucket)
    return asyncio.run(checksums.of(body))


def in_base64(hex_: str) -> str:
    return b64encode(bytes.fromhex(hex_)).decode()


@pytest.mark.parametrize("data", DATA, ids=len)
@pytest.mark.parametrize("body", [BytesBody.of, Streamed, ReadInThreads])
@pytest.mark.parametrize("checksum", JUDGES)
@pytest.mark.parametrize("is_tls", [True, False])
def test_a_checksum_is_that_of_botocore(
    data: bytes, body: Callable[[bytes], Any], checksum: Checksum, *, is_tls: bool
) -> None:
    """In memory and streamed, over TLS and not; the signature covers the bytes if nothing else protects them."""
    judge = JUDGES[checksum]()
    judge.update(data)
    told = said(checksum, body(data), is_tls=is_tls)
    name = f"x-amz-checksum-{checksum}"
    assert told.fields == {name: judge.b64digest()}
    assert told.sent == (name, judge.b64digest())
    assert told.payload == (UNSIGNED if is_tls else hashlib.sha256(data).hexdigest())
    assert told.md5 == hashlib.md5(data).hexdigest()


@pytest.mark.parametrize("data", DATA, ids=len)
@pytest.mark.parametrize("is_tls", [True, False])
def test_by_itself_a_body_in_memory_is_checked(data: bytes, *, is_tls: bool) -> None:
    """Every store knows it, and a bucket with object lock wants it."""
    told = said("auto", BytesBody.of(data), is_tls=is_tls)
    md5 = hashlib.md5(data).hexdigest()
    assert (told.fields, told.sent, told.md5) == ({"Content-MD5": in_base64(md5)}, None, md5)
    assert told.payload == (UNSIGNED if is_tls else hashlib.sha256(data).hexdigest())


def test_by_itself_a_streamed_body_is_not_read_twice_over_tls() -> None:
    """Its MD5 is made while it is sent, and compared with the ETag."""
    body = Streamed(b"abc")
    told = said("auto", body)
    assert (told.fields, told.payload, told.sent, told.md5, body.reads) == ({}, UNSIGNED, None, None, 0)
    known = Streamed(b"abc", hashlib.md5(b"abc").hexdigest())
    assert said("auto", known).fields == {"Content-MD5": in_base64(hashlib.md5(b"abc").hexdigest())}
    assert known.reads == 0


@pytest.mark.parametrize("body", [Streamed, ReadInThreads])
def test_over_plain_http_a_streamed_body_is_read_once_before_for_its_signature(body: type[Streamed]) -> None:
    """That gives its MD5 as well."""
    streamed = body(b"abc" * 1000)
    told = said("auto", streamed, is_tls=False)
    md5 = hashlib.md5(b"abc" * 1000).hexdigest()
    assert told.payload == hashlib.sha256(b"abc" * 1000).hexdigest()
    assert (told.fields, told.md5, streamed.reads) == ({"Content-MD5": in_base64(md5)}, md5, 1)


@pytest.mark.parametrize("body", [BytesBody.of, Streamed])
@pytest.mark.parametrize("is_tls", [True, False])
def test_none_sends_no_checksum(body: Callable[[bytes], Any], *, is_tls: bool) -> None:
    """What plain HTTP needs for the signature stays."""
    told = said("none", body(b"abc"), is_tls=is_tls)
    assert (told.fields, told.sent) == ({}, None)
    assert told.payload == (UNSIGNED if is_tls else hashlib.sha256(b"abc").hexdigest())


def test_a_directory_bucket_gets_a_checksum_that_it_returns() -> None:
    """Its ETags prove nothing."""
    told = said("auto", BytesBody.of(b"abc"), is_directory_bucket=True)
    assert told.sent == ("x-amz-checksum-sha256", b64encode(hashlib.sha256(b"abc").digest()).decode())
    assert said("none", BytesBody.of(b"abc"), is_directory_bucket=True).sent is None
    assert said("crc32c", BytesBody.of(b"abc"), is_directory_bucket=True).sent is not None


@pytest.mark.parametrize(
    ("checksum", "is_directory_bucket", "algorithm"),
    [
        ("auto", False, None),
        ("none", False, None),
        ("auto", True, "SHA256"),
        ("md5", False, "MD5"),
        ("sha256", False, "SHA256"),
        ("crc32c", False, "CRC32C"),
        ("crc64nvme", False, "CRC64NVME"),
    ],
)
def test_an_upload_in_parts_announces_the_checksum_of_its_parts(
    checksum: Checksum, algorithm: str | None, *, is_directory_bucket: bool
) -> None:
    """By the name that S3 has for it; none if parts have none."""
    made = Checksums(checksum, is_tls=True, is_directory_bucket=is_directory_bucket)
    assert made.algorithm == algorithm


@pytest.mark.parametrize("checksum", ["crc32c", "crc64nvme"])
def test_a_checksum_whose_library_is_missing_is_a_sentence(checksum: Checksum, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the run; the others need none."""
    for name in ("awscrt", "awscrt.checksums"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError) as raised:
        Checksums(checksum, is_tls=True, is_directory_bucket=False)
    assert str(raised.value) == (
        f"`s3.checksum='{checksum}'` needs a library that is not installed: pip install 'bulkput[s3]'"
    )
    assert said("sha256", BytesBody.of(b"")).sent is not None


@pytest.mark.parametrize("checksum", ["sha1", "CRC32C", "", None])
def test_an_unknown_checksum_is_a_sentence(checksum: Any) -> None:
    """It names the others."""
    with pytest.raises(UsageError, match="auto"):
        S3Options(checksum=checksum)


def test_a_key_of_the_customer_becomes_the_fields_of_amazon() -> None:
    """With its MD5, and for the source of a copy under other names."""
    key = bytes(range(32))
    fields = customer_key({VARIABLE: b64encode(key).decode()})
    begin = "x-amz-server-side-encryption-customer-"
    assert fields == {
        f"{begin}algorithm": "AES256",
        f"{begin}key": b64encode(key).decode(),
        f"{begin}key-MD5": b64encode(hashlib.md5(key).digest()).decode(),
    }
    assert set(of_source(fields)) == {f"x-amz-copy-source-server-side-encryption-customer-{name}" for name in (
        "algorithm", "key", "key-MD5",
    )}  # fmt: skip
    assert list(of_source(fields).values()) == list(fields.values())
    assert customer_key({}) == customer_key({VARIABLE: ""}) == {}


@pytest.mark.parametrize(
    "given", ["geheim", b64encode(b"x" * 31).decode(), b64encode(b"x" * 33).decode(), "é" * 44, "a" * 44 + "\n"]
)
def test_a_wrong_key_of_the_customer_is_a_sentence_without_it(given: str) -> None:
    """It says what one is."""
    with pytest.raises(UsageError, match="32 random bytes, written in Base64") as raised:
        customer_key({VARIABLE: given})
    assert given not in str(raised.value)


KEY_FIELDS = customer_key({VARIABLE: b64encode(bytes(32)).decode()})


@pytest.mark.parametrize(
    "url", ["http://example.org", "http://10.0.0.1:9000/b", "http://localhost.org", "http://[fe80::1]"]
)
@pytest.mark.parametrize("fields", [KEY_FIELDS, [name.upper() for name in KEY_FIELDS]])
def test_a_key_of_the_customer_is_not_sent_in_clear_text(url: str, fields: Iterable[str]) -> None:
    """To another machine, whoever has given it."""
    with pytest.raises(UsageError, match="in clear text to"):
        refuse_in_clear(fields, url)


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        (KEY_FIELDS, "https://example.org/b"),
        (KEY_FIELDS, "http://localhost:9000/b"),
        (KEY_FIELDS, "http://b.s3.localhost"),
        (KEY_FIELDS, "http://127.1.2.3:9000"),
        (KEY_FIELDS, "http://[::1]:9000/b"),
        ((), "http://example.org"),
        (("x-amz-server-side-encryption",), "http://example.org"),
    ],
)
def test_over_tls_and_within_this_machine_it_is_sent(fields: Iterable[str], url: str) -> None:
    """And other fields go anywhere."""
    refuse_in_clear(fields, url)
