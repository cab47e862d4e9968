"""The manifest of a publish: an object that lists everything that a run has published, a JSON object a line (NDJSON).

    {"name":"site/index.html","bytes":4211,"hash":"5d41402abc4b2a76b9719d911017c592","content_type":"text/html"}

The fields are those of Swift's own listing in JSON, the lines come in bytewise order of the names. `hash` is the MD5 of
the stored bytes in hex, or for an object that S3 has in N parts the ETag that it has for them, `<hex>-N`. What nothing
proves is null:

| published                                      | bytes             | hash    | content_type |
|------------------------------------------------|-------------------|---------|--------------|
| a plain object, with an MD5 of the store's     | as stored         | its MD5 | its type     |
| a plain object on a store that gives no MD5    | as stored         | null    | its type     |
| an object in parts, with the ETag of parts     | as stored         | that    | its type     |
| a large object                                 | those of GET      | null    | its type     |
| the same, there before, with no size listed    | null              | null    | its type     |
| a link that was there before                   | null              | null    | null         |

To verify a line, `judge_listed` looks at the row of the container's listing. The first line that fits:

| the row                                        | then                                                         |
|------------------------------------------------|--------------------------------------------------------------|
| is not there                                   | HEAD: listings lag behind                                    |
| is of a link                                   | HEAD                                                         |
| is empty, and no directory's marker            | HEAD: a link or a dynamic large object may be listed so      |
| has another size or type than the line         | HEAD                                                         |
| belongs to a line without a hash               | not comparable                                               |
| has the hash of the line, and is not large     | identical                                                    |
| anything else                                  | HEAD                                                         |

Then `judge_head` looks at the object itself. The first line that fits:

| the object                                     | then                                                         |
|------------------------------------------------|--------------------------------------------------------------|
| does not exist                                 | missing                                                      |
| has another size or type than the line         | different                                                    |
| belongs to a line without a hash               | not comparable                                               |
| is large, or has an ETag that is no hash       | not comparable                                               |
| has the hash of the line                       | identical                                                    |
| has an MD5, and so has the line                | different                                                    |
| anything else: one of them was sent in parts,  | not comparable                                               |
| or both, perhaps in others                     |                                                              |

A size or a type that one of the two does not have is not compared; if the object has no size, nothing proves its bytes.
"""

import json

from bulkput.errors import UsageError, printable
from bulkput.events import Event, Skipped, Uploaded, Verdict
from bulkput.model import ObjectHeaders, RemoteObject
from bulkput.options import NamingOptions, UploadOptions
from bulkput.policy.compare import Judgement, Need
from bulkput.policy.directories import is_marker
from bulkput.policy.etag import composite_of, md5_of, parts_in
from bulkput.record import record

MEDIA_TYPE = "application/x-ndjson"


@record
class Published:
    """One line of a manifest. See the first table."""

    name: str
    bytes: int | None
    hash: str | None
    content_type: str | None


def check_manifest(options: UploadOptions) -> None:
    """Raises UsageError if `manifest` is no name, or contradicts other options."""
    name = options.manifest
    if name is None:
        return
    if any(part in ("", ".", "..") for part in name.split("/")) or not _is_utf8(name):
        raise UsageError(
            f"`manifest` is a name below the destination, such as manifest.ndjson, and not {printable(name)!r}: write"
            " it without //, . and .., and without a / at either end"
        )
    if options.retry_failed:
        raise UsageError("`manifest` lists everything that is published, and `retry_failed` sends only what failed")
    if options.journal is not None:
        raise UsageError(
            "`manifest` and `journal` exclude each other: files that the journal knows are only counted, and a manifest"
            " lists each of them; `skip.mode='unchanged'` looks at what the store has instead"
        )


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def manifest_key(name: str, naming: NamingOptions) -> str:
    """The object name of the manifest `name`. Raises UsageError if the destination is the name of one object."""
    if naming.is_exact:
        raise UsageError(
            f"`manifest` is a name below the destination, which names one object, {printable(naming.prefix)}: end the"
            " destination with a /"
        )
    return naming.prefix + name


def published(event: Event) -> Published | None:
    """The line for what an event tells; None if it tells of nothing that is in the store."""
    match event:
        case Uploaded(upload=upload, stored=stored, parts=parts):
            hash_ = composite_of(stored.etag) if parts else _hash_of(stored.etag)
            return Published(stored.key, stored.size, hash_, _sent_type(upload.headers))
        case Skipped(skip=skip) if skip.there is not None:
            return _of_row(skip.there)
    return None


