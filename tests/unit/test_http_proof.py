"""What plain HTTP calls done, and what it removes: servers that lie, hide or mean more than they say."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import bulkput
from bulkput.engine.objects.copy import move
from bulkput.engine.objects.remove import remove
from bulkput.options import RetryOptions, UploadOptions, WireOptions
from bulkput.results import Summary
from bulkput.verb_options import CopyOptions, RemoveOptions

PAGE = b"<!doctype html><title>Log in</title>"
ONCE = RetryOptions(retries=0)


@dataclass(slots=True)
class Repository:
    """Files by path, as Artifactory has them behind a filter that lets GET, HEAD, PUT and DELETE pass: a folder's page
    is there with and without the slash, and its DELETE takes all that is below it."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""
    put: tuple[int, bytes] = (201, b'{"uri": "..."}')
    keeps: bool = True
    head: Callable[[str], tuple[int, dict[str, str]]] | None = None
    hides_checksums: bool = False
    moves: list[tuple[int, bytes]] | None = None
    """It writes in place and has MOVE, by its answer to OPTIONS: how the next ones are answered, then by 201."""

    def found(self, path: str) -> tuple[int, dict[str, str], bytes]:
        if (content := self.files.get(path)) is not None:
            headers = {"Content-Type": "application/octet-stream", "Last-Modified": "Mon, 23 Nov 2026 00:57:00 GMT"}
            if not self.hides_checksums:
                headers["X-Checksum-Md5"] = hashlib.md5(content).hexdigest()
            return 200, headers, content
        if any(name.startswith(path.rstrip("/") + "/") for name in self.files):
            return 200, {"Content-Type": "text/html", "Last-Modified": "Mon, 23 Nov 2026 00:57:00 GMT"}, PAGE
        return 404, {}, b""


