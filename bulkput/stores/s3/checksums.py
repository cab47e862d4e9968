"""What a request says about the bytes of its body, so that S3 checks them before it stores them.

| `s3.checksum` | field                      | of                                                                   |
|---------------|----------------------------|----------------------------------------------------------------------|
| auto          | Content-MD5                | a body whose MD5 is known before it is sent: a small file; any body  |
|               |                            | for a bucket that encrypts, whose ETags prove nothing                |
|               | x-amz-checksum-sha256      | any body for a directory bucket, whose ETags prove nothing           |
| none          | -                          |                                                                      |
| any other     | x-amz-checksum-NAME        | any body; a streamed one is read once before it is sent              |

Over plain HTTP the signature covers the body, by its SHA-256: a streamed body is read once before it is sent. TLS
protects the bytes itself; the signature then has the word UNSIGNED-PAYLOAD. No checksum is sent behind the body
(`aws-chunked`): Ceph's gateway, R2, GCS and others refuse that.

S3 has known x-amz-checksum-md5 since April 2026 (botocore 1.42, pull request 3637).
"""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from bulkput.errors import UsageError
from bulkput.model import Body
from bulkput.payload.digest import read_into
from bulkput.record import record
from bulkput.s3_options import Checksum
from bulkput.stores.s3.sign import UNSIGNED

_QUICK = 1024 * 1024
"""Bytes that are hashed on the event loop: a millisecond."""


class Sum(Protocol):
    """A running checksum, as hashlib has it."""

    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


@record
class Said:
    """What a request says: the fields, and the SHA-256 of the body (or UNSIGNED) for its signature. `sent` is the
    checksum among the fields, as name and value. `md5` is that of the bytes, in hex, if it is known."""

    fields: Mapping[str, str]
    payload: str
    sent: tuple[str, str] | None
    md5: str | None


class Checksums:
    """Makes the checksums of bodies for one store."""

    def __init__(self, checksum: Checksum, *, is_tls: bool, is_directory_bucket: bool) -> None:
        """Raises UsageError if a library for the checksum is missing."""
        if checksum == "auto" and is_directory_bucket:
            checksum = "sha256"
        self._is_tls = is_tls
        self._has_md5 = checksum == "auto"
        self._name = f"x-amz-checksum-{checksum}" if checksum not in ("auto", "none") else None
        self.algorithm = checksum.upper() if self._name is not None else None
        """The name of the checksum as uploads in parts announce it."""
        self._hashes_first = False
        """Whether a streamed body is read once before it is sent, for Content-MD5."""
        self._make: Callable[[], Sum] | None = _made_by(checksum) if self._name is not None else None

    def hash_first(self) -> bool:
        """From now on, read every body for its MD5 before it is sent: ETags prove nothing. Returns False, and changes
        nothing, if the user has asked for another checksum or for none."""
        self._hashes_first = self._has_md5
        return self._hashes_first

    async def of(self, body: Body) -> Said:
        """What the request with this body says. Raises the body's SourceError."""
        data, md5 = body.data, body.md5
        if data is not None and self._make is None and len(data) <= _QUICK:  # nearly always
            payload = UNSIGNED if self._is_tls else hashlib.sha256(data).hexdigest()
            return Said(self._md5_field(md5), payload, None, md5)
        sha256 = None if self._is_tls else hashlib.sha256()
        checksum = self._make() if self._make is not None else None
        sums: list[Sum] = [each for each in (sha256, checksum) if each is not None]
        missing = _md5() if md5 is None and (sums or self._hashes_first) else None
        await _read_through(body, [*sums, missing] if missing is not None else sums)
        md5 = missing.digest().hex() if missing is not None else md5
        fields, sent = self._md5_field(md5), None
        if checksum is not None and self._name is not None:
            sent = self._name, b64encode(checksum.digest()).decode()
            fields[sent[0]] = sent[1]
        return Said(fields, sha256.hexdigest() if sha256 is not None else UNSIGNED, sent, md5)

    def _md5_field(self, md5: str | None) -> dict[str, str]:
        return {"Content-MD5": b64encode(bytes.fromhex(md5)).decode()} if self._has_md5 and md5 is not None else {}


async def _read_through(body: Body, sums: list[Sum]) -> None:
    """Read the body once for all sums."""

    def take(piece: bytes) -> None:
        for each in sums:
            each.update(piece)

    if sums:
        await read_into(body, take)


class _Crc:
    """A CRC by awscrt, big-endian as S3 wants it."""

    def __init__(self, name: str, size: int) -> None:
        """`size` is its length in bytes. Raises ImportError."""
        from awscrt import checksums  # noqa: PLC0415 - an extra

        self._extend = getattr(checksums, name)
        self._size, self._value = size, 0

    def update(self, data: bytes, /) -> None:
        self._value = self._extend(data, self._value)

    def digest(self) -> bytes:
        return int(self._value).to_bytes(self._size, "big")


def _md5() -> Sum:
    return hashlib.md5(usedforsecurity=False)


_MADE_BY: dict[str, Callable[[], Sum]] = {
    "md5": _md5,
    "sha256": hashlib.sha256,
    "crc32c": partial(_Crc, "crc32c", 4),
    "crc64nvme": partial(_Crc, "crc64nvme", 8),
}


def _made_by(checksum: str) -> Callable[[], Sum]:
    make = _MADE_BY[checksum]
    try:
        make()
    except ImportError:
        raise UsageError(
            f"`s3.checksum={checksum!r}` needs a library that is not installed: pip install 'bulkput[s3]'"
        ) from None
    return make
