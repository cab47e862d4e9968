"""The headers of an object that is copied through this machine: those of its source, as far as they can be kept.

| of the source             | Swift to Swift, S3 to S3 | Swift to S3 | S3 to Swift | to plain HTTP, from it      |
|---------------------------|--------------------------|-------------|-------------|-----------------------------|
| type                      | kept                     | kept        | kept        | sent; kept                  |
| Content-Encoding          | kept                     | kept        | kept        | the object fails; kept      |
| Cache-Control             | kept                     | kept        | kept        | sent; kept                  |
| Content-Disposition,      | kept                     | kept        | kept        | sent; kept                  |
| -Language, Expires        |                          |             |             |                             |
| metadata                  | kept                     | kept        | kept        | lost; there is none         |
| mtime in the metadata     | kept                     | kept        | kept        | lost; Last-Modified         |
| expiry (X-Delete-At)      | kept                     | lost        | -           | lost; there is none         |
| other fields `x-...`      | kept                     | sent        | sent        | lost; there are none        |
| storage class, tags, ACLs | not copied               | -           | -           | -                           |

What is given for the run replaces what the source has: fields one by one, metadata name by name. A loss is a warning,
once in a run; a move fails instead, since it removes its source.
"""

from dataclasses import replace

from bulkput.model import Fields, ObjectHeaders
from bulkput.policy.mtime import mtime_ns_of
from bulkput.record import frozen

_EXPIRY = ("x-delete-at", "x-delete-after")


@frozen
class Fitted:
    """Headers that a destination keeps, and in words what it would lose. `is_unreadable`: without its encoding, which
    is lost, nobody can read the copy."""

    headers: ObjectHeaders
    lost: tuple[str, ...] = ()
    is_unreadable: bool = False


def fitted(kept: ObjectHeaders, *, keeps_metadata: bool, keeps_expiry: bool) -> Fitted:
    """Apply the table above to the headers that a source shows."""
    lost: list[str] = []
    extra, meta = kept.extra, kept.meta
    if not keeps_metadata:
        if any(name.lower() != "mtime" for name, _ in meta):
            lost.append("it has metadata")
        own = [name for name, _ in extra if name.lower().startswith("x-")]
        lost += [f"it has {name}" for name in own[:1]]
        extra, meta = tuple(field for field in extra if field[0] not in own), ()
    elif not keeps_expiry:
        extra = tuple(field for field in extra if field[0].lower() not in _EXPIRY)
        if extra != kept.extra:
            lost.append("it expires")
    is_unreadable = bool(kept.encoding) and not keeps_metadata
    if is_unreadable:
        lost.insert(0, "it has Content-Encoding")
    return Fitted(replace(kept, meta=meta, extra=extra), tuple(lost), is_unreadable)


def with_given(kept: ObjectHeaders, given: ObjectHeaders) -> ObjectHeaders:
    """The headers of a copy: those of its source, replaced by what is given."""
    extra = kept.extra
    if given.expires_in_s is not None:
        extra = tuple(field for field in extra if field[0].lower() not in _EXPIRY)
    return replace(
        given,
        content_type=given.content_type or kept.content_type,
        encoding=kept.encoding,
        cache_control=given.cache_control or kept.cache_control,
        meta=_overlaid(kept.meta, given.meta),
        extra=_overlaid(extra, given.extra),
    )


def with_mtime(kept: ObjectHeaders) -> ObjectHeaders:
    """The headers with the mtime of the metadata as `mtime_ns`, if it is one: each store has its own field for it."""
    for name, value in kept.meta:
        if name.lower() == "mtime" and (mtime_ns := mtime_ns_of(value)) is not None:
            meta = tuple(field for field in kept.meta if field[0].lower() != "mtime")
            return replace(kept, mtime_ns=mtime_ns, meta=meta)
    return kept


def _overlaid(fields: Fields, given: Fields) -> Fields:
    """`fields`, replaced or extended by those of `given`."""
    names = {name.lower() for name, _ in given}
    return (*(field for field in fields if field[0].lower() not in names), *given)