@pytest.fixture
def repository() -> Iterator[Repository]:
    made = Repository()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def answer(self) -> None:
            made.asked.append(f"{self.command} {self.path}")
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, body = 405, {}, b""
            if self.command == "PUT":
                status, body = made.put
                headers = {"Content-Type": "text/html"} if body == PAGE else {}
                if made.keeps:
                    made.files[self.path] = sent
            elif self.command == "HEAD" and made.head is not None:
                status, headers = made.head(self.path)
            elif self.command in ("GET", "HEAD"):
                status, headers, body = made.found(self.path)
            elif self.command == "OPTIONS" and made.moves is not None:
                status, headers = 200, {"DAV": "1"}
            elif self.command == "MOVE" and made.moves is not None:
                status, body = made.moves.pop(0) if made.moves else (201, b"")
                headers = {"Content-Type": "text/html"} if body == PAGE else {}
                if status == 201:
                    made.files[self.headers["Destination"]] = made.files.pop(self.path)
            elif self.command == "DELETE":
                status = 204
                for path in [path for path in made.files if f"{path}/".startswith(self.path.rstrip("/") + "/")]:
                    del made.files[path]
            self.send_response_only(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_PUT = do_DELETE = do_PROPFIND = do_OPTIONS = do_MKCOL = do_MOVE = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        made.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()


async def upload(tree: Path, repository: Repository, count: int = 3) -> Summary:
    for number in range(count):
        (tree / f"{number}.txt").write_bytes(b"hello")
    options = UploadOptions(retry=ONCE, wire=WireOptions(concurrency=1))
    return await bulkput.upload([tree], f"{repository.url}/r/", options=options, environ={})


async def test_only_the_first_object_of_a_run_is_checked_by_head(tmp_path: Path, repository: Repository) -> None:
    """There are one OPTIONS before the first PUT, one HEAD after it, and one PUT for each object."""
    summary = await upload(tmp_path, repository)
    assert (summary.exit_code, summary.requests) == (0, {"OPTIONS": 1, "PUT": 3, "HEAD": 1})
    first = next(one for one in repository.asked if one.startswith("PUT")).split()[1]
    assert repository.asked[:3] == ["OPTIONS /r/", f"PUT {first}", f"HEAD {first}"]


@pytest.mark.parametrize("answered", [(200, PAGE), (502, b"")])
async def test_an_unproven_move_fails_its_object(
    tmp_path: Path, repository: Repository, answered: tuple[int, bytes]
) -> None:
    """The answer is a page or a gateway's 502; the other objects are stored."""
    repository.moves = [(201, b""), answered, *([answered] if answered[0] == 502 else [])]
    summary = await upload(tmp_path, repository)
    assert (summary.exit_code, summary.uploaded, summary.failed) == (1, 2, 1)
    puts = [one for one in repository.asked if one.startswith("PUT")]
    assert len(puts) == 3 and all(".bulkput-" in one for one in puts)


@pytest.mark.parametrize("keeps", [False, True])
async def test_a_login_page_stops_the_run(tmp_path: Path, repository: Repository, keeps: bool) -> None:
    """The PUT is answered by 200 with HTML, and the exit code is 3."""
    repository.put, repository.keeps = (200, PAGE), keeps
    summary = await upload(tmp_path, repository)
    assert (summary.exit_code, summary.uploaded, summary.requests["PUT"]) == (3, 0, 1)
    assert "200 to the PUT, but with a page: is this a login page or a proxy?" in str(summary.stopping)


@pytest.mark.parametrize("status", [200, 201, 204])
async def test_a_missing_first_object_stops_the_run(tmp_path: Path, repository: Repository, status: int) -> None:
    """The exit code is 3, whatever the status of the PUT."""
    repository.put, repository.keeps = (status, b""), False
    summary = await upload(tmp_path, repository)
    assert (summary.exit_code, summary.uploaded, summary.requests["PUT"]) == (3, 0, 1)
    assert f"answered {status} to the PUT, but the object is not there" in str(summary.stopping)


async def test_a_first_object_with_other_bytes_stops_the_run(tmp_path: Path, repository: Repository) -> None:
    """It has the right length and another checksum."""
    repository.head = lambda _path: (200, {"Content-Length": "5", "X-Checksum-Md5": "0" * 32})
    summary = await upload(tmp_path, repository)
    assert summary.exit_code == 3 and "has the MD5 0000" in str(summary.stopping)


async def test_a_201_is_accepted_if_the_head_is_forbidden(tmp_path: Path, repository: Repository) -> None:
    """A write-only upload area answers 201 to the PUT and 403 to the HEAD."""
    repository.head = lambda _path: (403, {})
    assert (await upload(tmp_path, repository)).exit_code == 0
    repository.put = (200, b"")
    assert (await upload(tmp_path, repository)).exit_code == 3


async def test_a_page_in_the_middle_of_a_run_is_retried(tmp_path: Path, repository: Repository) -> None:
    """A maintenance page fails its object if it stays; stored objects count."""

    def head(_path: str) -> tuple[int, dict[str, str]]:
        repository.put = (200, PAGE)
        return 200, {"Content-Length": "5"}

    repository.head = head
    summary = await upload(tmp_path, repository)
    assert (summary.exit_code, summary.uploaded, summary.failed) == (1, 1, 2)
    assert "answered with a page" in str(summary.failures[0])


FOLDER = {"/r/d/a": b"1", "/r/d/e/b": b"2", "/r/x": b"3"}


@pytest.mark.parametrize("verb", ["rm", "mv"])
@pytest.mark.parametrize("key", ["d", "d/e"])
async def test_a_folder_behind_a_method_filter_is_kept(repository: Repository, verb: str, key: str) -> None:
    """A 405 to PROPFIND proves nothing: there is no DELETE and no copy, and the exit code is 1."""
    repository.files = dict(FOLDER)
    source = f"{repository.url}/r/{key}"
    if verb == "rm":
        changes = await remove(source, options=RemoveOptions(retry=ONCE), environ={})
    else:
        changes = await move(source, f"{repository.url}/r/new", options=CopyOptions(retry=ONCE), environ={})
    assert (changes.exit_code, changes.done, repository.files) == (1, 0, FOLDER)
    assert "directory" in str(changes.failures[0].error)
    assert not [one for one in repository.asked if one.startswith(("DELETE", "PUT"))]


@pytest.mark.parametrize("hides_checksums", [False, True])
@pytest.mark.parametrize("key", ["d/a", "x"])
async def test_a_file_behind_a_method_filter_is_removed(
    repository: Repository, key: str, hides_checksums: bool
) -> None:
    """Its checksum, or a missing path with a slash, proves that it is a file."""
    repository.files, repository.hides_checksums = dict(FOLDER), hides_checksums
    changes = await remove(f"{repository.url}/r/{key}", options=RemoveOptions(retry=ONCE), environ={})
    assert changes.exit_code == 0 and repository.files.keys() == FOLDER.keys() - {f"/r/{key}"}
