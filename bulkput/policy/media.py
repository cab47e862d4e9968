"""Content types by suffix, from a table of our own, so that a tree gets the same types on every machine.

The table is mime-db's (`media_table.py`), with the corrections below. Python's `mimetypes` is not used: its table grows
with each version, and it reads the system's /etc/mime.types. No charset is added, because a suffix does not tell it.

A compressed file gets the type of its compressed form (`a.tar.gz` is application/gzip). With `Content-Encoding: gzip`
instead, browsers would unpack a file that people want to download packed.
"""

from functools import lru_cache

from bulkput.policy.media_table import TABLE

DEFAULT = "application/octet-stream"

_CORRECTED = {
    # Compressed files. mime-db lacks most of them, and lists svgz as the image inside.
    **dict.fromkeys(("gz", "tgz", "taz", "tz", "svgz"), "application/gzip"),  # RFC 6713
    **dict.fromkeys(("bz2", "tbz", "tbz2"), "application/x-bzip2"),
    **dict.fromkeys(("xz", "txz"), "application/x-xz"),
    **dict.fromkeys(("zst", "tzst"), "application/zstd"),  # RFC 8878
    "br": "application/x-brotli",
    "lz4": "application/x-lz4",
    "z": "application/x-compress",
    # Registered at IANA, not in mime-db 1.54.
    "yaml": "application/yaml",  # RFC 9512
    "yml": "application/yaml",
    "parquet": "application/vnd.apache.parquet",
    # Registered nowhere: the names in common use.
    "jsonl": "application/jsonl",  # jsonlines.org
    "ndjson": "application/x-ndjson",
    "h5": "application/x-hdf5",  # this and those below: as in Python's table
    "ksh": "text/plain",
    "py": "text/x-python",
    "pyc": "application/x-python-code",
}
"""Types that replace mime-db's. `ts` stays video/mp2t, as registered: players refuse HLS segments of another type, and
no program needs a type for TypeScript's sources."""


def content_type(name: str) -> str:
    """The media type (RFC 6838) for an object name, or `application/octet-stream` if the suffix is unknown."""
    last = name.rpartition("/")[2]
    stem, dot, suffix = last.rpartition(".")
    return _types().get(suffix.lower(), DEFAULT) if dot and stem else DEFAULT


@lru_cache(maxsize=1)
def _types() -> dict[str, str]:
    """Media type by suffix. Built at the first call (1 ms), so that commands that upload nothing do not pay for it."""
    types: dict[str, str] = {}
    main = ""
    for entry in TABLE.split():
        if entry.endswith("/"):
            main = entry
        else:
            sub, _, suffixes = entry.partition(":")
            types |= dict.fromkeys(suffixes.split(","), main + sub)
    return types | _CORRECTED
