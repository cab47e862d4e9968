"""Makes the steps one after the other, as far as they get, and cleans up.

this machine > the host of the login (`hosts.py`) > login > the host of the account, if it is another > what the store
says about itself > container > room in it > unfinished uploads > a probe (`probe.py`): written, read, listed, copied,
composed, removed
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from typing import Any
from urllib.parse import urlsplit

from bulkput.doctor import holds, place
from bulkput.doctor.finding import Finding, Findings, Report, Step, skipped
from bulkput.doctor.hosts import Hosts
from bulkput.doctor.latency import latency
from bulkput.doctor.probe import Probe, series
from bulkput.doctor.trouble import timed
from bulkput.engine.descriptors import raised_limit, room_in
from bulkput.engine.open_store import connected
from bulkput.engine.stop import Stop
from bulkput.errors import BulkputError, Denied
from bulkput.options import BodyOptions, RetryOptions, WireOptions
from bulkput.policy.naming import joined_prefix
from bulkput.record import frozen
from bulkput.stores.base import Destination, Store
from bulkput.stores.powers import Access, ContainerFacts
from bulkput.stores.swift.wire_format import has_slo

_CLEAN_UP_S = 8.0
"""Seconds for removing the probe: as many as an interrupted run has for its requests (`engine/stop.py`)."""
_LOOKS = 100
"""Looks at the container, where no probe is written."""
_UNFINISHED = 1_000
"""Uploads in parts that are counted: one page of S3's."""


@frozen(kw_only=True)
class Choices:
    """What to look at: the URL of a destination. `writes`: write a probe there."""

    url: str
    wire: WireOptions
    writes: bool = True


async def examine(
    choices: Choices, *, tell: Callable[[Finding], None], stop: Stop, environ: Mapping[str, str]
) -> Report:
    """Look at everything; `tell` gets each finding at once. When `stop` is pulled, the step under way is given up.

    Raises UsageError if there is nothing to look at: a wrong URL, missing credentials.
    """
    once = RetryOptions(retries=0, first_retries=0)
    async with connected(choices.url, wire=choices.wire, retry=once, environ=environ) as (store, _):
        look = _Look(choices, store, Findings(tell), environ)
        try:
            async with asyncio.timeout(None) as bound:
                with stop.waking(lambda: bound.reschedule(asyncio.get_running_loop().time())):
                    await look.make()
        except TimeoutError:
            if not bound.expired():
                raise
        finally:
            left = await look.clean_up()
        return Report(
            url=str(Destination.parse(choices.url)),
            findings=tuple(look.findings.all),
            left=left,
            interrupted=stop.is_pulled,
        )


