"""The records of a world. The `repr` of each is a literal that creates it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple


class Key(NamedTuple):
    """An object: `box` is its container, `c` or `o`; each run gives these unique names in the store."""

    box: str
    name: str


def content(spec: str) -> bytes:
    """Gives the bytes of a spec: `one*3+two` is oneoneonetwo, and the empty spec is no bytes."""
    parts = (part.rpartition("*") for part in spec.split("+") if part)
    return b"".join(word.encode() * int(times) for word, _, times in parts)


@dataclass(frozen=True, slots=True)
class Plain:
    """A plain object. `expires` is `past` if it has expired when the command runs but is still listed; `later` is a
    day ahead. `zipped` objects are stored as `bulkput upload --gzip` does."""

    key: Key
    data: str
    type: str | None = None
    expires: Literal["never", "later", "past"] = "never"
    zipped: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A symlink; a static one names the ETag that its target has now."""

    key: Key
    to: Key
    is_static: bool = False


@dataclass(frozen=True, slots=True)
class Static:
    """A static large object. Each part is an object and a range of it; an empty range is the whole object."""

    key: Key
    parts: tuple[tuple[Key, str], ...]


@dataclass(frozen=True, slots=True)
class Dynamic:
    """A dynamic large object of all objects that begin with `prefix`; a GET does not give its own `body`."""

    key: Key
    prefix: Key
    body: str = ""


@dataclass(frozen=True, slots=True)
class Gone:
    """An object that existed while the others were created, and is deleted afterwards."""

    key: Key


Thing = Plain | Link | Static | Dynamic | Gone


@dataclass(frozen=True, slots=True)
class File:
    """A regular file; with `is_new` its mtime lies in the future."""

    path: bytes
    data: str
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Folder:
    path: bytes


@dataclass(frozen=True, slots=True)
class Symlink:
    """A symlink on disk. `to` is relative to its directory, or absolute; OUTSIDE is a directory next to the tree."""

    path: bytes
    to: bytes


@dataclass(frozen=True, slots=True)
class Fifo:
    path: bytes


Entry = File | Folder | Symlink | Fifo
OUTSIDE = b"OUTSIDE"
"""In a Symlink's `to`: a directory outside the tree, with a file `out.txt`."""
OUT = "outside*1"
"""The content of that file."""
REWRITTEN = b"written by someone else meanwhile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """`bulkput upload TREE swift://BOX/PREFIX`; if `source` is not empty, of that file alone."""

    dest: Key
    source: bytes = b""
    skip: Literal["none", "existing", "unchanged", "identical"] = "none"
    delete_extra: bool = False
    expire_extra: bool = False
    """In its place: extras expire in 14 days."""
    exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    dir_markers: bool = False
    gzip: Literal["never", "auto", "always"] = "never"
    gzip_as: Literal["encoding", "suffix"] = "encoding"
    gzip_except: tuple[str, ...] = ()
    expires_in: str = ""
    check_expiry: bool = False
    follow_symlinks: bool = False
    journal: bool = False
    percent: bool = False
    is_dry: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """`bulkput cp`, `mv` or `rm`; the last has no `to`."""

    verb: Literal["cp", "mv", "rm"]
    source: Key
    to: Key | None = None
    recursive: bool = False
    is_dry: bool = False


Command = Upload | Change
About = Literal["put", "delete", "bulk", "head", "copy", "list", "manifest"]
How = Literal[
    "page",  # 200 with a maintenance page, not passed on
    "created page",  # 201 with one and without an ETag, not passed on
    "weak",  # passed on; the answer's ETag becomes W/"..."
    "suffix",  # passed on; the ETag gets -gzip at its end
    "no etag",  # passed on; the ETag is taken out
    "wrong etag",  # passed on; another ETag
    "503",
    "503 after",  # passed on; the answer is lost
    "404",
    "cut",  # the connection ends instead of the request being passed on
    "cut after",  # ... instead of the answer
    "damage",  # the body's bytes are changed on their way, and a request's ETag is taken out
    "stale",  # a page of the listing omits this object
    "phantom",  # a page of the listing with an object that is gone
    "rewrite",  # a page of the listing; at this moment another client writes to this object
]


@dataclass(frozen=True, slots=True)
class Lie:
    """What the proxy does to the `first` to the `last` request of a kind about `key` (None: any key)."""

    about: About
    how: How
    key: Key | None
    first: int = 1
    last: int = 99

    @property
    def is_always(self) -> bool:
        return self.last >= 99


@dataclass(frozen=True, slots=True)
class World:
    """A store, a tree and a command. The `things` are created in their order."""

    seed: int
    things: tuple[Thing, ...]
    tree: tuple[Entry, ...]
    command: Command
    lies: tuple[Lie, ...] = ()

    def __str__(self) -> str:
        """Gives a literal that creates it again, with one thing on each line."""

        def lines(name: str, items: tuple[object, ...]) -> str:
            return f"    {name}=(\n" + "".join(f"        {item!r},\n" for item in items) + "    ),\n"

        return (
            f"World(\n    seed={self.seed},\n{lines('things', self.things)}{lines('tree', self.tree)}"
            f"    command={self.command!r},\n{lines('lies', self.lies)})"
        )
