"""The settings that every run with one journal must share, so that its rows mean the same files and objects."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from bulkput.errors import name_text
from bulkput.options import GzipOptions, HeaderOptions, NamingOptions, ShareOptions
from bulkput.rule_options import Rule
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


def share_identity(share: ShareOptions | None) -> dict[str, str]:
    """Which shard a run is. The journal of another one would hold none of its files."""
    return {"share": str(share) if share is not None else "", "share.by": share.by if share is not None else ""}


def header_identity(options: HeaderOptions, rules: tuple[Rule, ...] = ()) -> dict[str, str]:
    """The header options and the rules. Fields may hold secrets, so the journal gets only their digest.

    The digest covers only what is set. So a new option in a later version does not change it for runs that do not use
    that option.
    """
    given: dict[str, Any] = {name: value for name, value in _set_fields(options) if name != "mtime_format"}
    if rules:
        given["rules"] = [dict(_set_fields(rule)) for rule in rules]
    digest = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()
    return {
        "headers": f"sha256:{digest}",
        "headers.mtime_format": "" if options.mtime_format == "nanoseconds" else options.mtime_format,
    }


def _set_fields(group: HeaderOptions | Rule) -> Iterator[tuple[str, Any]]:
    for each in fields(group):
        if (value := getattr(group, each.name)) not in (None, ()):
            yield each.name, value


def gzip_identity(options: GzipOptions, *, compresses: bool) -> dict[str, str]:
    """The compression options, which decide what bytes an object holds. `compresses`: some file may be compressed."""
    if not compresses:
        return {"gzip.mode": "", "gzip.level": "", "gzip.exclude": ""}
    mode = options.mode if options.mode != "never" else ""
    return {"gzip.mode": mode, "gzip.level": str(options.level), "gzip.exclude": _excluded(options)}


def _excluded(options: GzipOptions) -> str:
    return json.dumps(options.exclude) if options.exclude else ""
