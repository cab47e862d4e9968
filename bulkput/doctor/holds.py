"""Judges what the probe has shown: whether the store keeps what it is sent, and what it promises. Pure.

| the step                        | what is wrong                                | verdict                      |
|---------------------------------|----------------------------------------------|------------------------------|
| PUT                             | anything                                     | fail                         |
| GET                             | other bytes came back                        | fail                         |
| GET                             | anything else, such as no right to read      | warn                         |
| list, COPY, DELETE, bulk-delete | anything                                     | warn: uploads work without   |
| large objects                   | the kind that uploads use does not work      | warn                         |
| large objects                   | only the other kind does not work            | ok, and the text says so     |
| large objects, sent in parts    | anything                                     | warn: small files work       |
"""

from collections.abc import Mapping

from bulkput.doctor.finding import Finding, Step, failure, ok, skipped, warning
from bulkput.doctor.trouble import advice_for, cause_of
from bulkput.errors import BulkputError, Unsupported
from bulkput.model import RemoteObject
from bulkput.payload.in_memory import BytesBody
from bulkput.policy.etag import md5_of
from bulkput.record import frozen
from bulkput.report.lines import size_text
from bulkput.stores.powers import Checked

_CHECKSUMS = {"auto": "Content-MD5"}
"""What a value of `s3.checksum` sends, if it is not its own name."""


def put(sent: object, size: int, seconds: float, *, proves: bool) -> Finding:
    if isinstance(sent, BulkputError):
        cause = cause_of(sent)
        return failure(Step.PUT, cause, str(sent), advice_for(cause), seconds=seconds)
    proof = "its ETag is the MD5 of what was sent" if proves else "and it is there; plain HTTP has no MD5 to prove it"
    return ok(Step.PUT, f"{size_text(size)} stored, {proof}", seconds=seconds)


def get(content: bytes | BulkputError, sent: bytes, seconds: float) -> Finding:
    if isinstance(content, BulkputError):
        return _warned(Step.GET, content, seconds, "uploads work; reading with these credentials does not")
    if content != sent:
        many = f"more than {len(sent)}" if len(content) > len(sent) else str(len(content))
        text = f"{many} bytes came back that are not the {len(sent)} that were sent"
        return failure(Step.GET, "integrity", text, advice_for("integrity"), seconds=seconds)
    return ok(Step.GET, "the same bytes came back", seconds=seconds)


def listed(row: RemoteObject | BulkputError | None, sent: BytesBody, seconds: float) -> Finding:
    without = "`skip.mode` and a verification need a listing"
    if isinstance(row, Unsupported):
        return skipped(Step.LIST, f"this store has no listing: {without}", seconds=seconds)
    if isinstance(row, BulkputError):
        return _warned(Step.LIST, row, seconds, without)
    if row is None:
        text = f"the probe was not listed within {seconds:.0f} s"
        advice = (
            "the container's updates lag (Swift's container-updater): what is compared with a listing comes too early"
        )
        return warning(Step.LIST, "listing-lags", text, advice, seconds=seconds)
    if (row.bytes, md5_of(row.hash)) != (sent.size, sent.md5):
        text = f"the listing shows {row.bytes} bytes with ETag {row.hash}, {sent.size} with {sent.md5} were sent"
        return warning(Step.LIST, "listing-wrong", text, without, seconds=seconds)
    return ok(Step.LIST, "the probe is listed with its size and MD5", seconds=seconds)


def copied(row: RemoteObject | BulkputError | None, sent: BytesBody, seconds: float) -> Finding:
    without = "copies and moves pass through this machine"
    if isinstance(row, BulkputError):
        return _warned(Step.COPY, row, seconds, without)
    if row is None or (row.bytes, md5_of(row.hash)) != (sent.size, sent.md5):
        text = "the store has answered a copy with success, and there is none, or another object"
        return warning(Step.COPY, "copy-wrong", text, without, seconds=seconds)
    return ok(Step.COPY, "the store copies by itself, and the copy has the same MD5", seconds=seconds)


def no_copy() -> Finding:
    return skipped(Step.COPY, "this store has no copy: the bytes pass through this machine")


@frozen
class Large:
    """What large objects of one segment have shown: their bytes, the error, or None if that kind was not tried.

    `is_checked`: a static one with a wrong MD5 was refused; None if that was not seen. `takes_static`: uploads use that
    kind.
    """

    static: bytes | BulkputError | None
    dynamic: bytes | BulkputError | None
    is_checked: bool | None
    takes_static: bool


