"""Creates the objects of a world in a store and its files on a disk."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import time
from urllib.parse import quote

from tests.scale.worlds.swift import Account
from tests.scale.worlds.world import (
    OUT,
    OUTSIDE,
    Dynamic,
    Entry,
    Fifo,
    File,
    Folder,
    Gone,
    Link,
    Plain,
    Static,
    Symlink,
    Thing,
    World,
    content,
)

_OLD_S = 1_000_000_000
_SOON_S = 1


def fill(account: Account, world: World) -> None:
    """Creates the world's objects, and waits until those that should expire have expired.

    Objects that Swift refuses (a static symlink to nothing, for example) are missing; the judge reads the real store.
    """
    for box in account.boxes:
        account.make(box)
    expired_s = 0.0
    for thing in world.things:
        _make(account, thing)
        if isinstance(thing, Plain) and thing.expires == "past":
            expired_s = time.time() + _SOON_S
    while expired_s and time.time() <= expired_s + 1:
        time.sleep(0.05)


def _make(account: Account, thing: Thing) -> None:
    match thing:
        case Plain():
            data, fields = content(thing.data), {"Content-Type": thing.type or "text/plain"}
            if thing.zipped:
                fields |= {
                    "Content-Encoding": "gzip",
                    "X-Object-Meta-Source-Md5": hashlib.md5(data).hexdigest(),
                    "X-Object-Meta-Source-Size": str(len(data)),
                }
                data = gzip.compress(data, mtime=0)
            if thing.expires != "never":
                fields["X-Delete-After"] = str(_SOON_S if thing.expires == "past" else 86_400)
            account.ask("PUT", thing.key, headers=fields, body=data)
        case Link():
            fields = {"X-Symlink-Target": account.path(thing.to), "Content-Type": "application/symlink"}
            if thing.is_static:
                _, headers, _ = account.ask("HEAD", thing.to)
                fields["X-Symlink-Target-Etag"] = headers.get("ETag", "").strip('"') or "0" * 32
            account.ask("PUT", thing.key, headers=fields)
        case Static():
            rows = [
                {"path": f"/{account.boxes[key.box]}/{key.name}"} | ({"range": span} if span else {})
                for key, span in thing.parts
            ]
            account.ask("PUT", thing.key, "?multipart-manifest=put", body=json.dumps(rows).encode())
        case Dynamic():
            manifest = f"{quote(account.boxes[thing.prefix.box])}/{quote(thing.prefix.name)}"
            account.ask("PUT", thing.key, headers={"X-Object-Manifest": manifest}, body=content(thing.body))
        case Gone():
            account.ask("DELETE", thing.key)


def plant(world: World, tree: bytes, outside: bytes) -> None:
    """Creates the world's files below `tree`, an existing directory."""
    os.mkdir(outside)
    with open(outside + b"/out.txt", "wb") as file:
        file.write(content(OUT))
    for entry in world.tree:
        _plant(entry, tree + b"/" + entry.path, outside)


def _plant(entry: Entry, path: bytes, outside: bytes) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    match entry:
        case File():
            with open(path, "wb") as file:
                file.write(content(entry.data))
            moment = time.time() + 86_400 if entry.is_new else _OLD_S
            os.utime(path, (moment, moment))
        case Folder():
            os.makedirs(path, exist_ok=True)
        case Symlink():
            os.symlink(entry.to.replace(OUTSIDE, outside), path)
        case Fifo():
            os.mkfifo(path)
