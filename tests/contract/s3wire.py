"""One bucket on the wire, for tests that ask each S3 the same: botocore signs, the standard library sends."""

import base64
import hashlib
import http.client
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.contract.wire import Answer
from tests.servers.s3 import RealS3

PART = 5 << 20
"""The smallest size of a part that is not the last."""
SIGNED, UNSIGNED = "signed", "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who signs, when, and what stands for the body in the signature."""

    access_key: str = ""
    secret_key: str = ""
    clock_s: int = 0
    """The difference of the signer's clock."""
    payload: str = SIGNED


@dataclass(frozen=True, slots=True)
class S3Answer(Answer):
    """An answer of an S3."""

    @property
    def code(self) -> str:
        """The error's code; empty without one."""
        found = re.search(rb"<Code>(\w+)</Code>", self.body)
        return found[1].decode() if found is not None else ""

    @property
    def said(self) -> str:
        """The status, and the code of the error."""
        return f"{self.status} `{self.code}`" if self.code else str(self.status)

    def all(self, tag: str) -> list[str]:
        """The texts of all elements of this name."""
        found = ElementTree.fromstring(self.body).iter()
        return [each.text or "" for each in found if each.tag.rpartition("}")[2] == tag]

    def one(self, tag: str) -> str:
        """The text of the first element of this name; empty without one."""
        return next(iter(self.all(tag)), "")


class Bucket:
    """Sends requests, and shares no code with bulkput. `name` is a new bucket."""

    def __init__(self, server: RealS3, stranger: RealS3) -> None:
        self.server, self.stranger = server, stranger
        self.name = server.make_bucket()

    def ask(
        self,
        method: str,
        key: str = "",
        query: str = "",
        body: bytes | Iterable[bytes] = b"",
        *,
        by: By | None = None,
        bucket: str | None = None,
        **fields: str,
    ) -> S3Answer:
        """`key` is not quoted, `query` is; `_` in a field's name is `-`."""
        path = f"/{self.name if bucket is None else bucket}" + (f"/{quote(key)}" if key else "")
        connection = http.client.HTTPConnection(*self.server.address, timeout=30)
        try:
            sent = {name.replace("_", "-"): value for name, value in fields.items()}
            target, signed = self.signed(method, path, query, body, by or By(), sent)
            connection.request(method, target, body or None, signed, encode_chunked=not isinstance(body, bytes))
            return read(connection)
        finally:
            connection.close()

    def signed(
        self,
        method: str,
        path: str,
        query: str,
        body: bytes | Iterable[bytes],
        by: By,
        fields: Mapping[str, str],
    ) -> tuple[str, dict[str, str]]:
        """Gives target and fields of a request."""
        target = f"{path}?{query}" if query else path
        request = AWSRequest(method, self.server.endpoint + target, dict(fields), body)
        keys = Credentials(by.access_key or self.server.access_key, by.secret_key or self.server.secret_key)
        _Signer(keys, "s3", self.server.region, by).add_auth(request)
        return target, dict(request.headers.items())

    def put(self, key: str, body: bytes = b"hello", **fields: str) -> S3Answer:
        """Stores an object, or fails."""
        answer = self.ask("PUT", key, "", body, **fields)
        assert answer.status == 200, answer
        return answer

    def get(self, key: str) -> bytes:
        answer = self.ask("GET", key)
        assert answer.status == 200, answer
        return answer.body

    def names(self, query: str = "") -> list[str]:
        """The names of a page of the listing."""
        answer = self.ask("GET", "", f"list-type=2&{query}".rstrip("&"))
        assert answer.status == 200, answer
        return answer.all("Key")

    def begin(self, key: str = "o", **fields: str) -> str:
        """Begins an upload in parts; gives its number."""
        answer = self.ask("POST", key, "uploads", **fields)
        assert answer.status == 200, answer
        return answer.one("UploadId")

    def part(self, upload: str, number: int, body: bytes, key: str = "o") -> str:
        """Sends a part; gives its ETag."""
        answer = self.ask("PUT", key, f"partNumber={number}&uploadId={quote(upload)}", body)
        assert answer.status == 200, answer
        return answer["ETag"] or ""

    def complete(self, upload: str, parts: Mapping[int, str], key: str = "o", **fields: str) -> S3Answer:
        """Completes an upload of these parts: ETags by number."""
        rows = (f"<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag></Part>" for n, etag in parts.items())
        body = f"<CompleteMultipartUpload>{''.join(rows)}</CompleteMultipartUpload>".encode()
        return self.ask("POST", key, f"uploadId={quote(upload)}", body, **fields)

    def in_two_parts(self, key: str = "o") -> list[bytes]:
        """Stores an object of two parts; gives those."""
        bodies = [b"a" * PART, b"b"]
        upload = self.begin(key)
        etags = {n: self.part(upload, n, body, key) for n, body in enumerate(bodies, 1)}
        assert self.complete(upload, etags, key).status == 200
        return bodies

    def remove(self, keys: Iterable[str], *, with_md5: bool = True) -> S3Answer:
        """Removes many objects by one request."""
        rows = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
        body = f"<Delete>{rows}</Delete>".encode()
        fields = {"Content-MD5": content_md5(body)} if with_md5 else {}
        return self.ask("POST", "", "delete", body, **fields)


