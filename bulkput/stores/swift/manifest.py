"""The manifest of a static large object: what a PUT of one sends, and what its answers mean.

OpenStack Swift answers 201, or with `heartbeat=on` a 202 at once and the outcome in the body, after spaces that keep
the connection alive while it looks at each segment. It refuses with `Errors`, pairs of a quoted path and a status
(Swift API, "Static large objects"). Ceph's gateway answers 201 with and without `heartbeat=on`, and names no segment.

Two facts of Ceph's gateway 16, which the tests prove:

* It takes the MD5s in the manifest as true, and never compares them with the segments. So its ETag proves the manifest
  that it got, and the segments have to be looked at (a HEAD of each).
* A field `ETag` in the request is refused (422), whatever it holds. So none is sent, and the answer's is compared.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from bulkput.model import Segment
from bulkput.policy.etag import md5_of
from bulkput.record import frozen
from bulkput.stores.swift.wire_format import from_json
from bulkput.transport.base import Answer

HEADERS = {"Accept": "application/json"}
"""Without it, Swift writes the outcome as plain text."""


@frozen
class ManifestAnswer:
    """The outcome of a PUT of a manifest. `status` is that of the body, if the answer is a 202 with a heartbeat; it
    stays 202 if the body breaks off or is none: then nothing is proven.

    `etag` is the object's ETag (an MD5 in hex), `words` the reason of a refusal in the server's words. `rejected` are
    the segments that the server names, as CONTAINER/OBJECT, each with what is wrong with it.
    """

    status: int
    etag: str | None = None
    words: str = ""
    rejected: tuple[tuple[str, str], ...] = ()


def manifest_body(segments: Sequence[Segment]) -> bytes:
    """The JSON of a manifest. Each segment must be a whole plain object, with `path` and `md5`. Paths are not quoted.

    Raises ValueError for any other segment.
    """
    import json  # noqa: PLC0415 - 2 ms, which a plain upload does not have to pay

    rows = []
    for segment in segments:
        if segment.path is None or segment.md5 is None:
            raise ValueError(f"not a whole plain object: {segment}")
        rows.append({"path": f"/{segment.path}", "etag": segment.md5, "size_bytes": segment.bytes})
    # Not escaped: Ceph's gateway does not put together the two halves of a surrogate pair.
    return json.dumps(rows, ensure_ascii=False).encode()


def outcome(answer: Answer) -> ManifestAnswer:
    """What the answer to a PUT with `multipart-manifest=put` says."""
    said = _said(answer.body)
    rejected = _rejected(said.get("Errors"))
    if answer.status != 202:
        etag = md5_of(answer.headers.get("ETag")) if answer.status == 201 else None
        return ManifestAnswer(answer.status, etag, answer.reason if rejected else "", rejected)
    number, _, reason = str(said.get("Response Status", "")).partition(" ")
    if not (len(number) == 3 and number.isascii() and number.isdigit()):
        return ManifestAnswer(202, words="the answer broke off before its outcome")
    etag = said.get("Etag")
    return ManifestAnswer(
        int(number),
        md5_of(etag) if number == "201" and isinstance(etag, str) else None,
        reason if number != "201" else "",
        rejected,
    )


def _said(body: bytes) -> dict[str, Any]:
    """The JSON object of the body, after the heartbeat's spaces; empty if there is none."""
    try:
        said = from_json(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _rejected(errors: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(errors, list):
        return ()
    return tuple(
        (unquote(error[0]).removeprefix("/"), error[1])
        for error in errors
        if isinstance(error, list) and len(error) == 2 and all(isinstance(text, str) for text in error)
    )
