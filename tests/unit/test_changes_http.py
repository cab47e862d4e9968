"""What `cp`, `mv` and `rm` do with HTTP servers that cannot be relied on: in doubt the source is still there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bulkput.engine.objects.copy import copy, move
from bulkput.engine.objects.remove import remove
from bulkput.options import RetryOptions
from bulkput.verb_options import CopyOptions, RemoveOptions
from bulkput.verb_results import Changes

_SECOND = RetryOptions(retries=1)


@dataclass(slots=True)
class Web:
    """A server's files by path, those below /alias/ once more; and how it misbehaves."""

    files: dict[str, bytes] = field(default_factory=dict)
    url: str = ""
    asked: list[str] = field(default_factory=list)
    """Methods."""
    tells_length: bool = True
    damages: bool = False
    writes_when_read: bytes | None = None
    changes_when_written: bool = False
    dates: Iterator[str] = field(default_factory=lambda: iter(["Mon, 23 Nov 2026 00:57:00 GMT"] * 99))
    propfind: tuple[int, bytes] = (501, b"")
    delete_status: int = 204


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()

    class Handler(_Handler):
        web = made

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    web: Web

    def answer(self) -> None:
        web, path = self.web, self.path.removeprefix("/alias")
        web.asked.append(self.command)
        length = int(self.headers.get("Content-Length", 0))
        is_chunked = "Transfer-Encoding" in self.headers
        sent = self.rfile.read(-1 if is_chunked else length)
        if is_chunked or len(sent) != length:  # broken off, as all chunked ones are here
            self.close_connection = True
            return
        if self.command == "PROPFIND":
            self.say(*web.propfind)
        elif self.command == "PUT":
            web.files[path] = bytes(len(sent)) if web.damages else sent
            if web.changes_when_written:
                web.dates = iter(["Mon, 23 Nov 2026 00:58:00 GMT"] * 99)
            self.say(201)
        elif path not in web.files:
            self.say(404)
        elif self.command == "DELETE":
            del web.files[path]
            self.say(web.delete_status)
        else:
            if self.command == "GET" and web.writes_when_read is not None:
                web.files[path] = web.writes_when_read
            self.say(200, web.files[path], tells_length=web.tells_length)

    def say(self, status: int, body: bytes = b"", *, tells_length: bool = True) -> None:
        self.send_response_only(status)
        self.send_header("Last-Modified", next(self.web.dates))
        if tells_length:
            self.send_header("Content-Length", str(len(body)))
        elif self.command == "GET":
            self.close_connection = True
            body = body[:-1]  # and nobody can tell
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_DELETE = do_PROPFIND = answer  # noqa: N815 - as the library has it

    def log_message(self, *_: object) -> None:
        """Nothing."""


async def run(verb: str, *urls: str) -> Changes:
    if verb == "rm":
        return await remove(*urls, options=RemoveOptions(retry=_SECOND), environ={})
    return await (move if verb == "mv" else copy)(*urls, options=CopyOptions(retry=_SECOND), environ={})


def why(changes: Changes) -> str:
    """It has failed, and that is all that it did."""
    assert (changes.exit_code, changes.done, changes.failed) == (1, 0, 1)
    return str(changes.failures[0].error)


@pytest.mark.parametrize("verb", ["mv", "cp"])
async def test_a_body_without_a_length_is_not_copied(web: Web, verb: str) -> None:
    """Neither HEAD nor GET has a length, so a truncated copy would not be detected."""
    web.files, web.tells_length = {"/x": b"hello"}, False
    assert "length" in why(await run(verb, f"{web.url}/x", f"{web.url}/y"))
    assert web.files == {"/x": b"hello"}


@pytest.mark.parametrize(
    ("status", "kind"),
    [(207, b"<D:resourcetype><D:collection/></D:resourcetype>"), (207, b"<multistatus/>"), (403, b""), (301, b"")],
)
async def test_a_possible_webdav_directory_is_not_removed(web: Web, status: int, kind: bytes) -> None:
    """A DELETE of a directory would remove everything below it."""
    web.files, web.propfind = {"/d": b""}, (status, kind)
    assert "delete d: " in why(await run("rm", f"{web.url}/d"))
    assert "DELETE" not in web.asked


@pytest.mark.parametrize(("status", "kind"), [(207, b'<resourcetype xmlns="DAV:"/>'), (405, b""), (404, b"")])
async def test_a_file_is_removed_from_servers_with_and_without_webdav(web: Web, status: int, kind: bytes) -> None:
    """This includes answers with an invalid date."""
    web.files, web.propfind, web.dates = {"/x": b"1"}, (status, kind), iter(["never"] * 9)
    assert (await run("rm", f"{web.url}/x")).exit_code == 0
    assert not web.files


async def test_a_delete_answered_by_202_fails(web: Web) -> None:
    """The server may remove the file later."""
    web.files, web.delete_status = {"/x": b"1"}, 202
    assert "later" in why(await run("rm", f"{web.url}/x"))


async def test_a_file_is_not_moved_onto_a_possible_alias_of_itself(web: Web) -> None:
    """The alias is on another address, and each HEAD has another date."""
    web.files, web.dates = {"/x": b"hello"}, iter([f"Mon, 23 Nov 2026 00:57:{n} GMT" for n in range(10, 40)])
    assert "itself under another address" in why(await run("mv", f"{web.url}/x", f"{web.url}/alias/x"))
    assert web.files == {"/x": b"hello"} and not {"PUT", "DELETE"} & set(web.asked)


async def test_a_move_replaces_a_file_of_another_size(web: Web) -> None:
    """The move sends the file through this machine."""
    web.files = {"/x": b"hello", "/y": b"other"[:4]}
    assert (await run("mv", f"{web.url}/x", f"{web.url}/y")).exit_code == 0
    assert web.files == {"/y": b"hello"}


async def test_a_move_keeps_its_source_if_the_copy_reads_back_damaged(web: Web) -> None:
    """The copy has the right length and wrong bytes."""
    web.files, web.damages = {"/x": b"precious"}, True
    why(await run("mv", f"{web.url}/x", f"{web.url}/y"))
    assert web.files["/x"] == b"precious"


async def test_a_move_keeps_a_source_that_changed_during_the_copy(web: Web) -> None:
    """The source may be the new copy, seen through a cache."""
    web.files, web.changes_when_written = {"/x": b"hello"}, True
    assert "overwritten after the copy" in why(await run("mv", f"{web.url}/x", f"{web.url}/y"))
    assert web.files == {"/x": b"hello", "/y": b"hello"}


@pytest.mark.parametrize("now", [b"hello, world", b"hell"])
async def test_a_source_with_another_length_than_announced_is_not_read_again(web: Web, now: bytes) -> None:
    """The file was written to during the read."""
    web.files, web.writes_when_read = {"/x": b"hello"}, now
    assert "its length changed" in why(await run("cp", f"{web.url}/x", f"{web.url}/y"))
    assert web.asked.count("GET") == 1 and "/y" not in web.files
