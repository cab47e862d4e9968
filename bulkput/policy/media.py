"""Content types by suffix, from one table of our own: the same tree gets the same types on every machine.

The table is mime-db's (`media_table.py`), corrected here. Python's `mimetypes` is not asked: its table grows with each
version, and it reads the system's /etc/mime.types. No charset is added: the suffix does not tell it.

A compressed file is typed as what it is (`a.tar.gz` is application/gzip): with `Content-Encoding: gzip` instead,
browsers would unpack what people meant to download packed.
"""

from functools import lru_cache

from bulkput.policy.media_table import TABLE

DEFAULT = "application/octet-stream"

_CORRECTED = {
    # Compressed files, by what unpacks them. mime-db lacks most, and has svgz as the image inside.
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
    # Registered nowhere: the names that are in use.
    "jsonl": "application/jsonl",  # jsonlines.org
    "ndjson": "application/x-ndjson",
    "h5": "application/x-hdf5",  # these and below: as in Python's table
    "ksh": "text/plain",
    "py": "text/x-python",
    "pyc": "application/x-python-code",
}
"""`ts` stays video/mp2t, as in the registry: a player refuses HLS segments of another type, and nothing needs
TypeScript's sources to have one."""


def content_type(name: str) -> str:
    """The media type (RFC 6838) for an object name; `application/octet-stream` when the suffix says nothing."""
    last = name.rpartition("/")[2]
    stem, dot, suffix = last.rpartition(".")
    return _types().get(suffix.lower(), DEFAULT) if dot and stem else DEFAULT


@lru_cache(maxsize=1)
def _types() -> dict[str, str]:
    """Made when the first name is asked for: a command that uploads nothing does not pay for the millisecond."""
    types: dict[str, str] = {}
    main = ""
    for entry in TABLE.split():
        if entry.endswith("/"):
            main = entry
        else:
            sub, _, suffixes = entry.partition(":")
            types |= dict.fromkeys(suffixes.split(","), main + sub)
    return types | _CORRECTED
