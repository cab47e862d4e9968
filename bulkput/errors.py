"""Every error that bulkput raises on purpose, as one tree.

    BulkputError
    ├── UsageError            an option, a variable or a URL is wrong              exit 2
    ├── Stopped               the run stopped before this was sent                 no failure
    ├── SourceError           vanished, changed while read, unreadable, bad name   fails that file only
    │   └── SourceGone        too many reads hang                                  stops the run, exit 3
    ├── RateGone              the service of a shared rate cannot be used          stops the run, exit 3
    ├── JournalError          the journal cannot be read or written                stops the run, exit 3
    └── StoreError            operation, key, status, request_id                   fails that object only
        ├── IntegrityError    the store does not prove that it holds our bytes     retried
        ├── Unavailable       5xx, reset, timeout, connection refused              retried
        ├── Throttled         429, 498, "slow down"                                retried after retry_after_s
        ├── NotFound · Conflict · TooLarge · Unsupported
        │              └── Exists: the name is taken, and the request must not overwrite
        ├── PartsRefused      parts of a large object are gone or changed          sent again
        ├── StoreGone         no login, or the server stores nothing               stops the run, exit 3
        ├── Denied            401 after a new login, 403                           stops the run, exit 3
        └── QuotaExceeded     413 by quota                                         stops the run, exit 3

Each error says itself whether a retry can help (`is_retryable`) and whether the run has to stop (`stops_run`), so no
caller compares types or texts. Its text reads as the command that failed:
`put photos/a.jpg: 503 Service Unavailable after 4 attempts in 7.2 s (tx4a1...)`.

Texts of errors and events name an option as Python callers write it: in backquotes, as a field of the call's options.

    `skip.delete_extra` and `journal` exclude each other       UploadOptions(skip=SkipOptions(delete_extra=...), ...)
    its name is not UTF-8; `encode_names='percent'` ...        with the value to set

The command line replaces these names by its flags (`cli/flags.py`). No text below `cli/` names a flag.
"""

import re
from collections.abc import Callable
from copy import copy
from typing import Any, ClassVar, Literal, Self

from bulkput.record import frozen

NAMED_OPTION = re.compile(r"`([a-z_][a-z_0-9]*(?:\.[a-z_][a-z_0-9]*)*)(?:=([^`]+))?`")
"""Finds an option in a text. Group 1 is its name, group 2 the value to set, if the text has one."""

SourceProblem = Literal["vanished", "changed", "unreadable", "name", "collision", "unexpected"]


class BulkputError(Exception):
    """Base of all errors above. No bug in bulkput raises it, so catching it hides none."""

    is_retryable: ClassVar[bool] = False
    stops_run: ClassVar[bool] = False
    _own: ClassVar[frozenset[str]] = frozenset()
    """Attributes that mean something in this process only."""

    def __reduce__(self) -> tuple[Any, ...]:
        """For copies, and for other processes: with all attributes, whatever arguments its kind takes. Those that
        cannot be pickled are left out: an error of another package may keep its response or its session."""
        kept = {name: value for name, value in self.__dict__.items() if name not in self._own and _is_portable(value)}
        return _restored, (type(self), self.args, kept)


class UsageError(BulkputError):
    """The caller has to change an option, a variable or a URL. The text says which."""

    @property
    def options(self) -> tuple[str, ...]:
        """The options that the text names, such as `skip.delete_extra`, and functions such as `bulkput.remove`; in the
        order of the text."""
        return tuple(dict.fromkeys(match[1] for match in NAMED_OPTION.finditer(str(self))))


class SourceError(BulkputError):
    """One source file cannot be sent.

    `path` is the path on disk, as bytes. `problem` is one word for programs, `detail` a sentence for people.
    """

    def __init__(self, path: bytes, problem: SourceProblem, detail: str) -> None:
        super().__init__(path, problem, detail)
        self.path = path
        self.problem: SourceProblem = problem
        self.detail = detail

    def __str__(self) -> str:
        name = "stdin" if self.path == b"-" else printable(self.path)
        problem = "" if self.problem == "unexpected" else f"{self.problem}: "  # the detail says what was expected
        return f"read {name}: {problem}{self.detail}"


class SourceGone(SourceError):
    """The file system of the sources hangs: too many reads have not returned."""

    stops_run = True


class Stopped(BulkputError):
    """The run stopped before this file or object was sent."""

    def __str__(self) -> str:
        return "not sent: the run is being stopped"


class RateGone(BulkputError):
    """There is no service of a shared rate where `wire.rate_shared` says, or it refuses this run. Nothing was sent."""

    stops_run = True


class JournalError(BulkputError):
    """The journal cannot be read or written. Rows written before stay valid. `path` is the journal's path, as bytes."""

    stops_run = True

    def __init__(self, path: bytes, detail: str) -> None:
        super().__init__(path, detail)
        self.path = path
        self.detail = detail

    def __str__(self) -> str:
        return f"journal {printable(self.path)}: {self.detail}"


