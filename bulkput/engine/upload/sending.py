"""Builds what sends single files: the same in the process that runs an upload, and in those that it hands files to.

Sending (options, names, what earlier runs have left) + Store  ->  BodyOpener, Skipper, NewOnly  ->  Putter
"""

import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import cache, partial
from typing import TYPE_CHECKING, Protocol

from bulkput.engine.open_store import connected
from bulkput.engine.stop import Stop
from bulkput.engine.upload.put import Putter
from bulkput.errors import UsageError
from bulkput.events import Emit
from bulkput.model import LargeUpload, RemoteObject, UnfinishedUpload, Upload
from bulkput.options import HeaderOptions, UploadOptions
from bulkput.payload.body import BodyOpener
from bulkput.payload.source_body import Opener
from bulkput.policy.gzip_names import GzipNames
from bulkput.record import frozen
from bulkput.stores.base import Store
from bulkput.transport.base import WireCount

if TYPE_CHECKING:
    from bulkput.engine.upload.if_exists import NewOnly
    from bulkput.engine.upload.large import LargeSender
    from bulkput.engine.upload.links import Links
    from bulkput.engine.upload.skip import Skipper
    from bulkput.payload.gzip_body import Packer
    from bulkput.payload.pipe import Pipe
    from bulkput.policy.rules import Rules
    from bulkput.policy.scope import Scope

Opened = tuple[Store, WireCount]
"""A store, and the count of its requests."""
OnKept = Callable[[RemoteObject], Awaitable[None]]
"""Takes the row of an object that stays as it is."""


class Earlier(Protocol):
    """What earlier runs have left of large files, as a journal has it."""

    @property
    def uploads_begun(self) -> Mapping[bytes, tuple[UnfinishedUpload, ...]]:
        """The uploads in parts that they have begun, by the paths of their files."""

    async def known_parts(self, path: bytes, state: str, upload: LargeUpload) -> Mapping[int, str]:
        """The MD5s of the parts that they have sent of a large file in this state, by their numbers."""

    async def parts_of_file(self, path: bytes) -> set[tuple[int, str]]:
        """Number and MD5 of all parts that they have sent of a file."""

    async def noted_parts(self, path: bytes) -> tuple[tuple[str, str, int, str], ...]:
        """All of these at once, for another process: the file's state, the upload, number and MD5."""

    def keep_upload(self, path: bytes, upload: UnfinishedUpload) -> None:
        """The upload stays, also when the file is stored."""


class Source(Protocol):
    """What the sources of a run need to be read (`survey.py:Survey`)."""

    def opener(self, store: Store, options: UploadOptions, emit: Emit, *, large_above: int) -> Opener:
        """What opens the sources for an upload to `store`, which sends what has more than `large_above` bytes in
        parts."""


class OpenSource(Source, Protocol):
    """The same, as another process has opened them."""

    @property
    def count(self) -> WireCount:
        """The requests to the source."""

    def links(self, store: Store, emit: Emit) -> "Links | None":
        """What puts links as links; None if the sources have none."""


class Elsewhere(Protocol):
    """What another process needs to read the sources. It can be pickled."""

    def opened(
        self, destination: str, options: UploadOptions, emit: Emit, stop: Stop, environ: Mapping[str, str]
    ) -> AbstractAsyncContextManager[OpenSource]:
        """Open the sources of an upload to `destination`. Raises UsageError."""


@frozen(kw_only=True)
class Sending:
    """What sending the files of one run needs, besides their store."""

    options: UploadOptions
    stop: Stop
    emit: Emit
    earlier: Earlier
    gzip: GzipNames
    rules: "Rules | None"
    scope: "Scope | None"
    """None if the run compares nothing with the store."""
    container: str
    source: Source
    mark: str
    """Tells this run's objects from those of others, with `if_exists`. The same in all its processes."""
    shared_run: str | None = None
    """`Pace.shared_run`, for processes that send a part of the run."""


def opened_for(options: UploadOptions, headers: HeaderOptions) -> Callable[..., AbstractAsyncContextManager[Opened]]:
    """What opens the destination of an upload, in whichever process: `connected` with the options that are for the
    store. `headers` has those of all rules."""
    return partial(
        connected,
        wire=options.wire,
        retry=options.retry,
        storage_policy=options.storage_policy,
        headers=headers,
        encodes=options.encodes,
        large=options.large,
        s3=options.s3,
        checksum_headers=options.checksum_headers,
        tag=options.tag,
    )


