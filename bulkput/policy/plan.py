"""What is to be done with each found entry, decided without asking the store.

| found                                    | decision                                  |
|------------------------------------------|-------------------------------------------|
| Skip, SourceError (the source says so)   | passed on                                 |
| a name that makes no object name         | SourceError, before any request           |
| a name or size over the store's limits   | TooLarge, before any request              |
| (a size: not of a file to be compared with its object, which may be skipped)         |
| a directory                              | Upload of its marker, or as a dry run has |
| a file to be compared with its object    | Upload: the worker looks, in a dry run too |
| anything else, dry run                   | Skip(DRY_RUN), with the key it would have |
| anything else                            | Upload                                    |
"""

from dataclasses import replace

from bulkput.errors import SourceError, TooLarge
from bulkput.model import Decision, Entry, Limits, ObjectHeaders, Reason, Skip, SourceFile, Upload
from bulkput.options import HeaderOptions, NamingOptions
from bulkput.policy.directories import MARKER_TYPE
from bulkput.policy.gzip_names import NOT_COMPRESSED, GzipNames
from bulkput.policy.media import content_type
from bulkput.policy.naming import object_name


def decide(
    found: Entry,
    *,
    naming: NamingOptions,
    headers: HeaderOptions,
    gzip: GzipNames = NOT_COMPRESSED,
    limits: Limits,
    dry_run: bool = False,
) -> Decision:
    """The table above, as a function."""
    if not isinstance(found, SourceFile):
        return found
    try:
        key = naming.prefix if naming.is_exact else object_name(found.name, prefix=naming.prefix, encode=naming.encode)
    except SourceError as error:
        return SourceError(found.path, error.problem, error.detail)
    if not key:
        return SourceError(found.path, "name", "the object name would be empty")
    if found.is_directory:
        return _marked(found, key, headers, limits=limits, dry_run=dry_run)
    key += gzip.suffix(found.name)
    size = found.size if found.listed is None else 0
    if (excess := over_limits(size, key, limits)) is not None:
        return excess
    if dry_run and found.listed is None:
        return Skip(found.path, found.name, Reason.DRY_RUN, key, found.size)
    return Upload(found, key, _headers(key, found.mtime_ns, headers))


def _marked(
    found: SourceFile, key: str, headers: HeaderOptions, *, limits: Limits, dry_run: bool
) -> Upload | Skip | TooLarge:
    """A directory's marker: its time would change with each file in it, and is nobody's business."""
    if (excess := over_limits(0, key, limits)) is not None:
        return excess
    if dry_run and found.listed is None:
        return Skip(found.path, found.name, Reason.DRY_RUN, key, 0)
    return Upload(found, key, replace(_headers(key, 0, headers), content_type=MARKER_TYPE, mtime_ns=None))


def over_limits(size: int, key: str, limits: Limits) -> TooLarge | None:
    """Why the store would refuse this object for its name or its size; None when it would not."""
    # A character has four bytes at most: nearly all names need no counting.
    if 4 * len(key) > limits.max_name_bytes and (length := len(key.encode())) > limits.max_name_bytes:
        detail = f"the object name has {length} bytes, the store takes {limits.max_name_bytes}"
        return TooLarge("put", key, detail)
    if size > limits.max_object_bytes:
        return TooLarge("put", key, f"{size} bytes, the store takes {limits.max_object_bytes} in one object")
    return None


def _headers(key: str, mtime_ns: int, options: HeaderOptions) -> ObjectHeaders:
    return ObjectHeaders(
        content_type=options.content_type or content_type(key),
        mtime_ns=mtime_ns,
        cache_control=options.cache_control,
        expires_in_s=options.expires_in_s,
        meta=options.meta,
        extra=options.extra,
    )