def large(seen: Large, sent: bytes, seconds: float) -> Finding:
    static = _large_text("static", seen.static, sent)
    if seen.is_checked is not None:
        static += " (a wrong MD5 is refused)" if seen.is_checked else " (any MD5 is taken for true)"
    text = f"{static}; {_large_text('dynamic', seen.dynamic, sent)}"
    used, other, name, instead = (
        (seen.static, seen.dynamic, "static", "dlo")
        if seen.takes_static
        else (seen.dynamic, seen.static, "dynamic", "slo")
    )
    if used == sent:
        text = f"{text}; uploads use {name} ones"
        return ok(Step.LARGE, text, seconds=seconds, static=seen.static == sent, dynamic=seen.dynamic == sent,
                  is_checked=seen.is_checked)  # fmt: skip
    works = other == sent
    advice = f"set `large.mode='{instead}'`" if works else "upload only files that fit one request"
    facts = {"static": seen.static == sent, "dynamic": seen.dynamic == sent, "instead": instead if works else None}
    return warning(Step.LARGE, "large", text, advice, seconds=seconds, **facts)


def in_parts(content: bytes | BulkputError, sent: bytes, seconds: float) -> Finding:
    """Of a store whose parts are no objects."""
    without = "upload only files that fit one request, and set `large.mode='never'`"
    if isinstance(content, BulkputError):
        return _warned(Step.LARGE, content, seconds, without)
    if content != sent:
        text = f"{len(content)} bytes came back of an object that was sent in parts, and are not the {len(sent)} sent"
        return warning(Step.LARGE, "parts-wrong", text, without, seconds=seconds)
    text = "an object that is sent in parts reads back, and its ETag is that of its parts"
    return ok(Step.LARGE, text, seconds=seconds)


def checksums(found: Mapping[str, Checked] | BulkputError, seconds: float) -> Finding:
    """Of a store that knows several kinds, by the values of `s3.checksum`."""
    if isinstance(found, BulkputError):
        return _warned(Step.CHECKSUM, found, seconds, "uploads work; `s3.checksum` may not")
    texts = []
    for what in Checked:
        if names := [_CHECKSUMS.get(name, name) for name, seen in found.items() if seen is what]:
            texts.append(f"{what.value} {', '.join(names)}")
    facts = {name: what.value for name, what in found.items()}
    return ok(Step.CHECKSUM, f"the store {'; '.join(texts)}", seconds=seconds, checksums=facts)


def no_large() -> Finding:
    return skipped(Step.LARGE, "this store composes no large objects")


def bulk_deleted(left: tuple[str, ...] | BulkputError, count: int, seconds: float) -> Finding:
    without = "objects are removed one by one"
    if isinstance(left, BulkputError):
        return _warned(Step.BULK_DELETE, left, seconds, without)
    if left:
        text = f"{len(left)} of {count} objects are still there"
        return warning(Step.BULK_DELETE, "delete-wrong", text, without, seconds=seconds)
    if not count:
        return skipped(Step.BULK_DELETE, "not tried: no object was made that it could remove", seconds=seconds)
    return ok(Step.BULK_DELETE, f"{count} objects removed by one request", seconds=seconds)


def no_bulk_delete() -> Finding:
    return skipped(Step.BULK_DELETE, "not offered: objects are removed one by one")


def deleted(gone: bool | BulkputError, seconds: float) -> Finding:
    if isinstance(gone, BulkputError):
        return _warned(Step.DELETE, gone, seconds, "mirrors, moves and removals need the right to delete")
    if not gone:
        text = "it is still there"
        advice = "somebody has overwritten the probe, or a cache shows what is no longer there"
        return warning(Step.DELETE, "delete-wrong", text, advice, seconds=seconds)
    return ok(Step.DELETE, "the probe is gone", seconds=seconds)


def cleaned_up(left: tuple[str, ...], *, expires: bool) -> Finding | None:
    """None if nothing is left, and so nothing to tell."""
    if not left:
        return None
    text = f"could not be removed: {', '.join(left)}"
    advice = "remove it by hand" + (", or let it expire: the store deletes it after a day" if expires else "")
    return warning(Step.CLEAN_UP, "left", text, advice, left=left)


def _large_text(kind: str, seen: bytes | BulkputError | None, sent: bytes) -> str:
    match seen:
        case None:
            return f"{kind}: not offered"
        case BulkputError():
            return f"{kind}: {seen}"
    return f"{kind}: reads back" if seen == sent else f"{kind}: other bytes come back"


def _warned(step: Step, error: BulkputError, seconds: float, without: str) -> Finding:
    return warning(step, cause_of(error), str(error), without, seconds=seconds)
