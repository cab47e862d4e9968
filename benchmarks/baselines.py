"""The two ways of uploading that bulkput is measured against, as short programs in their own right.

    ST_AUTH=... ST_USER=... ST_KEY=... python benchmarks/baselines.py bindings DIRECTORY CONTAINER
    ST_AUTH=... ST_USER=... ST_KEY=... python benchmarks/baselines.py rest     DIRECTORY CONTAINER

bindings   what the language bindings of 2009 did: a HEAD when the object instance is made, another before the upload,
           "to be generic", then the PUT; one file after the other.
rest       the REST API directly: log in once, make the container once, then PUT after PUT over one kept-alive
           connection, each answer read to its end; one file after the other.

Both are the programs of "Quickly uploading data to Cloud Files" (2009), on today's standard library and nothing else.
A file that cannot be stored prints its status, reason and name; the run goes on and exits with 1 at the end.
"""

import http.client
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import quote, urlsplit


@dataclass
class Outcome:
    """How a run went: requests by method, and files that the store did not take."""

    requests: dict[str, int] = field(default_factory=dict)
    failed: int = 0


class Account:
    """A logged-in account on one kept-alive connection."""

    def __init__(self, auth_url: str, user: str, key: str) -> None:
        self.outcome = Outcome()
        auth = urlsplit(auth_url)
        self._connection = _connect(auth_url)
        answer = self._send("GET", auth.path, {"X-Auth-User": user, "X-Auth-Key": key})
        if answer.status not in (200, 204):
            raise SystemExit(f"login: {answer.status} {answer.reason}")
        self.storage_url = answer.headers["X-Storage-Url"]
        storage = urlsplit(self.storage_url)
        self.token = {"X-Auth-Token": answer.headers["X-Auth-Token"]}
        self._path = storage.path
        if storage.netloc != auth.netloc:
            self._connection.close()
            self._connection = _connect(self.storage_url)

    def request(self, method: str, path: str, body: bytes | None = None) -> HTTPResponse:
        return self._send(method, f"{self._path}/{quote(path)}", self.token, body)

    def put_file(self, container: str, name: str, body: bytes) -> None:
        answer = self.request("PUT", f"{container}/{name}", body)
        if answer.status != 201:
            self.outcome.failed += 1
            print(answer.status, answer.reason, name, file=sys.stderr)

    def _send(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> HTTPResponse:
        self.outcome.requests[method] = self.outcome.requests.get(method, 0) + 1
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        answer.read()  # to its end, or the connection cannot be used again
        return answer


def bindings(account: Account, directory: str, container: str) -> None:
    """HEAD, HEAD, PUT for each file, after a HEAD of the container."""
    account.request("PUT", container)
    account.request("HEAD", container)
    for name, body in files(directory):
        account.request("HEAD", f"{container}/{name}")  # container.create_object(name)
        account.request("HEAD", f"{container}/{name}")  # object.write(): is it there, what metadata has it?
        account.put_file(container, name, body)


def rest(account: Account, directory: str, container: str) -> None:
    """One PUT for each file."""
    account.request("PUT", container)
    for name, body in files(directory):
        account.put_file(container, name, body)


def files(directory: str) -> Iterator[tuple[str, bytes]]:
    """Object name and content of each file below a directory."""
    for folder, folders, names in os.walk(directory):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                yield os.path.relpath(path, directory).replace(os.sep, "/"), file.read()


def _connect(url: str) -> HTTPConnection:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else HTTPConnection
    return kind(parts.hostname or "localhost", parts.port, timeout=90)


WAYS = {"bindings": bindings, "rest": rest}


def main(arguments: list[str]) -> int:
    if len(arguments) != 3 or arguments[0] not in WAYS:
        print(__doc__, file=sys.stderr)
        return 2
    way, directory, container = arguments
    account = Account(os.environ["ST_AUTH"], os.environ["ST_USER"], os.environ["ST_KEY"])
    WAYS[way](account, directory, container)
    requests = " ".join(f"{method}={count}" for method, count in sorted(account.outcome.requests.items()))
    print(requests, f"failed={account.outcome.failed}")
    return 1 if account.outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
