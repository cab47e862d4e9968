"""What a run is about: the paths that are its sources, and the names that their files get at the destination."""

import os
from collections.abc import Iterable

from bulkput.options import NamingOptions, SharedOptions
from bulkput.policy.gzip_names import GzipNames
from bulkput.policy.listed import check_list
from bulkput.policy.naming import joined_prefix
from bulkput.sources.walk import is_single_file
from bulkput.stores.base import Destination

Pathlike = str | bytes | os.PathLike[str] | os.PathLike[bytes]


def sources_of(sources: Pathlike | Iterable[Pathlike], options: SharedOptions) -> list[bytes]:
    """The paths that are looked at: of a list of files, the directory that they are in. Raises UsageError."""
    roots = roots_of(sources)
    check_list(options, has_sources=bool(roots))
    return roots if options.files is None else [os.fsencode(options.files.base)]


def roots_of(sources: Pathlike | Iterable[Pathlike]) -> list[bytes]:
    """A lone path is a source, though it could be iterated: "./" would be the current directory and the root."""
    several = (sources,) if isinstance(sources, str | bytes | os.PathLike) else sources
    return [os.fsencode(source) for source in several]


def placement(roots: list[bytes], destination: Destination, options: SharedOptions, gzip: GzipNames) -> NamingOptions:
    """Directories put their contents below the prefix; a lone file may be given the destination's own name.

    The suffix that the file's object gets may stand in that name already: it is not added twice.
    """
    prefix = destination.prefix
    if is_single_file(roots) and prefix and not prefix.endswith("/"):
        prefix = prefix.removesuffix(gzip.suffix(os.path.basename(roots[0])))
        return NamingOptions(prefix=prefix, is_exact=True, encode=options.encode_names)
    return NamingOptions(prefix=joined_prefix(prefix), encode=options.encode_names)
