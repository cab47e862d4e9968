"""The ObjectSource protocol: objects that an upload reads in place of files, each from a URL.

Every store that can list and be read is one. A third party adds another kind by installing a package with an entry
point in the group `bulkput.sources`:

    [project.entry-points."bulkput.sources"]
    zenodo = "bulkput_zenodo:open_source"      # a SourceFactory; the name is the URL's scheme

`docs/store-to-store.md` has an example.
"""

from collections.abc import AsyncGenerator
from typing import Protocol

from bulkput.model import RemoteObject
from bulkput.payload.reading import Fetched, Span
from bulkput.policy.layout import Layout


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
