"""Compares what sources have with what a store lists, pair by pair."""

from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial

from bulkput import events as ev
from bulkput.engine.compare.evidence import asked_of_source, digests, evidence_of, examined, shows_no_size
from bulkput.engine.compare.merge_join import Pair
from bulkput.engine.compare.pairs import Pairing
from bulkput.engine.pool import Pool, pool
from bulkput.engine.stop import Stop
from bulkput.engine.verify.tally import Tally, finding, unreadable
from bulkput.errors import BulkputError, SourceError, Stopped, StoreError, Unsupported
from bulkput.events import Finding, Verdict
from bulkput.model import Found, RemoteObject, SourceFile
from bulkput.payload.source_body import Opener
from bulkput.policy.compare import Evidence, Judgement, judge
from bulkput.policy.directories import is_marker, is_others_marker
from bulkput.policy.etag import md5_of
from bulkput.policy.retry import FailurePolicy
from bulkput.policy.scope import Scope
from bulkput.stores.base import Store
from bulkput.verb_options import VerifyOptions


@dataclass(slots=True, kw_only=True)
class Comparer:
    """Compares files with listed objects, pair by pair."""

    store: Store
    opener: Opener
    scope: Scope
    options: VerifyOptions
    stop: Stop
    tally: Tally
    room: Callable[[], Awaitable[None]]
    """Awaited before each pair: objects without files are findings too, long after the scan has ended."""
    _failure_policy: FailurePolicy = field(init=False)

    def __post_init__(self) -> None:
        self._failure_policy = FailurePolicy(self.options.stop)

    async def run(self, scan: AsyncIterable[Found]) -> None:
        """Compare until both sides end or the run is stopped. After a stop the rest gets no findings."""
        pairing = Pairing(store=self.store, scope=self.scope, stop=self.stop)
        try:
            async with (
                pool(self._look, workers=self.options.wire.start, backlog=self.options.backlog) as workers,
                aclosing(pairing.pairs(scan)) as pairs,
            ):
                async for pair in pairs:
                    if self.stop.is_pulled:
                        break
                    await self.room()
                    await self._take(pair, workers)
        except Unsupported:
            raise
        except StoreError as error:  # the listing failed: there is nothing to compare with
            self.stop.pull(ev.Stopping(str(error), ev.StopCause.STORE))
        self.tally.is_container_there = pairing.is_container_there

    async def _take(self, pair: Pair, workers: Pool[Pair]) -> None:
        """Report what the listing decides; queue the rest for the workers."""
        file, row = pair.file, pair.row
        if pair.nameless is not None:
            self._take_other(pair.nameless)
        elif file is None:
            self._take_object(pair)
        elif file.is_directory:
            self._take_directory(file, row)
        elif row is None:
            name = pair.key.decode()
            self.tally.add(Finding(verdict=Verdict.MISSING, name=name, path=file.path, size=file.size))
        elif shows_no_size(file):
            await workers.submit(pair)
        else:
            step = judge(self._evidence(file, row), is_quick=self.options.is_quick)
            if isinstance(step, Judgement):
                self.tally.add(finding(step.verdict, file, row, step.why))
            else:
                await workers.submit(pair)

    def _take_other(self, found: Found) -> None:
        """Count a finding that is no file to compare: as unreadable if it is an error, else as skipped."""
        if not isinstance(found, SourceError):
            self.tally.skipped += 1
            return
        self.tally.add(unreadable(found))
        if found.stops_run:
            self.stop.pull(ev.Stopping(str(found), ev.StopCause.SOURCE))

    def _take_directory(self, directory: SourceFile, row: RemoteObject | None) -> None:
        """Report a directory. A marker is missing only if the upload sends markers (`dir_markers`). An object of its
        name that is no marker has no file."""
        if row is not None and is_marker(row):
            self.tally.add(finding(Verdict.IDENTICAL, directory, row))
        elif row is not None:
            self.tally.without_file(row, is_claimed=self.scope.is_whole and self.scope.claims(row.name))
        elif self.options.dir_markers:
            name = self.scope.key(directory.name, is_directory=True)
            self.tally.add(
                Finding(verdict=Verdict.MISSING, name=name, path=directory.path, why="the directory's marker")
            )

    def _take_object(self, pair: Pair) -> None:
        """Report an object without a file: as extra, or as ignored if it may have a file, the sources are single files,
        or it is another program's marker."""
        row = pair.row
        if row is None or pair.is_unknown or not self.scope.is_whole or is_others_marker(row.name, row.bytes):
            self.tally.ignored += 1
        else:
            self.tally.without_file(row, is_claimed=self.scope.claims(row.name, is_directory=is_marker(row)))

    def _evidence(self, file: SourceFile, row: RemoteObject) -> Evidence:
        return evidence_of(file, row, is_suffixed=bool(self.scope.gzip.suffix(file.name)))

    async def _look(self, pair: Pair) -> None:
        file, row = pair.file, pair.row
        if file is None or row is None:
            raise AssertionError("the workers get pairs of a file and an object only")
        if (found := await self._compared(self._evidence(file, row), file)) is not None:
            self.tally.add(found)

    async def _compared(self, evidence: Evidence, file: SourceFile) -> Finding | None:
        """The finding for one pair. None if the run is being stopped."""
        row = evidence.row
        try:
            self.stop.check()
            if not self.options.is_quick or shows_no_size(file):
                evidence = await asked_of_source(evidence, file, partial(self.opener.open, file))
            decide = partial(judge, is_quick=self.options.is_quick)
            read = partial(self._read, file)
            step, evidence = await examined(self.store, evidence, decide, read)
            if step.verdict is Verdict.DIFFERENT and _is_by_row(file, evidence):
                step, evidence = await examined(self.store, replace(evidence, md5=None), decide, read)
            self._failure_policy.succeeded()
        except Stopped:
            return None
        except SourceError as error:
            self._failed(error)
            return unreadable(error, row.name)
        except StoreError as error:
            if self._failed(error):
                return None
            step = Judgement(Verdict.NOT_COMPARABLE, str(error))
        return finding(step.verdict, file, evidence.head or row, step.why, evidence)

    async def _read(self, file: SourceFile, sizes: Sequence[int] | None) -> tuple[int, tuple[str, ...]]:
        """The file's MD5s, as a `ReadDigests`. Raises SourceError, also if the file changes while it is read: a mixture
        of two versions must not be compared."""
        body = self.opener.open_at_once(file) or await self.opener.open(file)
        return await digests(body, body.size, sizes)

    def _failed(self, error: BulkputError) -> bool:
        """Count a failure. True if the run is being stopped: then a store's error becomes no finding."""
        if (order := self._failure_policy.failed(error)) is not None:
            self.stop.pull(order)
        return self.stop.is_pulled


def _is_by_row(file: SourceFile, evidence: Evidence) -> bool:
    """Whether the MD5 is what the row of an object of another store shows. It is none if that store has encrypted the
    object by SSE-KMS or SSE-C: no row tells, and an answer with the object does."""
    return file.remote is not None and evidence.md5 is not None and evidence.md5 == md5_of(file.remote.hash)
