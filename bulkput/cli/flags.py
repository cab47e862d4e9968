"""The library's texts in the command line's words: where a text names an option, its flag.

| the library says         | the command line says |
|--------------------------|-----------------------|
| `skip.delete_extra`      | --delete-extra        |
| `gzip.mode='auto'`       | --gzip auto           |
| `stop.max_errors=3`      | --max-errors 3        |
| `dir_markers=True`       | --dir-markers         |
| `sources`                | SOURCE                |

(with the backquotes, see `errors.py`). What is for people passes through here on its way out: messages, the texts in
JSON, the reasons of a summary. Names and paths in JSON are data and stay as they are; in a message, a file that is
called `journal` with the backquotes would be shown as --journal.
"""

import re
from collections.abc import Mapping
from typing import Any

from bulkput.errors import NAMED_OPTION

FLAGS = {
    "sources": "SOURCE",
    "destination": "DEST",
    "is_recursive": "-r",
    "reap": "--reap",
    "with_segments": "--with-segments",
    "segment_container": "--segment-container",
    "walk.include": "--include",
    "walk.exclude": "--exclude",
    "walk.min_age_s": "--min-age",
    "walk.max_age_s": "--max-age",
    "walk.min_size": "--min-size",
    "walk.max_size": "--max-size",
    "walk.one_file_system": "--one-file-system",
    "walk.follow_symlinks": "--follow-symlinks",
    "files": "--files-from",
    "files.path": "--files-from",
    "files.base": "--base",
    "files.is_null": "--null",
    "fail_if_empty": "--fail-if-empty",
    "share": "--shard",
    "share.shard": "--shard",
    "share.by": "--shard-by",
    "encode_names": "--encode-names",
    "headers": "--header, --meta, --content-type, --cache-control, --expires-in or --rules",
    "headers.content_type": "--content-type",
    "headers.cache_control": "--cache-control",
    "headers.expires_in_s": "--expires-in",
    "headers.meta": "--meta",
    "headers.extra": "--header",
    "headers.mtime_format": "--mtime-format",
    "rules": "--rules",
    "body.changing": "--changing",
    "gzip.mode": "--gzip",
    "gzip.level": "--gzip-level",
    "gzip.store_as": "--gzip-as",
    "gzip.exclude": "--gzip-except",
    "retry.retries": "--retries",
    "retry.first_retries": "--first-retries",
    "wire.transport": "--transport",
    "wire.concurrency": "--concurrency",
    "wire.objects_per_s": "--rate",
    "wire.container_objects_per_s": "--rate-per-container",
    "wire.bytes_per_s": "--bandwidth",
    "wire.rate_shared": "--rate-shared",
    "wire.timeout_s": "--timeout",
    "wire.verify_tls": "--insecure",
    "stop.max_errors": "--max-errors",
    "skip.mode": "--skip",
    "skip.delete_extra": "--delete-extra",
    "skip.keep_for_s": "--keep-for",
    "skip.expire_extra_s": "--expire-extra",
    "skip.check_expiry": "--check-expiry",
    "skip.max_deleted": "--yes",
    "large.mode": "--large",
    "large.above": "--segment-above",
    "large.part_size": "--segment-size",
    "large.container": "--segment-container",
    "large.reap": "--reap-segments",
    "large.expect_size": "--expect-size",
    "large.expect_md5": "--expect-md5",
    "s3.checksum": "--checksum",
    "s3.make_bucket": "--make-bucket",
    "dir_markers": "--dir-markers",
    "storage_policy": "--storage-policy",
    "checksum_headers": "--checksum-headers",
    "last": "--last",
    "if_exists": "--if-exists",
    "manifest": "--write-manifest",
    "dry_run": "--dry-run",
    "journal": "--journal",
    "retry_failed": "--retry-failed",
    "stall_s": "--stalled-after",
    "tag": "--tag",
    "keep_tag": "--keep-tag",
    "bulkput.copy": "bulkput cp",
    "bulkput.remove": "bulkput rm -r",
    "bulkput.segments": "bulkput segments",
    "bulkput.temporary_url": "bulkput tempurl",
    "bulkput.upload": "bulkput upload",
    "method": "--method",
    "is_object": "--object",
    "expires_in_s": "--expires-in",
    "expires_at_s": "--expires-at",
    "ip_range": "--ip-range",
    "digest": "--digest",
}
"""Parameters, and fields of `UploadOptions`. An option that is not here has no flag, and keeps its name."""

_TEXTS = frozenset(("why", "error", "stopped", "failure"))
"""Fields of JSON objects that hold a sentence."""


def in_flags(text: str) -> str:
    """A text of the library, as a user of the command line reads it."""
    return NAMED_OPTION.sub(_flag, text) if "`" in text else text


def row_in_flags(row: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object with its sentences, and those of the objects in it."""
    return {key: _value(key, value) for key, value in row.items()}


def _value(key: str, value: Any) -> Any:
    match value:
        case str() if key in _TEXTS:
            return in_flags(value)
        case Mapping() if key == "skipped_by_reason":
            return {in_flags(reason): count for reason, count in value.items()}
        case [{}, *_]:
            return [row_in_flags(row) for row in value]
    return value


def _flag(match: re.Match[str]) -> str:
    option, value = match.groups()
    if option not in FLAGS:
        return match[0]
    if value in (None, "True", "False", "None"):  # the flag alone says it
        return FLAGS[option]
    word = value.strip("'")
    return f"{FLAGS[option]} {word}"
