"""Reports of requests that touch many objects: their form, and the answer that keeps a connection alive meanwhile.

The fields and forms are those of swift/common/request_helpers.py (get_heartbeat_response_body); XML is left out.
"""

import asyncio
import json
import re
import time
from collections.abc import Mapping, Sequence

from aiohttp import web

from .call import Call

TEXT, JSON = "text/plain", "application/json"
Errors = Sequence[tuple[str, str]]
"""Pairs of a quoted path and what is wrong with it."""

_PHRASES = {
    200: "OK",
    201: "Created",
    400: "Bad Request",
    404: "Not Found",
    406: "Not Acceptable",
    411: "Length Required",
    412: "Precondition Failed",
    413: "Request Entity Too Large",
    422: "Unprocessable Entity",
}
_ACCEPTED = re.compile(r"\s*([^\s/;,=]+)/([^\s/;,=]+)\s*((?:;\s*\w+\s*=\s*[^;,\s]+\s*)*)")


def status_line(status: int) -> str:
    """A status with its phrase, as Swift spells it: Python's own phrases change between versions."""
    return f"{status} {_PHRASES[status]}"


def choose_form(accept: str) -> str | None:
    """TEXT or JSON by an Accept header; None if it accepts neither. Without a header, text.

    Raises ValueError for a malformed header (swift/common/swob.py, Accept.best_match).
    """
    wanted: list[tuple[float, bool, str]] = []
    for item in accept.split(",") if accept else ["*/*"]:
        found = _ACCEPTED.fullmatch(item)
        if found is None:
            raise ValueError(f"not an Accept header: {accept!r}")
        main, sub, rest = found.groups()
        quality = re.search(r";\s*q\s*=\s*([^;\s]+)", rest)
        pattern = "/".join(".+" if part == "*" else re.escape(part) for part in (main, sub))
        wanted.append((float(quality[1]) if quality else 1.0, "*" not in (main, sub), pattern))
    wanted.sort(key=lambda one: one[:2], reverse=True)
    forms = (form for _, _, pattern in wanted for form in (TEXT, JSON) if re.fullmatch(pattern, form))
    return next(forms, None)


def upload_form(accept: str) -> str:
    """The form of the report of an upload: text if the header is malformed, or accepts neither form."""
    try:
        return choose_form(accept) or TEXT
    except ValueError:
        return TEXT


def render(form: str | None, fields: Mapping[str, str | int], errors: Errors) -> bytes:
    """The body of a report."""
    if form == JSON:
        return json.dumps({**fields, "Errors": errors}).encode()
    lines = [f"{key}: {fields[key]}\n" for key in sorted(fields)]
    return "".join([*lines, "Errors:\n", *(f"{name}, {problem}\n" for name, problem in errors)]).encode()


class Heartbeat(web.StreamResponse):
    """Answers 202 and one space at once, a space every `every` seconds, and the report when the answer ends."""

    def __init__(self, call: Call, form: str, report: bytes, every: float) -> None:
        super().__init__(status=202, headers=call.head(("Content-Type", form)))
        self._report = report
        self._every = every

    async def start(self, call: Call) -> None:
        """Send the head and the first space."""
        await self.prepare(call.request)
        await self.write(b" ")

    async def beat(self, seconds: float) -> None:
        """Wait, and send a space from time to time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(left, self._every))
            if left > self._every:
                await self.write(b" ")

    async def write_eof(self, data: bytes = b"") -> None:
        """Send the report. aiohttp calls this when the handler has returned."""
        report, self._report = self._report, b""
        await super().write_eof(b"\r\n\r\n" + report if report else data)