class StoreError(BulkputError):
    """A store refused or failed one operation.

    `status` is the HTTP status, or None if no answer came. `request_id` is the store's own name for the request
    (`X-Trans-Id` in Swift), which its operator can look up. `code` is its one word for the refusal (`NoSuchBucket` in
    S3); empty if it has none. `stores/tries.py` sets `attempts` and `elapsed_s` after
    each failed attempt: `elapsed_s` is the time of all attempts and of the pauses between them, without waits for a
    slot or a rate. `took_s` is the time of this attempt, or None if `ObservedStore` did not measure it. `paced_s` is
    the part of it in which the body waited for the rate that the user asked for.
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
        self.code = ""
        self.attempts = 1
        self.elapsed_s = 0.0
        self.took_s: float | None = None
        self.paced_s = 0.0

    @property
    def own_s(self) -> float | None:
        """The time of this attempt without its waits for a rate; None if it was not measured."""
        return self.took_s - self.paced_s if self.took_s is not None else None

    @property
    def is_of_login(self) -> bool:
        """Whether a login failed, or what it gave is not accepted: the fault of no object, which all in flight meet."""
        return self.operation == "login" or self.status == 401

    def about(self, key: str, more: str = "") -> Self:
        """A copy of this error for `key`, one of the objects of a request or call that many share. Its `detail` has
        `more` appended."""
        told = copy(self)
        told.key, told.detail = key, self.detail + more
        told.args = (told.operation, told.key, told.detail)
        return told

    def __str__(self) -> str:
        status = f"{self.status} " if self.status is not None else ""
        tries = f" after {self.attempts} attempts in {self.elapsed_s:.1f} s" if self.attempts > 1 else ""
        request = f" ({printable(self.request_id)})" if self.request_id else ""
        return f"{self.operation} {printable(self.key)}: {status}{printable(self.detail)}{tries}{request}"


@frozen(kw_only=True)
class UnprovenPut:
    """What a PUT sent, and what the store's 201 said of the object without proving its bytes.

    `md5` (hex) and `size` (bytes) describe the bytes sent. `etag` is the MD5 that the store answered, `modified` its
    Last-Modified as text; each is None if the answer had none.
    """

    md5: str
    size: int
    etag: str | None
    modified: str | None


class IntegrityError(StoreError):
    """The answer does not prove that the store holds the bytes that were sent. ETags are MD5 in hex.

    If `unproven_put` is set, the store did make an object (201), which may be damaged. `policy/proof.py` decides what
    happens to it.
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
    """The store or the network failed, probably for a short time: 5xx, 408, reset, timeout, connection refused.

    `is_first_contact`: the server has answered nothing in this run, so its address may be wrong.
    `is_misdirected`: the host's name does not exist, or one side speaks TLS there and the other does not.
    `policy/retry.py` says how often both are retried.
    """

    is_retryable = True
    is_first_contact = False
    is_misdirected = False


class Throttled(StoreError):
    """The store asks for fewer requests: 429, Swift's 498, a 503 that says "slow down".

    `retry_after_s` is its Retry-After in seconds, or None if it sent none.
    """

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
    """The object or its container does not exist."""


class Conflict(StoreError):
    """The store already holds something newer or different (202 on an object PUT, 409, 412)."""


@frozen
class PartsInVain:
    """The parts of a large object that the store has refused to compose: how many there are, and their bytes, also of
    those that were there already. `tell` emits that they are left; if the object is there and has them, they are not.
    """

    count: int
    size: int
    found_bytes: int
    tell: Callable[[], None]


class Exists(Conflict):
    """An object of this name is there already, and the request was not to overwrite it (412 to `If-None-Match: *`), or
    the server lets nobody overwrite (Artifactory, Nexus)."""

    _own = frozenset(("in_vain",))
    in_vain: PartsInVain | None = None
    """The parts that the refused object has, if it was sent in parts."""


class TooLarge(StoreError):
    """The object or its name is longer than the store allows."""


class Unsupported(StoreError):
    """The store does not offer this operation."""


class PartsRefused(StoreError):
    """The store cannot compose a large object: some of its parts are not, or not any more, what was sent. `numbers`
    are the parts to send again."""

    def __init__(self, operation: str, key: str, detail: str, *, numbers: tuple[int, ...], status: int | None) -> None:
        super().__init__(operation, key, detail, status=status)
        self.numbers = numbers


class Denied(StoreError):
    """The credentials do not allow this operation, even after a new login."""

    stops_run = True


class StoreGone(StoreError):
    """The store cannot be used: a login failed for good, or a plain HTTP server stores nothing."""

    stops_run = True


class QuotaExceeded(StoreError):
    """The account or the container has reached its quota."""

    stops_run = True


def _restored(kind: type[BulkputError], args: tuple[Any, ...], attributes: dict[str, Any]) -> BulkputError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(attributes)
    return error


def _is_portable(value: object) -> bool:
    """Whether another process can get the value."""
    if value is None or isinstance(value, str | bytes | int | float):
        return True
    import pickle  # noqa: PLC0415 - few errors have others

    try:
        pickle.dumps(value)
    except Exception:  # noqa: BLE001 - each kind of object has its own way to refuse
        return False
    return True


def name_text(name: bytes) -> str:
    """A file name as text in any locale: decoded as UTF-8, each invalid byte as a lone surrogate (PEP 383)."""
    return name.decode("utf-8", "surrogateescape")


def printable(name: str | bytes) -> str:
    r"""A name that fits one line of a terminal: control characters and undecodable bytes become `\n`, `\xff`, ..."""
    text = name_text(name) if isinstance(name, bytes) else name
    return text if text.isprintable() else "".join(map(_printable, text))


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
