"""The driver's end of one process: keeps a window of files there, and takes their outcomes."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import BrokenExecutor, Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from bulkput import events as ev
from bulkput.engine.pool import is_cancelled
from bulkput.errors import BulkputError, Denied, SourceError, StoreError, UsageError
from bulkput.model import Pacing, Reason, Upload
from bulkput.policy.lanes import MOST_BYTES, MOST_DEATHS, suspects_at_once, window
from bulkput.scale.engine import Engine, NoProcess, Process
from bulkput.scale.task import Asked, Call, Earlier, Reply, encoded, heard
from bulkput.scale.worker import exchange
from bulkput.stores.base import Configured

if TYPE_CHECKING:
    from bulkput.scale.executor import ShardedSending

_PATIENCE_S = 0.2
"""A process with few outcomes answers after this time: progress moves, and a stop arrives."""
_LOOK_EVERY_S = 0.25
"""How often a lane that waits for a process looks whether the others have left it any files."""
_ROWS_EVERY_S = 2.0
"""How often a process is asked what it does."""


_MOST_REFUSALS = 2
"""Logins in a row that the store may refuse before any file is stored."""


class _LostError(Exception):
    """The process is gone."""


class Suspect(NamedTuple):
    """A file that was in processes that died, and how many those were."""

    upload: Upload
    deaths: int


class Lane:
    """One process of a run, and the next if it dies."""

    def __init__(self, run: "ShardedSending", engine: Engine, number: int, numbers: Iterator[int]) -> None:
        """`numbers` gives each file of the run its own."""
        self._run = run
        self._engine = engine
        self.number = number
        self._numbers = numbers
        self._process: Process | None = None
        self.name = f"worker {number + 1}"
        self.share = 1
        self.held: dict[int, Upload] = {}
        """Files in the process, by their numbers."""
        self._bytes = 0
        self._deaths: dict[int, int] = {}
        """Of those that were in a process that died. If there are any, the process has no others."""
        self._rate: float | None = None
        self._replied_s = time.monotonic()
        self._told: Configured | BulkputError | None = None
        """A login that the process has asked for."""
        self._before: list[Reply] = []
        """The last reply of each process that has died: their requests count."""
        self._last: Reply | None = None
        self._refusals = 0
        self.rows: tuple[ev.InFlight, ...] = ()
        self.rows_at_s = 0.0

    async def work(self) -> None:
        """Send files until none is left. Raises CancelledError, what a login raises, and bugs."""
        run = self._run
        while True:
            if not self.held and not run.is_over:
                await run.news()
            if self._process is None and run.has_work and not await self._has_got_process():
                continue
            files = await self._picked()
            if not self.held:
                if run.is_over:
                    run.wake()
                    return
                continue
            try:
                reply = await self._exchange(files)
                await self._take(reply)
            except _LostError as error:
                self._bury(str(error))
            except UsageError:
                raise
            except BulkputError as error:  # of a login, or of a process that cannot open the store
                run.sending.stop.pull(ev.Stopping(str(error), ev.StopCause.STORE))
                run.leave_unsent()

    # To the process.

    @property
    def has_process(self) -> bool:
        return self._process is not None

    async def _has_got_process(self) -> bool:
        """Wait for a process. It takes no files meanwhile: other lanes may send them. False if none are left then."""
        run = self._run
        getting = asyncio.ensure_future(self._engine.process(self.number))
        try:
            while not getting.done():
                await asyncio.wait([getting], timeout=_LOOK_EVERY_S)
                if not getting.done() and not run.has_work:
                    return False
            self._process = getting.result()
        except NoProcess as error:
            run.sending.stop.pull(ev.Stopping(str(error), ev.StopCause.WORKERS))
            return False
        except Exception as error:
            if not _is_loss(error):
                raise
            run.note_death(self.name, 0, str(error) or type(error).__name__)
            return False
        finally:
            getting.cancel()
        self.name, self._replied_s = self._process.name, time.monotonic()
        run.share_out()
        return True

    async def _picked(self) -> list[tuple[Any, ...]]:
        """Files for the window, as they are sent."""
        run = self._run
        if run.sending.stop.is_pulled:
            run.leave_waiting()
            return []
        if self._deaths and self.held:
            return []
        picked: list[tuple[Any, ...]] = []
        if not self.held and run.suspects:
            for suspect in self._suspects():
                picked.append(await self._put(suspect.upload))
                self._deaths[picked[-1][0]] = suspect.deaths
            return picked
        is_whole = self._process is not None and not self._process.is_always_the_same
        room = window(self.share, self._rate, is_whole=is_whole) - len(self.held)
        room = min(room, -(-len(run.waiting) // run.lanes))  # what waits is for all lanes: also the last files of a run
        while run.waiting and room > 0 and (self._bytes < MOST_BYTES or not self.held):
            room -= 1
            picked.append(await self._put(run.waiting.popleft()))
        run.note_taken()
        return picked

    def _suspects(self) -> list[Suspect]:
        suspects = self._run.suspects
        deaths = suspects[0].deaths
        taken: list[Suspect] = []
        while suspects and suspects[0].deaths == deaths and len(taken) < suspects_at_once(deaths):
            taken.append(suspects.popleft())
        return taken

    async def _put(self, upload: Upload) -> tuple[Any, ...]:
        number = next(self._numbers)
        self.held[number] = upload  # before any wait: it is reported, whatever happens
        self._bytes += upload.source.size
        return await self._encoded(number, upload)

    async def _encoded(self, number: int, upload: Upload) -> tuple[Any, ...]:
        sending, earlier = self._run.sending, None
        if upload.source.size > sending.options.large.above and sending.options.journal is not None:
            known, path = sending.earlier, upload.source.path
            earlier = Earlier(await known.noted_parts(path), known.uploads_begun.get(path, ()))
        return encoded(number, upload, sending.options.headers, earlier)

    async def _exchange(self, files: list[tuple[Any, ...]]) -> Reply:
        run, now_s = self._run, time.monotonic()
        if self._process is None:
            raise AssertionError("files are picked for a process")
        told, self._told = self._told, None
        call = Call(
            run=f"{run.run}-{self.number}",
            files=files,
            share=self.share,
            enough=max(1, len(self.held) // 2),
            patience_s=_PATIENCE_S if self._process.is_always_the_same else None,
            stop=run.sending.stop.order,
            told=told,
            wants_rows=now_s - self.rows_at_s > _ROWS_EVERY_S,
        )
        reply = await self._called(call)
        if reply.is_unknown:
            self._keep_counts()
            setup = await run.setup()
            everything = [await self._encoded(number, upload) for number, upload in self.held.items()]
            reply = await self._called(replace(call, setup=setup, files=everything))
        return reply

    async def _called(self, call: Call) -> Reply:
        if self._process is None:
            raise AssertionError("a call needs a process")
        try:
            future: Future[Reply] = self._process.submit(exchange, call)
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError as error:
            if is_cancelled():
                raise
            raise _LostError("the executor has cancelled the call") from error
        except Exception as error:
            if not _is_loss(error):
                raise
            raise _LostError(_told(error)) from error

    # From the process.

    async def _take(self, reply: Reply) -> None:
        run, now_s = self._run, time.monotonic()
        self._last = reply
        if reply.rows:
            self.rows, self.rows_at_s = reply.rows, now_s
        run.tuner.slots.had_to_wait |= reply.had_to_wait
        settled, left = self._settle(reply, now_s - reply.now_s)
        for row in reply.kept:
            if run.on_kept is not None:
                await run.on_kept(row)
        for path, upload in reply.uploads_kept:
            run.sending.earlier.keep_upload(path, upload)
        if settled:
            run.deaths_in_vain = self._refusals = 0
            rate = settled / max(now_s - self._replied_s, 1e-3)
            self._rate = rate if self._rate is None else (self._rate + rate) / 2
            self._replied_s = now_s
            if settled > left:
                run.sending.emit(ev.WorkerSent(self.name, settled - left))
        if not self.held:
            self._deaths.clear()
            self._bytes = 0
            self.rows = ()
            if run.is_over:
                run.wake()
        if reply.bug is not None:
            raise RuntimeError(f"a process that sends files failed:\n{reply.bug}")
        if reply.error is not None:
            raise reply.error
        if reply.refused is not None:
            await self._renew(reply.refused)

    def _settle(self, reply: Reply, ahead_s: float) -> tuple[int, int]:
        """Report the outcomes, and emit the other events, in their order. Returns how many outcomes there were, and how
        many of them are of files that a stop has left unsent. `ahead_s`: how far the clock of this machine is ahead of
        the process's."""
        run, settled, left = self._run, 0, 0
        for item in reply.batch:
            number = item[0]
            if number is None:
                run.emit(_by_own_clock(item[1], ahead_s))
                continue
            upload = self.held.pop(number, None)
            if upload is None:  # of a file that has an outcome already
                continue
            deaths = self._deaths.pop(number, 0)
            self._bytes -= upload.source.size
            outcome, asked = heard(item, upload)
            if asked is not None:
                run.sending.emit(_requested(upload.key, asked, ahead_s))
            is_left = _is_given_back(outcome)
            if is_left and not run.sending.stop.is_pulled:
                self._give_back(upload, deaths)
                continue
            settled += 1
            left += is_left
            run.report(outcome)
        return settled, left

    def _give_back(self, upload: Upload, deaths: int) -> None:
        if deaths:
            self._run.suspects.append(Suspect(upload, deaths))
        else:
            self._run.waiting.appendleft(upload)
        self._run.wake()

    async def _renew(self, refused: Configured) -> None:
        hand_over = self._run.store.powers.hand_over
        if hand_over is None:
            raise AssertionError("only a login that was handed over can be refused so")
        self._refusals += 1
        is_whole = self._process is not None and not self._process.is_always_the_same
        if is_whole and self._refusals > _MOST_REFUSALS:  # each process knows of its own refusals only
            raise Denied("login", "the run", "the store refuses each new login, before any file is stored", status=401)
        try:
            self._told = await hand_over(refused)
        except StoreError as error:
            self._told = error

    # If it dies.

    def _bury(self, why: str) -> None:
        """The process is gone: its files are sent again, by whichever lane is free."""
        run, name = self._run, self.name
        if self._process is not None:
            self._process.kill()
        self._process = None
        self._keep_counts()
        files, self.held, self._bytes, self.rows = self.held, {}, 0, ()
        deaths, self._deaths = self._deaths, {}
        is_alone = len(files) == 1
        for number, upload in files.items():
            suffered = deaths.get(number, 0) + 1
            if suffered >= MOST_DEATHS and is_alone:
                detail = f"{MOST_DEATHS} processes ended while they sent it, the last one alone with it: {why}"
                run.report(
                    ev.Failed(upload.source.path, upload.key, SourceError(upload.source.path, "unexpected", detail))
                )
            else:
                run.suspects.append(Suspect(upload, suffered))
        if files or not run.sending.stop.is_pulled:  # else it was ended, because the run is being stopped
            run.note_death(name, len(files), why)
        run.share_out()
        run.wake()

    def _keep_counts(self) -> None:
        """The process begins to count anew, or is gone."""
        if self._last is not None:
            self._before.append(self._last)
            self._last = None

    def let_go(self) -> list[Upload]:
        """The files that have no outcome; the process is ended if it has any."""
        left = list(self.held.values())
        self.end()
        self.held = {}
        return left

    def end(self) -> None:
        if self._process is not None and self.held:
            self._process.kill()
            self._process = None

    # What is added up.

    @property
    def _replies(self) -> list[Reply]:
        return [*self._before, *([self._last] if self._last is not None else [])]

    @property
    def requests(self) -> Mapping[str, int]:
        total: dict[str, int] = {}
        for reply in self._replies:
            for method, number in reply.requests.items():
                total[method] = total.get(method, 0) + number
        return total

    @property
    def connections(self) -> int:
        return sum(reply.connections for reply in self._replies)

    @property
    def pacing(self) -> Pacing | None:
        return self._last.pacing if self._last is not None else None


def _is_loss(error: Exception) -> bool:
    """Whether an executor says that the process is gone, by an error of its own. Others are bugs."""
    is_own = type(error).__module__.partition(".")[0] not in ("builtins", "pickle", "_pickle", "asyncio", "bulkput")
    return is_own or isinstance(error, OSError | EOFError)


def _told(error: Exception) -> str:
    if isinstance(error, BrokenExecutor):
        return "it has ended: killed, or out of memory"
    return str(error) or type(error).__name__


def _is_given_back(outcome: "ev.Uploaded | ev.Skipped | ev.Failed") -> bool:
    """Whether the process has not come to the file: it stops, and perhaps the run does not."""
    return isinstance(outcome, ev.Skipped) and outcome.skip.reason is Reason.STOPPED


def _requested(key: str, asked: Asked, ahead_s: float) -> ev.Requested:
    began_s, elapsed_s, size = asked
    return ev.Requested("put", key, began_s + ahead_s, elapsed_s, size, None)


def _by_own_clock(event: ev.Event, ahead_s: float) -> ev.Event:
    if isinstance(event, ev.Requested):
        return replace(event, started_s=event.started_s + ahead_s)
    return event
