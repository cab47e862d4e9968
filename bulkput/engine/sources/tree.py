"""Looks at a source that is a URL: what is taken of it, and under which names.

| the URL                                                   | what is taken                                            |
|-----------------------------------------------------------|----------------------------------------------------------|
| ends with /, or names a container alone                   | all objects below it                                     |
| is the name of an object                                  | that object, under the destination's name                |
| is no object's name, and objects are below NAME/          | all objects below NAME/                                  |
| is the name of an object, and objects are below NAME/     | refused: NAME/ says that those are meant, `cp` takes one |
| names a container alone, which is empty                   | nothing                                                  |
| leads to nothing                                          | refused                                                  |
| a store without listings (plain HTTP), and NAME/ or none  | refused: a single object is taken, or a list             |
"""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace

from bulkput.engine.sources.objects import Tree
from bulkput.engine.sources.open_source import Origin
from bulkput.errors import NotFound, StoreError, Unsupported, UsageError, printable
from bulkput.model import RemoteObject
from bulkput.options import NamingOptions, SharedOptions, WalkOptions
from bulkput.policy.directories import is_marker
from bulkput.policy.filters import Filters
from bulkput.policy.naming import joined_prefix, without_query
from bulkput.policy.scope import Root, Scope, scope_of
from bulkput.stores.base import Destination


def check_source(roots: list[bytes], options: SharedOptions, more: Mapping[str, bool]) -> None:
    """Raises UsageError for several sources, and options that hold for files only. `more`: whether these are given,
    which belong to them too."""
    if len(roots) > 1:
        raise UsageError(
            "a URL has to be the only source: upload from each in a run of its own (a range of containers is written in"
            " quotes: 'swift://name-{00..07}/')"
        )
    walk, url = options.walk, without_query(printable(roots[0]))
    given = {
        "gzip.mode": options.gzip.mode != "never",
        "encode_names": options.encode_names != "strict",
        "dir_markers": options.dir_markers,
        "walk.follow_symlinks": walk.follow_symlinks,
        "walk.one_file_system": walk.one_file_system,
        "body.changing": options.body.changing != "fail",
        **more,
    }
    if wrong := [name for name, is_given in given.items() if is_given]:
        raise UsageError(f"`{wrong[0]}` is for files, and the source {url} has objects: leave it out")


async def tree_of(origin: Origin) -> Tree:
    """Applies the table above. Raises UsageError; StoreError, with the whole URL as its key."""
    try:
        return await _looked_at(origin)
    except StoreError as error:
        if error.operation == "login":
            raise error.about(f"{error.key} of the source") from error
        raise error.about(str(origin.url)) from error  # of source and destination, it is the source that failed


async def _looked_at(origin: Origin) -> Tree:
    key, url = origin.url.prefix, str(origin.url)
    single: RemoteObject | None = None
    is_name = bool(key) and not key.endswith("/")
    if is_name:
        found = await origin.source.fetch(key, 0)
        single = found.row if found is not None and not is_marker(found.row) else None
    prefix = joined_prefix(key)
    try:
        has_more = await _has_any(origin, prefix)
    except Unsupported as error:
        if single is None:
            raise UsageError(f"source {url}: {_why_not_single(origin, error, is_name=is_name)}") from None
        has_more = False
    except NotFound:
        raise UsageError(f"source {url}: there is no {origin.url.noun} {printable(origin.url.root)}") from None
    if single is not None and has_more:
        raise UsageError(
            f"source {url} is an object, and others are below it: {url}/ means those; `bulkput.copy` takes the one"
        )
    if single is not None:
        return Tree(origin=origin, prefix=key[: key.rfind("/") + 1], single=replace(single, name=key))
    if not has_more and key:
        raise UsageError(f"source {url}: there is no such object, and none below it")
    return Tree(origin=origin, prefix=prefix)


def _why_not_single(origin: Origin, no_listing: Unsupported, *, is_name: bool) -> str:
    """Why nothing is taken of a store without listings."""
    if is_name:
        answered = " (404)" if origin.url.scheme in ("http", "https") else ""
        return f"there is nothing at this URL{answered}: check its spelling, and whether it needs a login"
    detail = no_listing.detail.partition(";")[0] or "it has no listing"
    return f"{detail}; name a single object, or a list of those below it by `files.path` and `files.base`"


async def _has_any(origin: Origin, prefix: str) -> bool:
    async with aclosing(origin.source.list(prefix)) as rows:
        async for _ in rows:
            return True
    return False


def naming_of(tree: Tree, target: Destination) -> NamingOptions:
    """As `placement` names files."""
    prefix = target.prefix
    is_exact = tree.single is not None and bool(prefix) and not prefix.endswith("/")
    prefix = prefix if is_exact else joined_prefix(prefix)
    if target.temp_url is not None:
        target.temp_url.check(prefix, is_exact=is_exact)
    return NamingOptions(prefix=prefix, is_exact=is_exact, encode="strict")


def scope_below(
    tree: Tree, naming: NamingOptions, walk: WalkOptions, filters: Filters, *, is_list: bool = False
) -> Scope:
    """The names that the source claims at the destination. `is_list`: a list says what is taken of it."""
    root = Root(tree.root, tree.name_of(tree.single) if tree.single is not None else b"")
    return scope_of([root], naming, walk, filters=filters, is_list=is_list)
