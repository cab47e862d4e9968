"""The HTTP side: finds what a request is aimed at, checks its token, and calls the function that answers it.

`Intercept` is a layer around the handler: it gets every request and the handler itself, so it can answer instead, delay
the request, or change the answer. It cannot change a GET of an object, which is sent before the handler returns.
"""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from .accounts import PLAIN, log_in, serve_account, tell_limits
from .call import Call
from .caps import Caps
from .containers import serve_container
from .objects import serve_object
from .options import DevServerOptions
from .reports import Heartbeat
from .rules import Refused
from .store import ContainerStore
from .target import ResourceKind, parse_target
from .tokens import Tokens
from .traffic import Traffic

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Intercept = Callable[[web.BaseRequest, Handler], Awaitable[web.StreamResponse]]


class App:
    """Answers requests from a store. `local_host` (HOST:PORT) serves clients that send no Host header."""

    def __init__(self, options: DevServerOptions, store: ContainerStore, *, local_host: str = "") -> None:
        self.options = options
        self.store = store
        self.local_host = local_host
        self.tokens = Tokens(options)
        self.traffic = Traffic()
        self.caps = Caps(options.container_rate)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request. Every answer carries X-Trans-Id."""
        target = parse_target(request.raw_path)
        verb, kind = request.method, target.kind
        self.traffic.arrived(verb, kind)
        call = Call(request, target, self.traffic)
        status = 0
        try:
            response = await self._answer(call)
            status = response.status
            return response
        finally:
            self.traffic.answered(verb, kind, status)

    async def _answer(self, call: Call) -> web.StreamResponse:
        verb, kind = call.request.method, call.target.kind
        wait = self.options.latency.of(verb) if kind is ResourceKind.OBJECT else 0.0
        # A PUT waits after its body is stored, so a client that gives up finds the object there. The others wait
        # before they are served, because a GET is sent while it is served.
        if wait and verb != "PUT":
            await asyncio.sleep(wait)
        try:
            response = await self._serve(call)
        except Refused as refused:
            response = call.refusal(refused.status, refused.text, refused.headers)
        if wait and verb == "PUT":
            await (response.beat(wait) if isinstance(response, Heartbeat) else asyncio.sleep(wait))
        return response

    async def _serve(self, call: Call) -> web.StreamResponse:
        target, options = call.target, self.options
        if target.kind is ResourceKind.OBJECT:
            self._admit(call)
            self.caps.admit(call.request.method, target.container)
            return await serve_object(call, self.store, options)
        match target.kind:
            case ResourceKind.AUTH:
                return log_in(call, self.tokens, options.account, self.local_host)
            case ResourceKind.INFO:
                return tell_limits(call, options)
            case ResourceKind.HEALTH:
                return call.answer(200, PLAIN, body=b"OK")
            case ResourceKind.OTHER:
                raise Refused(412 if target.error else 404, target.error or "The resource could not be found.")
        self._admit(call)
        if target.kind is ResourceKind.CONTAINER:
            return await serve_container(call, self.store, options.limits)
        return serve_account(call, self.store, options.limits)

    def _admit(self, call: Call) -> None:
        """Raises Refused: 401 without a valid token, 403 for another account (tempauth.py, authorize)."""
        headers = call.headers
        if not self.tokens.accepts(headers.get("X-Auth-Token") or headers.get("X-Storage-Token")):
            realm = (("Www-Authenticate", f'Swift realm="{self.options.account}"'),)
            raise Refused(401, "This server could not verify that you may access the document.", realm)
        if call.target.account != self.options.account:
            raise Refused(403, "Access was denied to this resource.")