def opener_of(sending: Sending, store: Store) -> Opener:
    large_above = _large_above(sending.options, store)
    return sending.source.opener(store, sending.options, sending.emit, large_above=large_above)


def skipper_of(sending: Sending, store: Store, opener: Opener, on_kept: OnKept | None) -> "Skipper | None":
    """None if the run compares nothing with the store."""
    if sending.scope is None:
        return None
    from bulkput.engine.upload.indirect import IndirectReads  # noqa: PLC0415 - 20 ms, for runs that compare
    from bulkput.engine.upload.skip import Skipper  # noqa: PLC0415 - the same

    scope = sending.scope
    return Skipper(
        store,
        opener,
        sending.options,
        sending.emit,
        gzip=scope.gzip,
        rules=sending.rules,
        indirect=IndirectReads(store, scope, sending.container, opener if isinstance(opener, BodyOpener) else None),
        on_kept=on_kept,
    )


def new_only_of(sending: Sending, store: Store, on_kept: OnKept | None) -> "NewOnly | None":
    """None if what is there may be overwritten, and in a dry run. Raises UsageError."""
    options, mode = sending.options, sending.options.if_exists
    skip = options.skip
    is_implied = mode == "replace" and skip.mode == "existing" and skip.expire_extra_s is None
    if is_implied and store.powers.refuses_existing is not None:
        mode = "skip"
    if mode == "replace" or options.dry_run:
        return None
    if skip.expire_extra_s is not None:
        raise UsageError(
            "`skip.expire_extra_s` and `if_exists` exclude each other: an object that expires and whose file is here"
            " again has to be overwritten, or it vanishes"
        )
    from bulkput.engine.upload.if_exists import NewOnly  # noqa: PLC0415 - only a run that overwrites nothing pays for it

    return NewOnly(
        store,
        mode,
        sending.emit,
        sending.stop,
        adds_suffix=lambda name: bool(sending.gzip.suffix(name)),
        mark=sending.mark,
        on_kept=on_kept,
        is_implied=is_implied,
    )


def putter_of(
    sending: Sending,
    store: Store,
    opener: Opener,
    *,
    skipper: "Skipper | None",
    new_only: "NewOnly | None",
    links: "Links | None",
) -> Putter:
    return Putter(
        store,
        opener,
        _packer(sending, opener),
        skipper,
        emit=sending.emit,
        new_only=new_only,
        large_above=_large_above(sending.options, store),
        open_large=cache(lambda: _large(sending, store)),
        open_pipe=partial(_pipe, sending),
        in_parts=sending.earlier.uploads_begun,
        links=links,
    )


def _large_above(options: UploadOptions, store: Store) -> int:
    """The size in bytes above which a file may be sent in parts."""
    if store.powers.large is None:
        return sys.maxsize
    return min(options.large.above, store.limits.max_object_bytes)


def _large(sending: Sending, store: Store) -> "LargeSender":
    from bulkput.engine.upload.large import LargeSender  # noqa: PLC0415 - only a run with a large file pays for it

    return LargeSender(
        store,
        sending.options.large,
        emit=sending.emit,
        stop=sending.stop,
        known=sending.earlier.known_parts,
        journalled=sending.earlier,
    )


def _pipe(sending: Sending, upload: Upload) -> "Pipe":
    from bulkput.payload.pipe import Pipe  # noqa: PLC0415 - only an upload from a pipe pays for it

    large = sending.options.large
    return Pipe(
        upload,
        sending.stop,
        sending.emit,
        chunk_size=sending.options.body.chunk_size,
        expect_size=large.expect_size,
        expect_md5=large.expect_md5,
        may_be_empty=not sending.options.fail_if_empty,
    )


def _packer(sending: Sending, opener: Opener) -> "Packer | None":
    options = sending.options
    if not options.compresses or not isinstance(opener, BodyOpener):
        return None
    from bulkput.payload.gzip_body import Packer  # noqa: PLC0415 - 15 ms, which only a run that compresses has to pay

    return Packer(
        options.gzip,
        sending.gzip,
        opener,
        hold=options.body.buffer_size,
        check=sending.stop.check,
    )
