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
"""Here is something of that name, though no file: to a mirror, its object is not without one. (What is LEFT_OUT is a
file, and its object is extra to nobody.)"""


def scope_of_upload(
    roots: list[bytes], naming: NamingOptions, options: SharedOptions, filters: Filters, gzip: GzipNames
) -> Scope:
    """What an upload of these sources claims. Blocking."""
    named = [Root(root, os.path.basename(root) if os.path.isfile(root) else b"") for root in roots]
    return scope_of(named, naming, options.walk, gzip=gzip, filters=filters, is_list=options.files is not None)


def in_key_order(scope: Scope, found: Iterator[Found], *, is_mirror: bool = False) -> Iterator[Found]:
    """The findings of a walk, in the order in which a store lists their names. Blocking."""
    if scope.naming.encode == "strict" and not scope.gzip.adds_suffix:
        return found
    return by_key(found, lambda item: key_of(item, scope, is_mirror=is_mirror))


def key_of(found: Found, scope: Scope, *, is_mirror: bool = False) -> bytes | None:
    """The object name of a file; the place of what is not known. None for what has neither."""
    match found:
        case SourceFile():
            try:
                return scope.key(found.name, is_directory=found.is_directory).encode()
            except SourceError:
                return None
        case SourceError() if found.problem != "collision":  # of that name there is a file, from another source
            return scope.place(found.path)
        case Skip() if found.reason in LEFT_OUT or (is_mirror and found.reason in _PRESENT_BUT_NO_FILE):
            return scope.place(found.path)
    return None


def why_nameless(file: SourceFile, scope: Scope) -> SourceError:
    """Why the file has no object name."""
    try:
        scope.key(file.name)
    except SourceError as error:
        return SourceError(file.path, error.problem, error.detail)
    raise AssertionError("it has one")