class _Look:
    """One look at one store."""

    def __init__(self, choices: Choices, store: Store, findings: Findings, environ: Mapping[str, str]) -> None:
        self.findings = findings
        self._choices = choices
        self._store = store
        access = store.powers.access
        wire = access.wire if access is not None and access.wire is not None else choices.wire
        self._hosts = Hosts(wire, findings, environ)
        self._destination = Destination.parse(choices.url)
        self._probe: Probe | None = None
        self._info: Mapping[str, Any] = {}

    async def make(self) -> None:
        access = self._store.powers.access
        self._look_at_descriptors()
        if access is None:
            self.findings.add(skipped(Step.RESOLVE, "this store does not say how it is reached"))
        elif not (await self._hosts.reach(access.url) and await self._log_in(access)):
            return
        else:
            await self._ask_for_info(access)
            if access.look is not None and not await self._look(access, access.look):
                return
        if (why_not := self._why_not_written()) is not None:
            self.findings.add(skipped(Step.PUT, why_not))
        else:
            await self._try()

    def _look_at_descriptors(self) -> None:
        limit, wire = raised_limit(), self._choices.wire
        room = wire.highest if limit is None else min(wire.highest, room_in(limit, readers=BodyOptions().readers))
        self.findings.add(place.descriptors(limit, room, begins_with=wire.start, most=wire.highest))

    async def _log_in(self, access: Access) -> bool:
        """Returns whether there is a token, and the account's host can be reached."""
        if access.log_in is None:
            return self.findings.add(place.given_credentials(access.user))
        outcome, seconds = await timed(access.log_in())
        goes_on = self.findings.add(place.login(access.url, access.user, outcome, seconds))
        if isinstance(outcome, BulkputError) or _server(outcome.storage_url) == _server(access.url):
            return goes_on
        return await self._hosts.reach(outcome.storage_url)

    async def _ask_for_info(self, access: Access) -> None:
        if access.info is not None:
            said, seconds = await timed(access.info())
            self._info = said if not isinstance(said, BulkputError) else {}
            self.findings.add(place.info(self._info, await self._store.ask_limits(), seconds))

    async def _look(self, access: Access, look: Callable[[], Awaitable[ContainerFacts]]) -> bool:
        """Look at the container and the room in it. Returns whether a probe can be written that leaves nothing behind;
        if not, only looks are timed."""
        seen, seconds = await timed(look())
        if (temp_url := self._destination.temp_url) is not None:
            return self.findings.add(place.signature(temp_url, seen, seconds, now_s=time.time()))
        goes_on = self.findings.add(place.place(self._destination.root, seen, seconds, what=self._kind))
        if isinstance(seen, BulkputError):
            return goes_on and isinstance(seen, Denied)  # writing may be allowed all the same
        await self._look_at_quota(access, seen)
        await self._look_for_unfinished()
        keeps = seen.archives or seen.leaves_marks
        if keeps or not self._choices.writes:
            looks = await series("looks at the container", look, at_most=_LOOKS)
            self.findings.add(latency(looks, in_flight=self._choices.wire.start))
        return not keeps

    @property
    def _kind(self) -> place.Kind:
        match self._destination.scheme:
            case "http" | "https":
                return "directory"
            case "s3":
                return "bucket"
        return "container"

    async def _look_for_unfinished(self) -> None:
        """Uploads in parts below the URL that were neither completed nor aborted."""
        unfinished = self._store.powers.unfinished
        if unfinished is None:
            return

        async def begun() -> list[str]:
            times: list[str] = []
            async with aclosing(unfinished.list(self._destination.prefix)) as uploads:
                async for upload in uploads:
                    times.append(upload.begun)
                    if len(times) >= _UNFINISHED:
                        break
            return times

        found, seconds = await timed(begun())
        self.findings.add(place.unfinished(found, seconds, most=_UNFINISHED, now_s=time.time()))

    async def _look_at_quota(self, access: Access, seen: ContainerFacts) -> None:
        if access.look_at_account is None:
            return
        spaces, seconds = await timed(access.look_at_account(seen.policy))
        unseen = spaces if isinstance(spaces, BulkputError) else None
        account = spaces if not isinstance(spaces, BulkputError) else {}
        self.findings.add(place.quota({"container": seen.space, **account}, unseen, seconds))

    def _why_not_written(self) -> str | None:
        if not self._choices.writes:
            return "nothing is written, as asked for"
        if self._store.powers.get_once is None:
            return "nothing is written: this store does not give it back, so the probe could not be removed safely"
        return None

    async def _try(self) -> None:
        """Write a probe, and do with it what uploads and other verbs do with objects."""
        add, wire = self.findings.add, self._choices.wire
        prefix = joined_prefix(self._destination.prefix)
        self._probe = probe = Probe(self._store, self._destination.root, prefix, within_s=wire.timeout_s)
        if not add(await probe.put()):
            return
        add(await probe.get())
        add(await probe.list())
        add(await probe.copy())
        has_static = "slo" in self._info or not self._info
        add(await probe.large(has_static=has_static, takes_static=has_slo(self._info)))
        access = self._store.powers.access
        if access is not None and access.checks is not None:
            add(await probe.checksums(access.checks))
        add(latency(await probe.heads(), in_flight=wire.start))
        add(latency(await probe.puts(), in_flight=wire.start))
        add(await probe.bulk_delete(is_offered=(await self._store.ask_limits()).max_deletes > 1))
        add(await probe.delete())

    async def clean_up(self) -> tuple[str, ...]:
        """Remove what the probe has left. Returns the names of what may still be there."""
        if self._probe is None:
            return ()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLEAN_UP_S):
                await self._probe.remove_all()
                await self._store.undo_prepare()
        left = self._probe.left
        if (finding := holds.cleaned_up(left, expires=self._probe.expires)) is not None:
            self.findings.add(finding)
        return left


def _server(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
