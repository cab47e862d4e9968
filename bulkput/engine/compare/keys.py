"""Which object names the sources of a run claim, and the order in which a store lists them."""

import os
from collections.abc import Iterator

from bulkput.errors import SourceError
from bulkput.model import LEFT_OUT, Found, Reason, Skip, SourceFile
from bulkput.options import NamingOptions, SharedOptions
from bulkput.policy.filters import Filters
from bulkput.policy.gzip_names import GzipNames
from bulkput.policy.scope import Root, Scope, scope_of
from bulkput.sources.by_key import by_key

_PRESENT_BUT_NO_FILE = (
    Reason.LINK_OUTSIDE,
    Reason.LINK_TO_DIRECTORY,
    Reason.LINK_LOOP,
    Reason.LINK_DANGLING,
    Reason.NOT_A_FILE,
    Reason.OWN_OUTPUT,
)
"""Reasons for which an entry exists but is not uploaded as a file; a mirror keeps its object. (LEFT_OUT
entries are files; their objects are never extra, in a mirror or not.)"""


def scope_of_upload(
    roots: list[bytes], naming: NamingOptions, options: SharedOptions, filters: Filters, gzip: GzipNames
) -> Scope:
    """The object names that an upload of these sources claims. Blocking."""
    named = [Root(root, os.path.basename(root) if os.path.isfile(root) else b"") for root in roots]
    return scope_of(named, naming, options.walk, gzip=gzip, filters=filters, is_list=options.files is not None)


def in_key_order(scope: Scope, found: Iterator[Found], *, is_mirror: bool = False) -> Iterator[Found]:
    """The findings of a walk, in the order in which a store lists their object names. Blocking."""
    # Names that are file names unchanged come in that order already; others are sorted on disk.
    if scope.naming.encode == "strict" and not scope.gzip.adds_suffix:
        return found
    return by_key(found, lambda item: key_of(item, scope, is_mirror=is_mirror))


def key_of(found: Found, scope: Scope, *, is_mirror: bool = False) -> bytes | None:
    """The object name of a file, in bytes. For an entry that could not be read or was left out: the name that it would
    have. None for everything else."""
    match found:
        case SourceFile():
            try:
                return scope.key(found.name, is_directory=found.is_directory).encode()
            except SourceError:
                return None
        # A collision is no unknown entry: a file from another source has that object name.
        case SourceError() if found.problem != "collision":
            return scope.place(found.path)
        case Skip() if found.reason in LEFT_OUT or (is_mirror and found.reason in _PRESENT_BUT_NO_FILE):
            return scope.place(found.path)
    return None


def why_nameless(file: SourceFile, scope: Scope) -> SourceError:
    """The error that says why `file` has no object name. `file` must have none."""
    try:
        scope.key(file.name)
    except SourceError as error:
        return SourceError(file.path, error.problem, error.detail)
    raise AssertionError("the file has an object name")
