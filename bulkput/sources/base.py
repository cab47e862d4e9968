"""The ObjectSource protocol: objects that an upload reads in place of files, each from a URL.

Every store that can list and be read is one. A third party adds another kind by installing a package with an entry
point in the group `bulkput.sources`:

    [project.entry-points."bulkput.sources"]
    zenodo = "bulkput_zenodo:open_source"      # a SourceFactory; the name is the URL's scheme

`docs/store-to-store.md` has an example.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import field
from typing import Protocol, cast

from bulkput.errors import UsageError
from bulkput.model import RemoteObject
from bulkput.options import WireOptions
from bulkput.payload.reading import Fetched, Span
from bulkput.policy.layout import Layout
from bulkput.record import frozen


class ObjectSource(Protocol):
    """A place to read objects from: one container, say. Safe for many concurrent calls. Every method raises StoreError;
    the tree in `bulkput.errors` says which errors are retried."""

    async def place(self) -> str:
        """The account or server that the URL does not name, without secrets; empty if there is none. A journal belongs
        to one place."""

    def list(self, prefix: str) -> AsyncGenerator[RemoteObject, None]:
        """Yields the objects whose names begin with `prefix`, in bytewise order of their UTF-8 names.

        Raises NotFound if there is no such container, Unsupported if there is no listing: then single objects can be
        read."""

    async def fetch(self, key: str, most: int) -> Fetched | None:
        """See `payload/reading.py:Fetch`. It is called again if it fails, and an upload calls it for each object."""

    def read(self, key: str, *, version: str | None = None, span: Span | None = None) -> AsyncGenerator[bytes, None]:
        """See `payload/reading.py:Read`. Called for larger objects, and for their parts."""

    async def layout(self, row: RemoteObject) -> Layout | None:
        """The parts that the copy of a large object should have; None: it is cut as a file is."""

    async def aclose(self) -> None: ...


@frozen(kw_only=True)
class SourceContext:
    """What a source is made from. `prefix` is the name of an object, or the beginning of names: what follows the first
    slash of the URL."""

    url: str
    root: str
    prefix: str
    environ: Mapping[str, str] = field(repr=False)
    wire: WireOptions


SourceFactory = Callable[[SourceContext], ObjectSource]
"""Sends no request. Raises UsageError for what the user has to change."""


async def installed_source(scheme: str) -> SourceFactory | None:
    """The factory of another package for the scheme; None if there is none. Raises UsageError if it cannot be
    loaded."""
    return await asyncio.to_thread(_installed, scheme)


def _installed(scheme: str) -> SourceFactory | None:
    from importlib.metadata import entry_points  # noqa: PLC0415 - 40 ms, for few sources

    for entry in entry_points(group="bulkput.sources", name=scheme):
        try:
            return cast(SourceFactory, entry.load())
        except (ImportError, AttributeError) as error:
            detail = f"the source for {scheme}:// is installed as {entry.value} and cannot be loaded: {error}"
            raise UsageError(detail) from error
    return None
