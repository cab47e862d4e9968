"""What an upload needs of a source that is opened: a file (`body.py`), or an object of another store (`remote.py`)."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

from bulkput.model import Body, SourceFile, Upload
from bulkput.payload.version import Version

if TYPE_CHECKING:
    from bulkput.policy.layout import Layout


class Opened(Body, Protocol):
    """What is sent of a source: a file, or an object of another store (`remote.py`)."""

    @property
    def size(self) -> int: ...

    @property
    def version(self) -> Version: ...


class Streamed(Opened, Protocol):
    """A `Opened` that is read while it is sent, or in parts."""

    @property
    def layout(self) -> "Layout | None":
        """The parts that the source has, if it has any."""

    def part(self, offset: int, size: int, sent: Callable[[int, float], None]) -> Body:
        """The bytes `offset` to `offset + size` of the same version."""

    async def prove(self, sizes: Sequence[int], md5s: Sequence[str]) -> None:
        """Return if parts of these sizes, which were read one by one and had these MD5s, are what the source proves of
        the whole. Raises SourceError, IntegrityError, StoreError."""


def is_streamed(body: Opened) -> TypeGuard[Streamed]:
    return body.data is None


class Opener(Protocol):
    """Makes bodies out of sources."""

    def open_at_once(self, source: SourceFile) -> Opened | None: ...

    async def open(self, source: SourceFile) -> Opened: ...

    def upload_of(self, upload: Upload, opened: Any) -> Upload:
        """The upload of what was opened: it may not be what the scan has found."""

    def close(self) -> None: ...
