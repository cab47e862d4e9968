"""`RateService`: one cap behind HTTP. The protocol is in the package's docstring."""

import asyncio
import contextlib
import hmac
import json
import re
import signal
from collections.abc import Callable
from dataclasses import field
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from bulkput.policy.shared_cap import Amounts, Lease, SharedCap
from bulkput.record import frozen
from bulkput.transport.listening import Address, listening

_NAME = re.compile(r"[A-Za-z0-9._:-]{1,100}")
_MOST = 2**53
"""The largest whole number that every reader of JSON keeps."""
_LARGEST_ASK = 4096
_GRACE_S = 0.2
"""Seconds for requests in flight when the service ends: those that wait for a lease would wait for it."""
_NOTHING = Lease(0, 0, 0.1)


@frozen(kw_only=True)
class RateServiceOptions:
    """The cap, and where the service listens. At least one rate is a number. Port 0 is any free one."""

    objects_per_s: float | None = None
    bytes_per_s: float | None = None
    host: str = "127.0.0.1"
    port: int = 0
    token: str | None = field(default=None, repr=False)
    """What each request must show. None: who reaches the service may ask."""


class RateService:
    """`async with RateService(options) as service:` listens until the block ends. Entering raises UsageError if
    nothing can listen there."""

    def __init__(self, options: RateServiceOptions) -> None:
        self._options = options
        self._cap = SharedCap(options.objects_per_s, options.bytes_per_s)
        self._waiting: dict[str, asyncio.Future[Lease]] = {}
        """The asks that wait for the next slot, by the name of what asks."""
        self._timer: asyncio.TimerHandle | None = None
        self._exits = contextlib.AsyncExitStack()
        self.port = options.port

    @property
    def url(self) -> str:
        host = self._options.host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_LARGEST_ASK, middlewares=[self._check])
        app.router.add_post("/lease", self._lease)
        app.router.add_get("/", self._status)
        async with contextlib.AsyncExitStack() as exits:
            # In a thread: the name of the host is looked up.
            listener = await asyncio.to_thread(listening, Address(self._options.host, self._options.port))
            exits.callback(listener.close)
            # A run that dies closes its connection: its ask must not get a share.
            runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=_GRACE_S)
            await runner.setup()
            exits.push_async_callback(runner.cleanup)
            exits.callback(self._end)
            await web.SockSite(runner, listener).start()
            self.port = listener.getsockname()[1]
            self._exits = exits.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exits.aclose()

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    @web.middleware
    async def _check(self, request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        """Refuse web pages and those without the token, and turn mistakes into sentences."""
        if "Origin" in request.headers or "Sec-Fetch-Site" in request.headers:
            # A browser sends them with what a page asks of another server: any page could use up the rate.
            return _error(403, "this service of a shared rate is not for web pages")
        if self._options.token is not None:
            shown = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
            wanted = f"Bearer {self._options.token}".encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(shown, wanted):
                answer = _error(401, "this service of a shared rate wants its token: set BULKPUT_RATE_TOKEN")
                answer.headers["WWW-Authenticate"] = "Bearer"
                return answer
        try:
            answered: web.StreamResponse = await handler(request)
        except web.HTTPException as error:  # no such path, another method, an ask that is too long
            return _error(error.status, error.reason)
        return answered

    async def _lease(self, request: web.Request) -> web.Response:
        try:
            run, name, wants = _parsed(await request.read())
        except ValueError as error:
            return _error(400, str(error))
        now_s = asyncio.get_running_loop().time()
        if (earlier := self._waiting.pop(name, None)) is not None and not earlier.done():
            earlier.set_result(_NOTHING)
        lease = self._cap.ask(name, wants, now_s, run_of=run)
        if lease is None:
            lease = await self._next_slot(name)
        return web.json_response(
            {"objects": lease.objects, "bytes": lease.bytes, "for_s": round(lease.for_s, 6), "cap": self._cap_json()}
        )

    async def _next_slot(self, name: str) -> Lease:
        mine: asyncio.Future[Lease] = asyncio.get_running_loop().create_future()
        self._waiting[name] = mine
        self._set_timer()
        try:
            return await mine
        finally:
            if self._waiting.get(name) is mine:  # cancelled: the run has closed its connection
                del self._waiting[name]
                self._cap.leave(name)

    def _set_timer(self) -> None:
        if self._timer is None and (at_s := self._cap.next_slot_s) is not None:
            self._timer = asyncio.get_running_loop().call_at(at_s, self._begin_slot)

    def _begin_slot(self) -> None:
        self._timer = None
        for name, lease in self._cap.begin_slot(asyncio.get_running_loop().time()).items():
            if (waiting := self._waiting.pop(name, None)) is not None and not waiting.done():
                waiting.set_result(lease)
        self._set_timer()

    async def _status(self, _request: web.Request) -> web.Response:
        runs = [
            {
                "run": each.run,
                "processes": each.processes,
                "wants": _amounts_json(each.wants) if each.wants is not None else None,
                "last_second": _amounts_json(each.last_second),
                "total": _amounts_json(each.total),
                "idle_s": round(each.idle_s, 3),
            }
            for each in self._cap.status(asyncio.get_running_loop().time())
        ]
        return web.json_response({"cap": self._cap_json(), "runs": runs})

    def _cap_json(self) -> dict[str, float | None]:
        return {"objects_per_s": self._cap.objects_per_s, "bytes_per_s": self._cap.bytes_per_s}


async def serve(options: RateServiceOptions, *, ready: Callable[[RateService], None]) -> None:
    """Run a service until SIGINT or SIGTERM; call `ready` once it listens.

    Raises UsageError if nothing can listen there. Returns normally after a signal; on Windows Ctrl-C raises
    KeyboardInterrupt instead. While it runs, it replaces the handlers of both signals.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    handled: list[signal.Signals] = []
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):  # Windows: see the docstring
                loop.add_signal_handler(number, stop.set)
                handled.append(number)
        async with RateService(options) as service:
            ready(service)
            await stop.wait()
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


def _parsed(body: bytes) -> tuple[str, str, Amounts]:
    """The ask in a request's body: the run, what asks for it, and for how much. Raises ValueError, with a sentence, if
    it is none."""
    try:
        ask = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("the ask is no JSON") from None
    if not isinstance(ask, dict):
        raise ValueError("the ask is no JSON object")  # noqa: TRY004 - a mistake of the client
    run, process = _name(ask, "run"), _name(ask, "process") if "process" in ask else None
    asker = run if process is None else f"{run} {process}"  # no name has a space
    return run, asker, Amounts(_whole(ask, "objects"), _whole(ask, "bytes"))


def _name(ask: dict[str, Any], field: str) -> str:
    value = ask.get(field)
    if not isinstance(value, str) or _NAME.fullmatch(value) is None:
        raise ValueError(f"{field} is 1 to 100 letters, digits and ._:-")
    return value


def _whole(ask: dict[str, Any], name: str) -> int:
    value = ask.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
        raise ValueError(f"{name} is a whole number from 0 to {_MOST}")
    return value


def _amounts_json(amounts: Amounts) -> dict[str, int]:
    return {"objects": amounts.objects, "bytes": amounts.bytes}


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)
