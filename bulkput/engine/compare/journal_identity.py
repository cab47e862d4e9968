"""The settings that every run with one journal must share, so that its rows mean the same files and objects."""

import hashlib
import json
import os
from dataclasses import fields

from bulkput.errors import name_text
from bulkput.options import GzipOptions, HeaderOptions, NamingOptions
from bulkput.stores.base import Destination, Store


def absolute(root: bytes) -> bytes:
    """The source's path in a journal: absolute, so that the run's working directory does not matter. Blocking.

    Links are resolved, except for a file that is itself a link: it keeps its own name.
    """
    if os.path.isdir(root):
        return os.path.realpath(root)
    return os.path.join(os.path.realpath(os.path.dirname(root) or b"."), os.path.basename(root))


async def place_of(store: Store) -> str:
    """The account or server of a store, as a journal keeps it. Raises StoreError if the login that tells it fails."""
    return await store.powers.found_place() if store.powers.found_place is not None else store.place


def identity(
    roots: list[bytes], target: Destination, place: str, naming: NamingOptions, gzip: GzipOptions
) -> dict[str, str]:
    """The settings that decide which file has which object; if they differ, the journal's rows mean other objects.

    Keys are parameters of the upload, and options as errors name them; values are text. A change of a key here needs a
    change of existing journals: see `journal/schema.py`.

    The sources belong to it: files of two trees can get one object name, and the journal would hold a row for each.
    """
    destination = str(Destination(target.scheme, target.root, naming.prefix))
    return {
        "sources": json.dumps([name_text(root) for root in roots]),
        "destination": f"{destination} ({place})" if place else destination,
        "encode_names": naming.encode,
        "gzip.store_as": f"suffix ({gzip.mode})" if gzip.adds_suffix else "",
        **({"gzip.exclude": _excluded(gzip)} if gzip.adds_suffix else {}),
    }


def header_identity(options: HeaderOptions) -> dict[str, str]:
    """The header options. Fields may hold secrets, so the journal gets only their digest.

    The digest covers only options that are set. So a new option in a later version does not change it for runs that
    do not use that option.
    """
    given = {each.name: getattr(options, each.name) for each in fields(options) if each.name != "mtime_format"}
    told = json.dumps({name: value for name, value in given.items() if value not in (None, ())}, sort_keys=True)
    digest = hashlib.sha256(told.encode()).hexdigest()
    return {
        "headers": f"sha256:{digest}",
        "headers.mtime_format": "" if options.mtime_format == "nanoseconds" else options.mtime_format,
    }


def gzip_identity(options: GzipOptions) -> dict[str, str]:
    """The compression options, which decide what bytes an object holds."""
    if options.mode == "never":
        return {"gzip.mode": "", "gzip.level": "", "gzip.exclude": ""}
    return {"gzip.mode": options.mode, "gzip.level": str(options.level), "gzip.exclude": _excluded(options)}


def _excluded(options: GzipOptions) -> str:
    return json.dumps(options.exclude) if options.exclude else ""
