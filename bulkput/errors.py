"""Every error bulkput raises on purpose, as one tree.

    BulkputError
    ├── UsageError            an option, variable or URL is wrong              exit 2
    ├── Stopped               not sent any more: the run is being stopped          no failure
    ├── SourceError           vanished, changed while read, unreadable, bad name   that file only
    │   └── SourceGone        too many reads hang                                  stops the run, exit 3
    ├── JournalError          the journal takes no more, or is damaged         stops the run, exit 3
    └── StoreError            operation, key, status, request_id               that object only
        ├── IntegrityError    the store holds other bytes than were sent      retried
        ├── Unavailable       5xx, reset, timeout, connection refused          retried
        ├── Throttled         429, 498, "slow down"                            retried, after retry_after
        ├── NotFound · Conflict · TooLarge · Unsupported
        ├── StoreGone         a login failed after all its tries                   stops the run, exit 3
        ├── Denied            401 after a new login, 403                       stops the run, exit 3
        └── QuotaExceeded     413 by quota                                     stops the run, exit 3

An error knows itself whether trying again can help (`is_retryable`) and whether going on with other files is
pointless (`stops_run`); nobody else matches on types or texts to find out. Its text reads as the command that
failed: `put photos/a.jpg: 503 Service Unavailable after 4 attempts in 7.2 s (tx4a1...)`.

Texts of errors and events name options as Python callers write them, in backquotes, as fields of the call's options:

    `skip.delete_extra` and `journal` exclude each other       UploadOptions(skip=SkipOptions(delete_extra=...), ...)
    its name is not UTF-8; `encode_names='percent'` ...        with the value to give it

The command line puts its flags there (`cli/flags.py`); below it, nothing speaks of flags.
"""

import re
from copy import copy
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

NAMED_OPTION = re.compile(r"`([a-z_]+(?:\.[a-z_]+)*)(?:=([^`]+))?`")
"""An option in a text: its name, and the value to give it."""

SourceProblem = Literal["vanished", "changed", "unreadable", "name", "collision"]


class BulkputError(Exception):
    """Base of all the errors above; catching it catches no bug."""

    is_retryable: ClassVar[bool] = False
    stops_run: ClassVar[bool] = False


class UsageError(BulkputError):
    """The caller has to change something: an option, a variable, a URL. The text says what."""

    @property
    def options(self) -> tuple[str, ...]:
        """The options that the text names, such as `skip.delete_extra`, in the order of the text."""
        return tuple(dict.fromkeys(match[1] for match in NAMED_OPTION.finditer(str(self))))


class SourceError(BulkputError):
    """One source file cannot be sent.

    `path` is the file's bytes on disk; `problem` is one word for programs, `detail` a sentence for people.
    """

    def __init__(self, path: bytes, problem: SourceProblem, detail: str) -> None:
        super().__init__(path, problem, detail)
        self.path = path
        self.problem: SourceProblem = problem
        self.detail = detail

    def __str__(self) -> str:
        return f"read {printable(self.path)}: {self.problem}: {self.detail}"


class SourceGone(SourceError):
    """The file system of the sources hangs: this read is one too many that has not come back."""

    stops_run = True


class Stopped(BulkputError):
    """The run is being stopped, and this was not sent any more."""

    def __str__(self) -> str:
        return "not sent: the run is being stopped"


class JournalError(BulkputError):
    """The journal cannot be read or written any more; what stands in it stays good. `path` is the file's, in bytes."""

    stops_run = True

    def __init__(self, path: bytes, detail: str) -> None:
        super().__init__(path, detail)
        self.path = path
        self.detail = detail

    def __str__(self) -> str:
        return f"journal {printable(self.path)}: {self.detail}"


class StoreError(BulkputError):
    """A store refused or failed one operation.

    `status` is the HTTP status, None where no answer came. `request_id` is the store's own name for the
    request (`X-Trans-Id` in Swift), which its operator can look up. `attempts` and `elapsed_s` are filled in
    by whoever gives up: `elapsed_s` is the time that went into attempts and the pauses between them, without any wait
    for a slot. `took_s` is how long this attempt took, where that was observed.
    """

    def __init__(
        self,
        operation: str,
        key: str,
        detail: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(operation, key, detail)
        self.operation = operation
        self.key = key
        self.detail = detail
        self.status = status
        self.request_id = request_id
        self.attempts = 1
        self.elapsed_s = 0.0
        self.took_s: float | None = None

    def about(self, key: str, more: str = "") -> Self:
        """The same error of `key`, one of several objects that a request was for; `more` is added to its text."""
        told = copy(self)
        told.key, told.detail = key, self.detail + more
        told.args = (told.operation, told.key, told.detail)
        return told

    def __str__(self) -> str:
        status = f"{self.status} " if self.status is not None else ""
        tries = f" after {self.attempts} attempts in {self.elapsed_s:.1f} s" if self.attempts > 1 else ""
        request = f" ({printable(self.request_id)})" if self.request_id else ""
        return f"{self.operation} {printable(self.key)}: {status}{printable(self.detail)}{tries}{request}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnprovenPut:
    """What a PUT sent, and what the store's 201 said of the object instead of proving it.

    `md5` (hex) and `size` (bytes) are those of what was sent, `etag` the MD5 that the store answered, None if it
    answered none, and `modified` its Last-Modified as text.
    """

    md5: str
    size: int
    etag: str | None
    modified: str | None


class IntegrityError(StoreError):
    """The answer does not prove that the store holds the bytes that were sent (ETags are MD5 in hex).

    With an `unproven_put` the store did make an object (201), which may be damaged: `policy/proof.py` says what then.
    """

    is_retryable = True

    def __init__(
        self,
        operation: str,
        key: str,
        detail: str | None = None,
        *,
        expected: str | None = None,
        actual: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        unproven_put: UnprovenPut | None = None,
    ) -> None:
        detail = detail or f"sent bytes with MD5 {expected}, the store answered ETag {actual}"
        super().__init__(operation, key, detail, status=status, request_id=request_id)
        self.expected = expected
        self.actual = actual
        self.unproven_put = unproven_put


class Unavailable(StoreError):
    """The store, or the way to it, failed in a manner that passes: 5xx, 408, reset, timeout, refused."""

    is_retryable = True


class Throttled(StoreError):
    """The store asks for less: 429, Swift's 498, a 503 that says "slow down"."""

    is_retryable = True

    def __init__(
        self,
        operation: str,
        key: str,
        detail: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(operation, key, detail, status=status, request_id=request_id)
        self.retry_after_s = retry_after_s


class NotFound(StoreError):
    """The object or its container is not there."""


class Conflict(StoreError):
    """Something newer or other is there already (202 on an object PUT, 409, 412)."""


class TooLarge(StoreError):
    """The object, or its name, is larger than the store takes."""


class Unsupported(StoreError):
    """The store does not know this operation."""


class Denied(StoreError):
    """The credentials do not allow it, also after a fresh login."""

    stops_run = True


class StoreGone(StoreError):
    """There is no way to the store any more: a login failed after all its tries."""

    stops_run = True


class QuotaExceeded(StoreError):
    """The account or the container is full by decree."""

    stops_run = True


def name_text(name: bytes) -> str:
    """A file name as text, whatever the locale: UTF-8, and each other byte as a lone surrogate (PEP 383)."""
    return name.decode("utf-8", "surrogateescape")


def printable(name: str | bytes) -> str:
    r"""A name on one line of a terminal: control characters and undecodable bytes as `\n`, `\xff`, ..."""
    text = name_text(name) if isinstance(name, bytes) else name
    return text if text.isprintable() else "".join(map(_printable, text))


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
