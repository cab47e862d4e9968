"""Turns a caller's sources and destination into paths to read and into the rule that names objects."""

import os
from collections.abc import Iterable

from bulkput.errors import UsageError
from bulkput.options import NamingOptions, SharedOptions
from bulkput.policy.gzip_names import GzipNames
from bulkput.policy.listed import check_list
from bulkput.policy.naming import joined_prefix
from bulkput.sources.walk import is_single_file
from bulkput.stores.base import Destination

Pathlike = str | bytes | os.PathLike[str] | os.PathLike[bytes]


def sources_of(sources: Pathlike | Iterable[Pathlike], options: SharedOptions) -> list[bytes]:
    """The paths to read. With `options.files`, the only one is `files.base`. Raises UsageError for both or
    neither."""
    roots = roots_of(sources)
    check_list(options, has_sources=bool(roots))
    return roots if options.files is None else [os.fsencode(options.files.base)]


def roots_of(sources: Pathlike | Iterable[Pathlike]) -> list[bytes]:
    """The sources as bytes. Raises UsageError for what is no path.

    A single path is one source, although a string can be iterated: "./" would become the sources "." and "/".
    """
    several = (sources,) if isinstance(sources, str | bytes | os.PathLike) else sources
    try:
        return [os.fsencode(source) for source in several]
    except TypeError as error:
        raise UsageError(f"`sources` is a path (str, bytes or os.PathLike), or several: {error}") from None


def placement(roots: list[bytes], destination: Destination, options: SharedOptions, gzip: GzipNames) -> NamingOptions:
    """How files are named at `destination`.

    The contents of directories go below the prefix. A single file gets the prefix itself as its name, unless the prefix
    is empty or ends in `/`. Raises UsageError for names that the destination's signature does not hold for.
    """
    prefix = destination.prefix
    is_exact = is_single_file(roots) and bool(prefix) and not prefix.endswith("/")
    suffix = gzip.suffix(os.path.basename(roots[0])) if is_exact else ""
    # Naming adds the suffix (`.gz`) again: a destination that has it already must not get it twice.
    prefix = prefix.removesuffix(suffix) if is_exact else joined_prefix(prefix)
    if destination.temp_url is not None:
        destination.temp_url.check(prefix + suffix, is_exact=is_exact)
    return NamingOptions(prefix=prefix, is_exact=is_exact, encode=options.encode_names)
