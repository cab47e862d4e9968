"""What is known about a container and about an object, apart from the bytes."""

from dataclasses import dataclass

from .content import Content

Headers = tuple[tuple[str, str], ...]
"""Stored headers, names as they are sent back."""


@dataclass(frozen=True, slots=True)
class ContainerRecord:
    """A container. `shelf` is where a directory keeps it; in memory it is empty."""

    name: str
    timestamp: float
    headers: Headers = ()
    shelf: str = ""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object: `size` in bytes, `etag` the bare hex MD5, `timestamp` and `delete_at` in seconds since the epoch."""

    name: str
    size: int
    etag: str
    content_type: str
    timestamp: float
    headers: Headers
    content: Content
    delete_at: int | None = None

    def placed(self, content: Content) -> "StoredObject":
        """The same object, its bytes there. Spelled out: `dataclasses.replace` costs three times as much."""
        return StoredObject(
            self.name, self.size, self.etag, self.content_type, self.timestamp, self.headers, content, self.delete_at
        )

    def is_expired(self, now: float) -> bool:
        """Whether X-Delete-At has passed. Swift then answers 404, whether or not the expirer has been."""
        return self.delete_at is not None and self.delete_at <= now