def _sent_type(headers: ObjectHeaders) -> str | None:
    given = {name.lower(): value for name, value in headers.extra}
    if given.get("x-detect-content-type", "").strip().lower() in ("true", "1", "yes", "on", "t", "y"):
        return None  # Swift chooses it
    return given.get("content-type", headers.content_type)


def _of_row(row: RemoteObject) -> Published:
    if row.link is not None:
        return Published(row.name, None, None, None)
    return Published(row.name, row.bytes, _hash_of(row.hash) if row.large is None else None, row.content_type)


def _hash_of(etag: str | None) -> str | None:
    return md5_of(etag) or composite_of(etag)


def line_of(row: Published) -> bytes:
    """With the line end. All in ASCII: some readers break lines at U+2028."""
    fields = {"name": row.name, "bytes": row.bytes, "hash": row.hash, "content_type": row.content_type}
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def row_of(line: bytes) -> Published:
    """The inverse of `line_of`; other fields are ignored. Raises ValueError with the reason if it is no such line."""
    try:
        found = json.loads(line.decode())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object") from None  # noqa: TRY004 - as everything else that a line may lack
    try:
        name, size, hash_, content_type = (found[field] for field in ("name", "bytes", "hash", "content_type"))
    except KeyError as missing:
        raise ValueError(f"it has no field {missing.args[0]}") from None
    if not isinstance(name, str) or not name or not _is_utf8(name):
        raise ValueError("its name is no object name")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
        raise ValueError("its bytes are no number of bytes")
    if hash_ is not None and (not isinstance(hash_, str) or _hash_of(hash_) != hash_):
        raise ValueError("its hash is no MD5 in hex")
    if content_type is not None and not isinstance(content_type, str):
        raise ValueError("its content_type is no text")
    return Published(name, size, hash_, content_type)


def judge_listed(line: Published, row: RemoteObject | None) -> Judgement | Need:
    """Apply the second table."""
    if row is None or row.link is not None or (row.bytes == 0 and not is_marker(row)):
        return Need.HEAD
    if _why_different(line, row) is not None:
        return Need.HEAD
    if line.hash is None:
        return _UNPROVEN
    if row.large is None and row.bytes is not None and _hash_of(row.hash) == line.hash:
        return _IDENTICAL
    return Need.HEAD


def judge_head(line: Published, head: RemoteObject | None, *, was_listed: bool) -> Judgement:
    """Apply the third table. `head` is None if the object does not exist."""
    if head is None:
        return Judgement(Verdict.MISSING, "it was listed, but does not exist any more" if was_listed else "")
    if (why := _why_different(line, head)) is not None:
        return Judgement(Verdict.DIFFERENT, why)
    if line.hash is None:
        return _UNPROVEN
    if head.bytes is None:
        return Judgement(Verdict.NOT_COMPARABLE, "the store does not report its size")
    if head.large is not None:
        return Judgement(Verdict.NOT_COMPARABLE, "of the same size and type, but a large object now")
    now = _hash_of(head.hash)
    if now is None:
        return Judgement(Verdict.NOT_COMPARABLE, f"of the same size, but its ETag {head.hash or '(none)'} is no MD5")
    if now == line.hash:
        return _IDENTICAL
    if parts_in(now) is None and parts_in(line.hash) is None:
        return Judgement(Verdict.DIFFERENT, "another MD5")
    why = f"of the same size, but the ETags of parts differ: {line.hash} in the manifest, {now} in the store"
    return Judgement(Verdict.NOT_COMPARABLE, why)


_IDENTICAL = Judgement(Verdict.IDENTICAL)
_UNPROVEN = Judgement(Verdict.NOT_COMPARABLE, "it is there, but the manifest has no MD5 of it")


def _why_different(line: Published, row: RemoteObject) -> str | None:
    """What of size and type differs; None if nothing does."""
    if line.bytes is not None and row.bytes is not None and line.bytes != row.bytes:
        return f"{line.bytes} bytes in the manifest, {row.bytes} in the store"
    if line.content_type is not None and row.content_type is not None:
        was, now = _plain(line.content_type), _plain(row.content_type)
        if was != now:
            return f"type {was} in the manifest, {now} in the store"
    return None


def _plain(content_type: str) -> str:
    """A type as it is compared: blanks around `;` and capital letters in front of it say nothing (RFC 9110, 8.3.1)."""
    first, *parameters = (part.strip() for part in content_type.split(";"))
    return ";".join((first.lower(), *parameters))
