"""What must be the same in every run with one journal, so that its rows speak of the same files and objects."""

import hashlib
import json
import os
from dataclasses import fields

from bulkput.errors import name_text
from bulkput.options import GzipOptions, HeaderOptions, NamingOptions
from bulkput.stores.base import Destination


def absolute(root: bytes) -> bytes:
    """The source as a journal calls it, from whatever directory the run is started. Links above a file are resolved;
    a file that is a link is known by its own name."""
    if os.path.isdir(root):
        return os.path.realpath(root)
    return os.path.join(os.path.realpath(os.path.dirname(root) or b"."), os.path.basename(root))


def identity(
    roots: list[bytes], target: Destination, place: str, naming: NamingOptions, gzip: GzipOptions
) -> dict[str, str]:
    """What must be the same in every run with one journal, or its rows would speak of other objects.

    Parameters of the upload, and options as errors name them, with their values as text. A key that is changed is
    changed in journals that exist as well: `journal/schema.py`.

    The sources as well: files of two trees can have one object name, and the journal would believe in both.
    """
    destination = str(Destination(target.scheme, target.root, naming.prefix))
    return {
        "sources": json.dumps([name_text(root) for root in roots]),
        "destination": f"{destination} ({place})" if place else destination,
        "encode_names": naming.encode,
        "gzip.store_as": f"suffix ({gzip.mode})" if gzip.adds_suffix else "",
        "gzip.exclude": _excluded(gzip) if gzip.adds_suffix else "",
    }


def header_identity(options: HeaderOptions) -> dict[str, str]:
    """Header fields may hold secrets, so only their digest is written down.

    Of those that are set: a field that a later version adds changes nothing for those who do not use it.
    """
    given = {each.name: getattr(options, each.name) for each in fields(options) if each.name != "mtime_format"}
    told = json.dumps({name: value for name, value in given.items() if value not in (None, ())}, sort_keys=True)
    digest = hashlib.sha256(told.encode()).hexdigest()
    return {
        "headers": f"sha256:{digest}",
        "headers.mtime_format": "" if options.mtime_format == "nanoseconds" else options.mtime_format,
    }


def gzip_identity(options: GzipOptions) -> dict[str, str]:
    if options.mode == "never":
        return {"gzip.mode": "", "gzip.level": "", "gzip.exclude": ""}
    return {"gzip.mode": options.mode, "gzip.level": str(options.level), "gzip.exclude": _excluded(options)}


def _excluded(options: GzipOptions) -> str:
    return json.dumps(options.exclude) if options.exclude else ""
