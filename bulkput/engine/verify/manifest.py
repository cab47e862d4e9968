"""Verifies that everything is stored that the manifest of a publish lists. It lists the store once, and reads no file.

    manifest ──GET──> on disk ──checked──> lines ──┐
                                                   ├──merge join──> judge ──> bounded queue: HEAD ──> judge ──> finding
    store ───────────one GET per 10 000────> rows ─┘

Both sides are in bytewise order, so memory holds a page of the listing, a thousand lines, the queue and its workers. A
listing may lag behind what is stored: only a HEAD makes an object missing or different (`policy/manifest.py`).
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import NamedTuple

from bulkput import events as ev
from bulkput.engine.compare.listing import in_order
from bulkput.engine.compare.merge_join import ListedObject
from bulkput.engine.open_store import connected
from bulkput.engine.pool import pool
from bulkput.engine.stop import Stop
from bulkput.engine.verify.tally import Tally
from bulkput.errors import NotFound, Stopped, StoreError, Unsupported, UsageError, printable
from bulkput.events import Finding, Verdict
from bulkput.journal.uninterrupted import uninterrupted
from bulkput.model import RemoteObject
from bulkput.option_types import checked
from bulkput.policy.compare import Judgement
from bulkput.policy.manifest import Published, judge_head, judge_listed
from bulkput.policy.naming import common_prefix
from bulkput.policy.retry import FailurePolicy
from bulkput.sources.published import FetchedManifest
from bulkput.stores.base import Destination, Store
from bulkput.verb_options import ManifestOptions
from bulkput.verb_results import Comparison

_BACKLOG = 256
"""Lines that may wait for their HEADs."""
_FETCHES = 3
"""How often the manifest is fetched if it breaks off in the middle. Before its first byte, requests are retried."""


class Line(NamedTuple):
    """A name in the manifest, in the listing, or in both."""

    line: Published | None
    row: RemoteObject | None


async def verify_manifest(
    url: str,
    *,
    options: ManifestOptions | None = None,
    on_event: ev.Emit | None = None,
    stop: Stop | None = None,
    environ: Mapping[str, str] | None = None,
) -> Comparison:
    """Compare what the manifest at `url` lists (such as `swift://container/prefix/manifest.ndjson`, which an upload
    with `UploadOptions.manifest` has put) with the objects of its container.

    `on_event` gets a Finding for each name that is not identical, nearly in order of the names; else it is as for
    `verify`. Objects that the manifest does not name are not extra; `Comparison.ignored` counts those that are listed
    with the others.

    Raises UsageError for a wrong URL, a manifest that is not there or is none, missing credentials, or a store that
    cannot list.
    """
    options, target = checked(options, ManifestOptions), Destination.parse(url)
    stop, emit = stop or Stop(), on_event or _ignore
    if not target.prefix or target.prefix.endswith("/"):
        raise UsageError(f"{printable(str(target))} names no object: a manifest is one, as in swift://CONTAINER/NAME")
    stop.report_to(emit)
    tally, started = Tally(emit), time.monotonic()
    requests: Mapping[str, int] = {}
    opening = connected(url, wire=options.wire, retry=options.retry, emit=emit, brake=stop, environ=environ)
    try:
        async with opening as (store, wire_count), stop.bounded(options.wire.timeout_s):
            requests = wire_count.requests
            manifest = await asyncio.to_thread(FetchedManifest, printable(str(target)))
            try:
                await _fetch(store, target.prefix, manifest)
                prefix = await _common_prefix(manifest, stop)
                verifier = _Verifier(
                    store=store, options=options, stop=stop, tally=tally, room=ev.room_of(on_event), own=target.prefix
                )
                await verifier.run(manifest, prefix)
            finally:
                await uninterrupted(manifest.close)
    except Stopped:
        pass
    except NotFound as error:
        raise UsageError(f"there is no manifest {printable(str(target))}: {error.detail}") from None
    except Unsupported as error:
        raise UsageError(f"cannot verify {printable(str(target))}: {error.detail}") from None
    except StoreError as error:
        stop.pull(ev.Stopping(str(error), ev.StopCause.STORE))
    return tally.comparison(requests, time.monotonic() - started, stop)


async def _fetch(store: Store, key: str, manifest: FetchedManifest) -> None:
    """Raises StoreError; UsageError if TMPDIR is full."""
    get = store.powers.get
    if get is None:
        raise Unsupported("get", key, "this store cannot read objects")
    for attempt in range(1, _FETCHES + 1):
        await uninterrupted(manifest.begin)
        try:
            async with aclosing(get(key)) as pieces:
                async for piece in pieces:
                    await uninterrupted(manifest.write, piece)
        except StoreError as error:
            if attempt == _FETCHES or not error.is_retryable:
                raise
        else:
            return


async def _lines(manifest: FetchedManifest, stop: Stop) -> AsyncGenerator[Published, None]:
    """The lines, until the run is being stopped. Raises UsageError."""
    batches = manifest.batches()
    while not stop.is_pulled and (batch := await asyncio.to_thread(next, batches, None)) is not None:
        for line in batch:
            yield line


async def _common_prefix(manifest: FetchedManifest, stop: Stop) -> str:
    """That of all names. Every line is looked at, so that a file that is no manifest gives no findings. Raises
    UsageError; Stopped."""
    first = last = None
    async with aclosing(_lines(manifest, stop)) as lines:
        async for line in lines:
            first, last = first or line.name, line.name
    stop.check()
    return common_prefix(first or "", last or "")


async def paired(lines: AsyncIterator[Published], rows: AsyncIterator[ListedObject]) -> AsyncGenerator[Line, None]:
    """The merge join of a manifest with a listing, both in bytewise order: each name once, in that order."""
    line, row = await anext(lines, None), await anext(rows, None)
    while line is not None or row is not None:
        key = line.name.encode() if line is not None else b""
        if row is None or (line is not None and key < row.key):
            yield Line(line, None)
            line = await anext(lines, None)
        elif line is None or row.key < key:
            yield Line(None, row.row)
            row = await anext(rows, None)
        else:
            yield Line(line, row.row)
            line, row = await anext(lines, None), await anext(rows, None)


@dataclass(slots=True, kw_only=True)
class _Verifier:
    """Judges the lines of a manifest, one by one."""

    store: Store
    options: ManifestOptions
    stop: Stop
    tally: Tally
    room: Callable[[], Awaitable[None]]
    """Awaited before each name."""
    own: str
    """The name of the manifest itself."""
    _failure_policy: FailurePolicy = field(init=False)

    def __post_init__(self) -> None:
        self._failure_policy = FailurePolicy(self.options.stop)

    async def run(self, manifest: FetchedManifest, prefix: str) -> None:
        """Until both sides end or the run is stopped. Raises UsageError, and StoreError if the listing fails."""
        try:
            async with (
                pool(self._look, workers=self.options.wire.start, backlog=_BACKLOG) as workers,
                aclosing(_lines(manifest, self.stop)) as lines,
                aclosing(in_order(self.store, prefix)) as rows,
                aclosing(paired(lines, rows)) as pairs,
            ):
                async for pair in pairs:
                    if self.stop.is_pulled:
                        break
                    await self.room()
                    line, row = pair
                    if line is None:
                        self.tally.ignored += row is not None and row.name != self.own
                    elif isinstance(step := judge_listed(line, row), Judgement):
                        self.tally.add(_finding(step, line, row))
                    else:
                        await workers.submit(pair)
        except NotFound as error:  # the manifest was read: its container has gone since
            raise StoreError(error.operation, error.key, error.detail, status=error.status) from None

    async def _look(self, pair: Line) -> None:
        line, row = pair
        if line is None:
            raise AssertionError("the workers get names of the manifest only")
        try:
            self.stop.check()
            head = await self.store.stat(line.name)
            self._failure_policy.succeeded()
            step = judge_head(line, head, was_listed=row is not None)
        except Stopped:
            return
        except StoreError as error:
            if (order := self._failure_policy.failed(error)) is not None:
                self.stop.pull(order)
            if self.stop.is_pulled:
                return
            head, step = row, Judgement(Verdict.NOT_COMPARABLE, str(error))
        self.tally.add(_finding(step, line, head))


def _finding(step: Judgement, line: Published, there: RemoteObject | None) -> Finding:
    return Finding(
        verdict=step.verdict,
        name=line.name,
        why=step.why,
        size=line.bytes,
        remote_size=there.bytes if there is not None else None,
        md5=line.hash,
        remote_hash=there.hash if there is not None else None,
    )


def _ignore(_told: object) -> None:
    """Discards events."""
