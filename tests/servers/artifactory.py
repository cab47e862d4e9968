"""A server that answers as Artifactory does to files and their checksums, as far as its documents and logs show it.

A repository has a checksum policy. `CLIENT`, the default, compares the checksums of the client with the bytes, and
refuses what differs: 409, with the reason in JSON. `SERVER` trusts its own: it stores what arrives, and tells in the
JSON of its 201 what that is. A file NAME.sha1 or NAME.md5 is compared with NAME.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

NAMES = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256"}


@dataclass(slots=True)
class Artifactory:
    """`files` by path. `damages` is how many bodies still arrive with a flipped bit, each at its first byte."""

    policy: Literal["CLIENT", "SERVER"] = "CLIENT"
    damages: int = 0
    replaces: bool = True
    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    puts: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Path and header fields of each PUT, the names of the fields in small letters."""

    def take(self, path: str, sent: bytes, fields: dict[str, str]) -> tuple[int, object]:
        """Status and JSON for a PUT."""
        self.puts.append((path, fields))
        if self.damages and sent:
            self.damages -= 1
            sent = bytes([sent[0] ^ 1]) + sent[1:]
        if path in self.files and not self.replaces:
            return 409, _error(409, f"The artifact '{path}' already exists")
        actual = sums(sent)
        claimed = {name: fields[f"x-checksum-{name}"] for name in NAMES if f"x-checksum-{name}" in fields}
        name, _, kind = path.rpartition(".")
        if kind in NAMES and name in self.files and sums(self.files[name])[kind] != sent.decode():
            found = sums(self.files[name])[kind]
            return 409, _error(409, f"Checksum error for '{path}': received '{sent.decode()}' but actual is '{found}'")
        if self.policy == "CLIENT" and any(actual[kind] != value for kind, value in claimed.items()):
            return 409, _error(409, _rejected(path, claimed, actual))
        self.files[path] = sent
        return 201, {"repo": "libs", "path": path, "checksums": actual, "originalChecksums": claimed}


def sums(content: bytes) -> dict[str, str]:
    return {name: hashlib.new(name, content).hexdigest() for name in NAMES}


def _error(status: int, message: str) -> object:
    return {"errors": [{"status": status, "message": message}]}


def _rejected(path: str, claimed: dict[str, str], actual: dict[str, str]) -> str:
    infos = ", ".join(
        f"{NAMES[name]}=ChecksumInfo{{type={NAMES[name]}, original='{claimed.get(name)}', actual='{actual[name]}'}}"
        for name in NAMES
    )
    return (
        f"Checksum policy 'LocalRepoChecksumPolicy: CLIENT' rejected the artifact 'libs:{path[1:]}'. "
        f"Checksums info: ChecksumsInfo{{checksums={{{infos}}}}}"
    )


@contextmanager
def artifactory() -> Iterator[Artifactory]:
    made = Artifactory()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = "Artifactory/7.77.11"
        wbufsize = -1

        def do_PUT(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            status, told = made.take(self.path, sent, {name.lower(): value for name, value in self.headers.items()})
            self._answer(status, {"Content-Type": "application/json"}, json.dumps(told).encode())

        def do_HEAD(self) -> None:
            content = made.files.get(self.path)
            if content is None:
                self._answer(404, {}, b"")
                return
            of_file = {f"X-Checksum-{name.capitalize()}": value for name, value in sums(content).items()}
            self._answer(200, of_file, content)

        def do_OPTIONS(self) -> None:
            self._answer(405, {}, b"")

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            """Not on stderr."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        made.url = f"http://127.0.0.1:{server.server_port}/libs/"
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()
