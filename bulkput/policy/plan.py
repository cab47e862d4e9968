"""Decides about each found entry without asking the store.

| found                                            | decision                                              |
|--------------------------------------------------|-------------------------------------------------------|
| Skip, SourceError                                | passed on                                             |
| a name that gives no object name                 | SourceError, before any request                       |
| a name over the store's limit                    | TooLarge, before any request                          |
| a size over the store's limit, unless the file   | TooLarge, before any request                          |
| is compared with its object and may be skipped   |                                                       |
| a file or directory to compare with its object   | Upload: the worker compares, also in a dry run        |
| any other file, in a dry run with rules          | Skip(DRY_RUN), with the Upload that it would be       |
| any other, in a dry run                          | Skip(DRY_RUN), with the key that it would have        |
| any other file                                   | Upload                                                |
| any other directory                              | Upload of its marker                                  |
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from bulkput.errors import SourceError, TooLarge
from bulkput.model import Decision, Entry, Limits, ObjectHeaders, Reason, Ruling, Skip, SourceFile, Upload
from bulkput.options import HeaderOptions, LargeOptions, NamingOptions
from bulkput.policy.directories import MARKER_TYPE
from bulkput.policy.gzip_names import NOT_COMPRESSED, GzipNames
from bulkput.policy.media import content_type
from bulkput.policy.naming import object_name
from bulkput.policy.parts import cut, is_large

if TYPE_CHECKING:
    from bulkput.policy.rules import Rules

_USUAL = LargeOptions()


def decide(
    found: Entry,
    *,
    naming: NamingOptions,
    headers: HeaderOptions,
    gzip: GzipNames = NOT_COMPRESSED,
    rules: "Rules | None" = None,
    limits: Limits,
    large: LargeOptions = _USUAL,
    dry_run: bool = False,
) -> Decision:
    """Apply the table above. With `rules` they decide about the headers of files; directories have `headers`."""
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
    # A file that is compared may be skipped, whatever its size. If it must be sent, the worker checks the size.
    size = found.size if found.listed is None else 0
    if (excess := over_limits(size, key, limits)) is not None:
        return excess
    if dry_run and found.listed is None:
        length = None if found.is_pipe else found.size
        planned = _ruled(found, key, rules, gzip) if rules is not None else None
        return Skip(found.path, found.name, Reason.DRY_RUN, key, length, _parts(found.size, large, limits), planned)
    if rules is not None:
        return _ruled(found, key, rules, gzip)
    return Upload(found, key, _headers(key, found, headers))


def _ruled(found: SourceFile, key: str, rules: "Rules", gzip: GzipNames) -> Upload:
    applied = rules.of(found.name)
    headers, ruling = _headers(key, found, applied.headers, applied.storage_class), applied.ruling
    if ruling.gzip != "never" and gzip.excludes(found.name):  # `gzip.exclude` is stronger than rules
        ruling = Ruling("never", tuple(each for each in ruling.given if each[0] != "gzip"))
    return Upload(found, key, headers, ruling)


def _parts(size: int, options: LargeOptions, limits: Limits) -> tuple[int, int] | None:
    """The number of parts and the size of each, if a file of `size` bytes would be sent in parts."""
    if not is_large(size, options, limits):
        return None
    parts = cut(size, options, limits)
    return parts.count, parts.part_size


def _marked(
    found: SourceFile, key: str, headers: HeaderOptions, *, limits: Limits, dry_run: bool
) -> Upload | Skip | TooLarge:
    """The decision about a directory's marker. It has no mtime, since a directory's changes with each file in it."""
    if (excess := over_limits(0, key, limits)) is not None:
        return excess
    if dry_run and found.listed is None:
        return Skip(found.path, found.name, Reason.DRY_RUN, key, 0)
    return Upload(found, key, replace(_headers(key, found, headers), content_type=MARKER_TYPE, mtime_ns=None))


def over_limits(size: int, key: str, limits: Limits) -> TooLarge | None:
    """The error if the store refuses an object of this name or size (in bytes), else None."""
    # A character has at most four bytes in UTF-8, so most names need no encoding to be proven short enough.
    if 4 * len(key) > limits.max_name_bytes and (length := len(key.encode())) > limits.max_name_bytes:
        detail = f"the object name has {length} bytes, the store takes {limits.max_name_bytes}"
        return TooLarge("put", key, detail)
    if size > limits.max_total_bytes:
        return TooLarge("put", key, f"{size} bytes, the store takes {limits.max_total_bytes} in one object")
    return None


def _headers(key: str, found: SourceFile, options: HeaderOptions, storage_class: str | None = None) -> ObjectHeaders:
    """The headers that are given. An object of another store has a type of its own."""
    return ObjectHeaders(
        content_type=options.content_type or (content_type(key) if found.remote is None else None),
        mtime_ns=found.mtime_ns,
        cache_control=options.cache_control,
        expires_in_s=options.expires_in_s,
        meta=options.meta,
        extra=options.extra,
        storage_class=storage_class,
    )
