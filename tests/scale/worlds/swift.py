"""Reads a Swift account with a plain HTTP client, without any code of bulkput."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from tests.scale.worlds.world import Key
from tests.servers.swift import RealSwift

RAW = "?symlink=get&multipart-manifest=get"
"""Query for the symlink or manifest itself instead of its target or segments."""
_TRIES = 6
Answer = tuple[int, http.client.HTTPMessage, bytes]
"""Status, header fields, body."""


@dataclass(frozen=True, slots=True)
class Snap:
    """An object at one moment; an expired one may still be listed.

    `content` is the body of a GET, None if the GET fails. `is_there` is True if an object of that name exists, readable
    or not. `reads` are the objects that a GET of it reads; `begins` is the prefix of the segments of a dynamic large
    object.
    """

    status: int
    content: bytes | None
    is_there: bool
    kind: str
    type: str
    encoding: str
    reads: tuple[Key, ...] = ()
    begins: Key | None = None
    own: int = 0
    """Length of its own body, which a GET of a large object does not give."""
    expires_s: int | None = None
    """X-Delete-At: seconds since 1970."""

    @property
    def is_readable(self) -> bool:
        return self.content is not None


ABSENT = Snap(404, None, False, "absent", "", "")
Seen = Mapping[Key, Snap]


class Account:
    """One connection for one thread. `boxes` maps the names in a world to the real names of containers."""

    def __init__(self, swift: RealSwift, boxes: Mapping[str, str]) -> None:
        self.boxes = boxes
        parts = urlsplit(swift.auth_url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        self._root, self._token = "", ""
        _, headers, _ = self._ask("GET", parts.path, {"X-Auth-User": swift.user, "X-Auth-Key": swift.key})
        self._root, self._token = urlsplit(headers["X-Storage-Url"]).path, headers["X-Auth-Token"]

    def close(self) -> None:
        self._connection.close()

    def path(self, key: Key) -> str:
        """Gives CONTAINER/OBJECT, percent-encoded."""
        return quote(self.boxes[key.box], safe="") + "/" + quote(key.name)

    def ask(
        self, method: str, key: Key, query: str = "", headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        return self._ask(method, f"{self._root}/{self.path(key)}{query}", headers or {}, body)

    def make(self, box: str) -> None:
        status, _, _ = self._ask("PUT", f"{self._root}/{quote(self.boxes[box])}", {})
        assert status in (201, 202), status

    def look(self, also: Iterable[Key] = ()) -> dict[Key, Snap]:
        """Reads all listed objects, and those of `also`."""
        listed = [Key(box, row["name"]) for box in self.boxes for row in self.rows(box)]
        seen = {key: self.snap(key) for key in dict.fromkeys([*listed, *also])}
        return seen | {key: replace(seen[key], kind="expired") for key in listed if not seen[key].is_there}

    def rows(self, box: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while True:
            query = urlencode({"format": "json", "marker": rows[-1]["name"] if rows else ""})
            status, _, body = self._ask("GET", f"{self._root}/{quote(self.boxes[box])}?{query}", {})
            if status == 404:
                return []
            assert status == 200, (status, body)
            if not (found := json.loads(body)):
                return rows
            rows += found

    def snap(self, key: Key) -> Snap:
        status, headers, content = self.ask("GET", key)
        raw, own, _ = self.ask("HEAD", key, RAW)
        kind, reads, begins = self._leads_to(key, own) if raw == 200 else ("absent", (), None)
        found = content if status == 200 else None
        type_, encoding = own.get("Content-Type", ""), headers.get("Content-Encoding", "") if status == 200 else ""
        expires_s = int(headers["X-Delete-At"]) if status == 200 and "X-Delete-At" in headers else None
        return Snap(
            status,
            found,
            raw == 200,
            kind,
            type_,
            encoding,
            reads,
            begins,
            int(own.get("Content-Length", 0)),
            expires_s,
        )

    def _leads_to(self, key: Key, own: http.client.HTTPMessage) -> tuple[str, tuple[Key, ...], Key | None]:
        if (target := own.get("X-Symlink-Target")) is not None:
            return "link", self._keys([target]), None
        if (manifest := own.get("X-Object-Manifest")) is not None:
            begins = self._keys([manifest])
            return "dynamic", (), begins[0] if begins else None
        if own.get("X-Static-Large-Object", "").lower() == "true":
            _, _, text = self.ask("GET", key, RAW)
            rows = json.loads(text) if text else []
            return "static", self._keys([quote(row["name"]) for row in rows if "name" in row]), None
        return "plain", (), None

    def _keys(self, paths: Iterable[str]) -> tuple[Key, ...]:
        names = {real: box for box, real in self.boxes.items()}
        pairs = [unquote(path).lstrip("/").split("/", 1) for path in paths]
        return tuple(Key(names[pair[0]], pair[1]) for pair in pairs if len(pair) == 2 and pair[0] in names)

    def _ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """Sends a request, again if a busy Swift fails; a 500 only once more, as it can also mean a missing segment.

        Gives status 0 for an answer that breaks off, as for a large object whose second segment is missing.
        """
        fields = {**headers, "X-Auth-Token": self._token} if self._token else dict(headers)
        for attempt in range(1, _TRIES + 1):
            try:
                self._connection.request(method, path, body, fields)
                answer = self._connection.getresponse()
                status, named = answer.status, answer.headers
                content = answer.read()
            except http.client.IncompleteRead:
                self._connection.close()
                return 0, http.client.HTTPMessage(), b""
            except (OSError, http.client.HTTPException):
                self._connection.close()
                if attempt == _TRIES:
                    raise
            else:
                if status < 500 or attempt == (2 if status == 500 else _TRIES):
                    return status, named, content
            time.sleep(0.1 * 2**attempt)
        raise AssertionError("the last attempt returns or raises")
