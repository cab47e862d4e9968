"""What passes between the driver of a run and the processes that send its files.

    Setup (once) ─┐
    files ────────┼─> Call ──> exchange() in the worker's process ──> Reply ─┬─> outcomes
    limits, stop ─┘                                                          └─> other events

A file and its outcome are tuples as long as they have nothing special: two records with their headers take 30 us to
pickle and as much to unpickle, and the tuple of their fields 1 us (1 000 of them, CPython 3.11).
"""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any, NamedTuple

from bulkput import events as ev
from bulkput.engine.upload.sending import Elsewhere
from bulkput.errors import BulkputError
from bulkput.model import ObjectHeaders, Pacing, RemoteObject, SourceFile, Stored, UnfinishedUpload, Upload
from bulkput.options import HeaderOptions, UploadOptions
from bulkput.policy.gzip_names import GzipNames
from bulkput.policy.rules import Rules
from bulkput.policy.scope import Scope
from bulkput.record import frozen
from bulkput.stores.base import Configured

NotedPart = tuple[str, str, int, str]
"""A part that earlier runs have sent of a large file: the file's state, the upload's id, the number, the MD5."""


class Earlier(NamedTuple):
    """What a journal has of one large file."""

    parts: tuple[NotedPart, ...]
    begun: tuple[UnfinishedUpload, ...]


@frozen(kw_only=True)
class Setup:
    """All that a process needs for its part of a run. It has the secrets of the environment, and is kept in memory."""

    version: str
    destination: str = field(repr=False)
    """A temporary URL has a signature."""
    sources: tuple[bytes, ...]
    options: UploadOptions
    headers: HeaderOptions
    """With those of all rules, which the store has to be able to keep."""
    environ: Mapping[str, str] = field(repr=False)
    told: Configured | None = field(repr=False)
    """The login, if the store can hand it over."""
    gzip: GzipNames
    rules: Rules | None
    scope: Scope | None
    container: str
    source: Elsewhere
    mark: str
    rate_share: float
    """What the process has of the rate of each container."""
    shared_run: str | None
    """`Pace.shared_run` of the driver."""


@frozen(kw_only=True)
class Call:
    """What the driver says to a process. `run` names the run, and this one of its processes."""

    run: str
    setup: Setup | None = None
    """Sent again if the process does not know the run."""
    files: Sequence[tuple[Any, ...]] = ()
    share: int = 1
    """Requests in flight that the process may have."""
    enough: int = 1
    """So many outcomes are worth an answer."""
    patience_s: float | None = None
    """An answer comes after this time in any case. None: when all files have an outcome, and not before."""
    stop: ev.Stopping | None = None
    told: Configured | BulkputError | None = field(default=None, repr=False)
    """The answer to `Reply.refused`."""
    wants_rows: bool = False


@frozen(kw_only=True)
class Reply:
    """What a process answers."""

    is_unknown: bool = False
    """The process does not know the run: a `Setup` is wanted."""
    error: BulkputError | None = None
    """Why the process cannot work. All its files are without an outcome."""
    bug: str | None = None
    """The traceback of a bug that has ended the process's part."""
    batch: Sequence[tuple[Any, ...]] = ()
    """Outcomes and other events, in their order."""
    kept: Sequence[RemoteObject] = ()
    """Objects that stay in place of files that were compared: `Mirror.note_kept`."""
    uploads_kept: Sequence[tuple[bytes, UnfinishedUpload]] = ()
    """`Earlier.keep_upload`."""
    refused: Configured | None = field(default=None, repr=False)
    """The login that the store refuses. Requests wait for another."""
    had_to_wait: bool = False
    """A request has waited for a slot."""
    now_s: float = 0.0
    """The process's monotonic clock, when it answered."""
    requests: Mapping[str, int] = field(default_factory=dict)
    """So far, as the next two."""
    connections: int = 0
    pacing: Pacing | None = None
    rows: tuple[ev.InFlight, ...] = ()
    host: str = ""
    pid: int = 0


def encoded(number: int, upload: Upload, shared: HeaderOptions, earlier: Earlier | None) -> tuple[Any, ...]:
    """A file, as it is sent to a process. `number` names it in the answer, `shared` has the headers that most have."""
    source, headers = upload.source, upload.headers
    if (
        earlier is None
        and upload.ruling is None
        and source.target is None
        and source.listed is None
        and source.remote is None
        and not source.is_directory
        and headers.mtime_ns == source.mtime_ns
        and headers.meta is shared.meta
        and headers.extra is shared.extra
        and headers.cache_control == shared.cache_control
        and headers.expires_in_s == shared.expires_in_s
        and headers.encoding is None
        and headers.storage_class is None
    ):
        return number, source.path, source.name, source.size, source.mtime_ns, upload.key, headers.content_type
    return number, upload, earlier


def decoded(item: tuple[Any, ...], shared: HeaderOptions) -> tuple[int, Upload, Earlier | None]:
    """What `encoded` was given."""
    if len(item) == 3:
        return item
    number, path, name, size, mtime_ns, key, content_type = item
    headers = ObjectHeaders(
        content_type=content_type,
        mtime_ns=mtime_ns,
        cache_control=shared.cache_control,
        expires_in_s=shared.expires_in_s,
        meta=shared.meta,
        extra=shared.extra,
    )
    return number, Upload(SourceFile(path, name, size, mtime_ns), key, headers), None


Asked = tuple[float, float, int | None]
"""When a request began by the process's clock, how long it took, and the size of its body."""


def told(number: int, upload: Upload, outcome: ev.Uploaded, asked: Asked | None) -> tuple[Any, ...]:
    """A file that was stored, as a process tells it; `asked` is its only request."""
    stored, sent = outcome.stored, outcome.upload.headers
    if (
        asked is not None
        and outcome.compression is None
        and not outcome.parts
        and stored.took_s is None
        and stored.key == upload.key
        and (sent is upload.headers or sent == replace(upload.headers, mtime_ns=sent.mtime_ns))
    ):
        proven = stored.size, stored.etag, stored.request_id
        return (number, *proven, outcome.bytes_read, outcome.mtime_ns, outcome.elapsed_s, *asked)
    return (number, outcome, asked)


def heard(item: tuple[Any, ...], upload: Upload) -> tuple[Any, Asked | None]:
    """The outcome of the file, and its request if it is told with it."""
    if len(item) == 3:
        return item[1], item[2]
    _, size, etag, request_id, bytes_read, mtime_ns, elapsed_s, *asked = item
    headers = upload.headers
    if headers.mtime_ns != mtime_ns:
        upload = replace(upload, headers=replace(headers, mtime_ns=mtime_ns))
    stored = Stored(upload.key, size, etag, request_id)
    return ev.Uploaded(upload, stored, bytes_read, mtime_ns, elapsed_s), (asked[0], asked[1], asked[2])
