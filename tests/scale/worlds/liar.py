"""A proxy that gives wrong answers as a world says: to the n-th request about an object, whatever else is in flight."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.e2e.changes_relay import Asked, PassOn, Said
from tests.scale.worlds.world import REWRITTEN, About, Key, Lie

PAGE = b"<html><body><h1>Down for maintenance</h1></body></html>"
CUT = Said(0)
"""Closes the connection without an answer."""


class Liar:
    """Gives wrong answers: pass `meddle` to `changes_relay.relay`. `struck` counts them."""

    def __init__(self, lies: Sequence[Lie], boxes: Mapping[str, str]) -> None:
        self._lies = lies
        self._names = {real: box for box, real in boxes.items()}
        self._met: Counter[tuple[Lie, Key | None]] = Counter()
        self._lock = threading.Lock()
        self.struck: Counter[Lie] = Counter()
        self.damaged: set[Key] = set()
        self.rewritten: set[Key] = set()
        self._boxes = boxes

    def meddle(self, asked: Asked, pass_on: PassOn) -> Said:
        about, key = self._what(asked)
        for lie in self._lies:
            if lie.about == about and (about in ("list", "bulk") or lie.key in (None, key)):
                with self._lock:
                    self._met[lie, key] += 1
                    if not lie.first <= self._met[lie, key] <= lie.last:
                        continue
                    self.struck[lie] += 1
                return self._lie(lie, asked, key, pass_on)
        return pass_on(asked)

    def _what(self, asked: Asked) -> tuple[About | None, Key | None]:
        parts = urlsplit(asked.path)
        words, query = parts.path.split("/", 4)[3:], parse_qs(parts.query, keep_blank_values=True)
        box = self._names.get(unquote(words[0])) if words else None
        key = Key(box, unquote(words[1])) if box is not None and len(words) == 2 and words[1] else None
        match asked.method:
            case "POST" if "bulk-delete" in query:
                return "bulk", None
            case "PUT" if "x-copy-from" in asked.headers:
                return "copy", key
            case "PUT" | "DELETE" | "HEAD" | "COPY" if key is not None:
                return asked.method.lower(), key  # type: ignore[return-value]
            case "GET" if key is None and box is not None:
                return "list", Key(box, "")
            case "GET" if "multipart-manifest" in query:
                return "manifest", key
        return None, key

    def _lie(self, lie: Lie, asked: Asked, key: Key | None, pass_on: PassOn) -> Said:
        match lie.how:
            case "page":
                return Said(200, PAGE, {"Content-Type": "text/html"})
            case "created page":
                return Said(201, PAGE, {"Content-Type": "text/html"})
            case "503":
                return Said(503, PAGE)
            case "404":
                return Said(404, b"")
            case "cut":
                return CUT
            case "damage":
                asked.headers.pop("etag", None)
                asked.body = bytes(asked.body[:-1] + bytes((asked.body[-1] ^ 1,))) if asked.body else b"?"
                asked.headers["content-length"] = str(len(asked.body))
                if key is not None:
                    self.damaged.add(key)
                return pass_on(asked)
        said = pass_on(asked)
        match lie.how:
            case "503 after":
                return Said(503, PAGE)
            case "cut after":
                return CUT
            case "rewrite" if lie.key is not None:
                self.rewritten.add(lie.key)
                account = "/".join(asked.path.split("/")[:3])
                path = f"{account}/{quote(self._boxes[lie.key.box])}/{quote(lie.key.name)}"
                fields = {"x-auth-token": asked.headers["x-auth-token"], "content-type": "text/plain"}
                assert pass_on(Asked("PUT", path, fields, REWRITTEN)).status == 201
            case "stale" | "phantom" if said.status == 200 and lie.key is not None:
                said.body = self._page(said.body, lie, asked)
        etag = next((name for name in said.headers if name.lower() == "etag"), None)
        if etag is not None:
            text = said.headers[etag].strip('"')
            match lie.how:
                case "weak":
                    said.headers[etag] = f'W/"{text}"'
                case "suffix":
                    said.headers[etag] = f'"{text}-gzip"'
                case "no etag":
                    del said.headers[etag]
                case "wrong etag":
                    said.headers[etag] = "0" * 32
        return said

    def _page(self, body: bytes, lie: Lie, asked: Asked) -> bytes:
        """Gives an outdated page of a listing: without a plain object that exists, or with an object that does not.

        Symlinks and manifests stay listed: a mirror could not be right if the listing omits them.
        """
        rows, name = json.loads(body), lie.key.name if lie.key is not None else ""
        prefix = parse_qs(urlsplit(asked.path).query).get("prefix", [""])[0]
        if lie.how == "stale":
            is_plain = [
                r for r in rows if r["name"] == name and r["bytes"] and "symlink_path" not in r and "slo_etag" not in r
            ]
            rows = [row for row in rows if row not in is_plain]
        elif rows and name.startswith(prefix) and all(row["name"] != name for row in rows):
            rows.append({**rows[0], "name": name, "bytes": 3, "hash": "f" * 32})
            for field in ("symlink_path", "slo_etag"):
                rows[-1].pop(field, None)
            rows.sort(key=lambda row: row["name"].encode())
        return json.dumps(rows).encode()