class _Signer(S3SigV4Auth):
    def __init__(self, keys: Credentials, service: str, region: str, by: By) -> None:
        super().__init__(keys, service, region)
        self._by = by

    def payload(self, request: Any) -> Any:
        return super().payload(request) if self._by.payload == SIGNED else self._by.payload

    def _should_sha256_sign_payload(self, _request: Any) -> bool:
        return True

    def _modify_request_before_signing(self, request: Any) -> None:
        now = datetime.now(UTC) + timedelta(seconds=self._by.clock_s)
        request.context["timestamp"] = now.strftime("%Y%m%dT%H%M%SZ")
        super()._modify_request_before_signing(request)


def read(connection: http.client.HTTPConnection) -> S3Answer:
    """Reads an answer."""
    got = connection.getresponse()
    try:
        return S3Answer(got.status, got.headers, got.read())
    except http.client.IncompleteRead as error:
        return S3Answer(got.status, got.headers, error.partial, complete=False)


def content_md5(body: bytes) -> str:
    """The value of Content-MD5."""
    return base64.b64encode(hashlib.md5(body).digest()).decode()


def checksum(algorithm: str, body: bytes) -> str:
    """The value of x-amz-checksum-`algorithm`."""
    match algorithm:
        case "crc32c":
            digest = _crc(body, 0x82F63B78, 32)
        case "crc64nvme":
            digest = _crc(body, 0x9A6C9329AC4BC9B5, 64)
        case _:
            digest = hashlib.new(algorithm, body).digest()
    return base64.b64encode(digest).decode()


def _crc(body: bytes, polynomial: int, bits: int) -> bytes:
    """A reflected CRC, bit by bit."""
    crc = mask = (1 << bits) - 1
    for byte in body:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (polynomial if crc & 1 else 0)
    return (crc ^ mask).to_bytes(bits // 8, "big")


def trickled(body: bytes) -> Iterator[bytes]:
    """A body in pieces, which http.client sends in chunks."""
    yield from (body[n : n + 2] for n in range(0, len(body), 2))


def waiting(connection: http.client.HTTPConnection, seconds: float) -> bytes:
    """What the server says within this time, before it has the body."""
    deadline = time.monotonic() + seconds
    connection.sock.settimeout(seconds)
    seen = b""
    try:
        while b"\r\n\r\n" not in seen and time.monotonic() < deadline:
            seen += connection.sock.recv(1)
    except TimeoutError:
        return b""
    return seen
