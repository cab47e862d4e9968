"""Uploads by a temporary URL to a server that lies: what is proven by a HEAD counts, and nothing is removed."""

import asyncio
import hashlib
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from time import time

import pytest

import bulkput
from bulkput import events as ev
from bulkput.options import RetryOptions, UploadOptions, WireOptions
from tests.faults.raw import raw_server, read_request

CONTENT = b"content"
RIGHT, WRONG = hashlib.md5(CONTENT).hexdigest(), hashlib.md5(b"damaged").hexdigest()
OPTIONS = UploadOptions(retry=RetryOptions(retries=1, base_s=0.001), wire=WireOptions(concurrency=1))


@dataclass(slots=True)
class Liar:
    """Answers PUT and HEAD with these ETags, as if the object had just been stored."""

    put: str | None
    head: str
    status: int = 201
    lines: list[str] = field(default_factory=list)
    _now: str = field(default_factory=lambda: formatdate(time(), usegmt=True))

    async def behave(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while True:
            head, _body = await read_request(reader)
            self.lines.append(head.split(b"\r\n")[0].decode())
            etag = self.put if head.startswith(b"PUT") else self.head
            fields = f"Date: {self._now}\r\nLast-Modified: {self._now}\r\nX-Timestamp: {time():.5f}\r\n"
            fields += f"ETag: {etag}\r\n" if etag is not None else ""
            length = 0 if head.startswith(b"PUT") else len(CONTENT)
            status = f"{self.status if head.startswith(b'PUT') else 200} Answered"
            writer.write(f"HTTP/1.1 {status}\r\n{fields}Content-Length: {length}\r\n\r\n".encode())

    @property
    def methods(self) -> Counter[str]:
        return Counter(line.partition(" ")[0] for line in self.lines)


@asynccontextmanager
async def uploaded(liar: Liar, tree: Path) -> AsyncIterator[tuple[bulkput.Summary, str]]:
    """Uploads one file; gives the summary and the error."""
    (tree / "a").write_bytes(CONTENT)
    seen: list[ev.Event] = []
    async with raw_server(liar.behave) as server:
        url = f"{server}/v1/AUTH_a/c/p/?temp_url_sig=s%2Bg&temp_url_expires={int(time()) + 600}&temp_url_prefix=p%2F"
        summary = await bulkput.upload([tree], url, options=OPTIONS, on_event=seen.append, environ={})
    yield summary, "".join(str(event.error) for event in seen if isinstance(event, ev.Failed))


async def test_a_201_without_an_etag_is_proven_by_a_head_that_is_signed_as_well(tmp_path: Path) -> None:
    """One HEAD, whose own query comes before the signature."""
    liar = Liar(put=None, head=RIGHT)
    async with uploaded(liar, tmp_path) as (summary, _):
        assert summary.exit_code == 0
    put, head = liar.lines
    signed = re.escape("temp_url_sig=s%2Bg&temp_url_expires=") + r"\d+&temp_url_prefix=p/ HTTP/1\.1"
    assert re.fullmatch(rf"PUT /v1/AUTH_a/c/p/a\?{signed}", put)
    assert re.fullmatch(rf"HEAD /v1/AUTH_a/c/p/a\?symlink=get&{signed}", head)


async def test_a_damaged_object_is_kept_and_reported(tmp_path: Path) -> None:
    """A temporary URL for PUT can neither read nor remove it, and does not try."""
    liar = Liar(put=WRONG, head=WRONG)
    async with uploaded(liar, tmp_path) as (summary, error):
        assert summary.exit_code == 1
    assert "a damaged object may be there: get p/a: a temporary URL for uploads cannot read" in error
    assert liar.methods == {"PUT": 2, "HEAD": 1}


@pytest.mark.parametrize(("status", "error"), [(401, "made for another method"), (403, "made for another method")])
async def test_a_refusal_is_one_request_and_stops_the_run(tmp_path: Path, status: int, error: str) -> None:
    """Swift answers 401 to a signature, Ceph's gateway 403."""
    liar = Liar(put=RIGHT, head=RIGHT, status=status)
    async with uploaded(liar, tmp_path) as (summary, told):
        assert (summary.exit_code, summary.retries) == (3, 0)
    assert error in told
    assert liar.methods == {"PUT": 1}
