"""One account on the wire, for tests that ask the devserver and a real Swift the same."""

import http.client
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.servers.swift import RealSwift


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; `complete` is False if the connection broke off before the announced end of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    complete: bool = True

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def __getitem__(self, header: str) -> str | None:
        return self.headers.get(header)


class Account:
    """Sends requests, and shares no code with bulkput. `c` and `s` are two new containers: objects, and segments."""

    def __init__(self, server: RealSwift) -> None:
        self._token = ""
        self.timeout_s = 30.0
        self.login = self._send("GET", server.auth_url, None, {"X-Auth-User": server.user, "X-Auth-Key": server.key})
        self.url = str(self.login["X-Storage-Url"])
        self._token = str(self.login["X-Auth-Token"])
        self.c = f"large-{uuid.uuid4().hex[:8]}"
        self.s = self.c + "_segments"
        for name in (self.c, self.s):
            assert self.ask("PUT", f"/{name}").status == 201

    def ask(self, method: str, path: str, body: bytes | str | None = None, **headers: str) -> Answer:
        """`path` is CONTAINER/OBJECT?QUERY, already quoted; `_` in a header's name is `-`."""
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        return self._send(method, self.url + path, body, sent)

    def at(self, url: str) -> Answer:
        """GETs a URL."""
        return self._send("GET", url, None, {})

    def info(self) -> Any:
        return self._send("GET", self.url.partition("/v1/")[0] + "/info", None, {}).json

    def _send(self, method: str, url: str, body: bytes | str | None, headers: Mapping[str, str]) -> Answer:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=self.timeout_s)
        try:
            target = url.removeprefix(f"{parts.scheme}://{parts.netloc}")
            connection.request(method, target, body, {"X-Auth-Token": self._token, **headers})
            got = connection.getresponse()
            try:
                return Answer(got.status, got.headers, got.read())
            except http.client.IncompleteRead as error:
                return Answer(got.status, got.headers, error.partial, complete=False)
        finally:
            connection.close()

    # --- large objects

    def segment(self, name: str, content: bytes) -> dict[str, Any]:
        """Stores a segment; gives its entry in a manifest."""
        put = self.ask("PUT", f"/{self.s}/{name}", content, Content_Type="text/plain; charset=utf-8")
        assert put.status == 201
        return {"path": f"/{self.s}/{name}", "etag": put["Etag"], "size_bytes": len(content)}

    def put(self, name: str, entries: object, query: str = "", **headers: str) -> Answer:
        """PUTs a manifest; text is sent as it is."""
        body = entries if isinstance(entries, str) else json.dumps(entries)
        return self.ask("PUT", f"/{self.c}/{name}?multipart-manifest=put{query}", body, **headers)

    def get(self, name: str, query: str = "", **headers: str) -> Answer:
        return self.ask("GET", f"/{self.c}/{name}{query}", **headers)

    def names(self, container: str) -> list[str]:
        return [row["name"] for row in self.rows(container)]

    def rows(self, container: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.ask("GET", f"/{container}?format=json").json
        return rows
