"""The account that a run works in: one token for all workers, and one login at a time."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from copy import copy
from dataclasses import replace

from bulkput.activity import doing
from bulkput.errors import BulkputError, Denied, StoreError, StoreGone, Throttled, Unavailable, UsageError
from bulkput.payload.in_memory import BytesBody
from bulkput.stores.base import StoreContext
from bulkput.stores.status import error_from_transport
from bulkput.stores.swift.login import Login, LoginRequest, Token
from bulkput.transport.base import Answer, TransportError
from bulkput.transport.secrets import without_secrets

_AHEAD_S = 60.0
"""Seconds before its expiry that a token is renewed, or a fifth of its life if that is less. keystoneauth takes 30 s;
more, because a login under load may wait for its retries."""
_MAX_ANSWER = 4 * 1024 * 1024
"""Bytes of a login's answer: Keystone's catalog of a large cloud is longer than other answers."""
_AHEAD_AGAIN_S = 10.0
"""Seconds from a renewal ahead that failed to the next: six in the last minute of a token."""
_YOUNG_S = 60.0
"""A token up to this age, or half its life if that is less, has not expired: a refusal of it is not about its age."""


class Account:
    """The token that all workers share. If several workers find it missing or refused, one login serves them all.

    A token that says how long it lives is renewed before it expires, while the other workers go on with it. That is
    tried once, and again some seconds later: meanwhile the token serves on. All tokens are used at the URL of the
    first: a catalog may list another region first at the next login, and the objects of a run belong in one place.

    Any other login has retries of its own, so objects do not use up theirs. If it fails all the same, it raises Denied,
    StoreGone or UsageError, and nothing that a caller could take for the answer to its own request.
    """

    def __init__(self, login: Login, context: StoreContext, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._login = login
        self._transport = context.transport
        self._again = context.again
        self._warn = context.warn
        self.marks = {"X-Trans-Id-Extra": context.tag} if context.tag is not None else {}
        """Fields that every request carries: Swift appends the tag to the ids of its transactions."""
        self._clock = clock
        self._token = login.given
        self._born_s = -math.inf
        """When the token was asked for, by the clock. A given token is old."""
        self._renew_at_s = math.inf
        self._has_worked = False
        self._forbidden: Token | None = None
        """The token that got a 403 where the one before it did."""
        self._final: StoreError | None = None
        """The final login error. Later callers get it without another login."""
        self._under_way: asyncio.Future[None] | None = None
        """The end of the login that is being made, with its error if that is final."""

    @property
    def place(self) -> str:
        return self._login.place

    async def found_place(self) -> str:
        """`place` as the account itself has it, by a login if need be: the same for every way to log in."""
        return (await self.token()).storage_url if self._login.is_one_of_many else self.place

    @property
    def user(self) -> str:
        return self._login.user

    @property
    def entry_url(self) -> str:
        """Where the first request goes: to the login, or to the store if the token was given."""
        given = self._login.given
        return self._login.url or (given.storage_url if given is not None else "")

    @property
    def cannot_renew(self) -> str | None:
        """Why a refused token cannot be renewed, and what to do; None if a login gives a new one."""
        return self._login.cannot_renew

    async def token(self) -> Token:
        """The present token, by a login where there is none yet or the present one expires soon."""
        if self._token is None:
            return await self._by_login(self._log_in)
        if self._clock() >= self._renew_at_s and self._under_way is None:
            await self._renew_ahead()
        return self._token

    async def handed(self, refused: str | None = None) -> Token:
        """The token for another process, and another than `refused` if that is the present one. Raises what a login
        raises; Denied if a new token would be refused, too."""
        token = await self.token()
        if token.value != refused:
            return token
        other = await self.renewed(token, 401)
        if other is None:
            raise Denied("login", self.user, self.why_refused(token), status=401)
        return other

    async def _renew_ahead(self) -> None:
        """Try once to get the next token. If that fails, a 401 will say when the present one has expired."""
        lives_s, born_s = self._token.lives_s if self._token is not None else None, self._born_s
        try:
            await self._by_login(self._log_in_once)
        except BulkputError as error:
            now_s = self._clock()
            # A login that is refused is not repeated: some servers lock a user out who is refused too often.
            asked_s = error.retry_after_s if isinstance(error, Throttled) else None
            self._renew_at_s = now_s + max(_AHEAD_AGAIN_S, asked_s or 0.0) if error.is_retryable else math.inf
            left_s = max(0.0, born_s + (lives_s or 0.0) - now_s)
            self._warn(f"the token expires in {left_s:.0f} s, and there is no new one yet: {error}")

    async def renewed(self, refused: Token, status: int, *, is_again: bool = False) -> Token | None:
        """A token other than `refused`: another worker's newer one, or one by a new login. None if a new login would
        not help: the token was given, or it is young and this request (`is_again`) was refused before. Then
        `why_refused` says what to do.

        A 403 gets a new login as well, because radosgw answers so to an expired token. If the new token gets it, too,
        it means no, and further ones mean no at once, as long as that token is young.

        Raises Denied, which stops the run, if the first login comes only now and raises UsageError: a token was given.
        """
        if self._token is not refused:
            return self._token
        if self._login.cannot_renew is not None:
            return None
        if (is_again or (status == 403 and refused is self._forbidden)) and self._is_young(refused):
            self._forbidden = refused if status == 403 else self._forbidden
            return None
        if self._final is not None:
            raise copy(self._final)
        try:
            return await self._by_login(self._log_in)
        except UsageError as error:
            self._final = Denied("login", self._login.user, str(error))
            raise self._final from error
        except (Denied, StoreGone) as error:
            self._final = error
            raise

    def why_refused(self, token: Token) -> str:
        """For a 401 to the newest token: what is wrong, and what to do."""
        if (why := self._login.cannot_renew) is not None:
            return why
        if token.lives_s is not None and self._clock() >= self._born_s + token.lives_s:
            return f"tokens live {token.lives_s:g} s here, and the store looks at a request only after that"
        return (
            "the store refuses even a new token: the user has no role that it accepts, it belongs to another cloud than"
            " the login, or its clock is wrong"
        )

    def _is_young(self, token: Token) -> bool:
        young_s = _YOUNG_S if token.lives_s is None else min(_YOUNG_S, token.lives_s / 2)
        return self._clock() < self._born_s + young_s

    async def _by_login(self, log_in: Callable[[], Awaitable[Token]]) -> Token:
        """The first caller logs in; callers that arrive during the login get its outcome. If it was cancelled, or may
        work at the next try, the next of them logs in."""
        present = self._token
        with doing("logging in"):
            while self._under_way is not None:
                try:
                    await asyncio.shield(self._under_way)
                except BulkputError as error:
                    raise copy(error) from error  # a copy each: attempts and traceback are written into it
                if self._token is not None and self._token is not present:
                    return self._token
            self._under_way = under_way = asyncio.get_running_loop().create_future()
            try:
                return await log_in()
            except BulkputError as error:
                if not error.is_retryable:
                    under_way.set_exception(error)
                raise
            finally:
                self._under_way = None
                if not under_way.done():
                    under_way.set_result(None)
                under_way.exception()  # seen, though perhaps nobody waited

    async def _log_in(self) -> Token:
        """Log in, with retries. Raises StoreGone if these are used up, and for an answer that no retry can change: each
        object would get it, after a login of its own."""
        try:
            return await self._again(self._log_in_once, is_first_login=not self._has_worked)
        except StoreError as error:
            if error.stops_run:
                raise
            gone = StoreGone(error.operation, error.key, error.detail, status=error.status, request_id=error.request_id)
            gone.attempts, gone.elapsed_s = error.attempts, error.elapsed_s
            raise gone from error

    async def _log_in_once(self) -> Token:
        began_s = self._clock()
        try:
            token = await self._login.token(self._ask)
        except UsageError as error:
            if not self._has_worked:
                raise
            # The variables were right before: something else answers in the server's place, for a while.
            raise Unavailable("login", self._login.user, f"{error} (it has worked before)") from error
        if not self._has_worked:
            self._look_at(token)
        if self._token is not None and token.storage_url != self._token.storage_url:
            token = replace(token, storage_url=self._token.storage_url)
        self._token, self._has_worked, self._born_s = token, True, began_s
        self._renew_at_s = math.inf
        # A life that has ended already, as some server may say, would have the token renewed at each request.
        if token.lives_s is not None and token.lives_s > 0 and self._login.renews_ahead:
            self._renew_at_s = began_s + token.lives_s - min(_AHEAD_S, token.lives_s / 5)
        return token

    def _look_at(self, token: Token) -> None:
        """Warn of the first token if it is to be sent in the clear."""
        is_named = token.storage_url == self._login.place  # by the user: then it is meant
        if not is_named and self.entry_url.startswith("https://") and token.storage_url.startswith("http://"):
            self._warn(
                f"the login is by https://, and it names {token.storage_url} for the account: the token and all files"
                " can be read on the way. Set OS_STORAGE_URL (in clouds.yaml: storage_url) to its https:// URL, or to"
                " this one if it is meant"
            )

    async def _ask(self, request: LoginRequest) -> Answer:
        try:
            answer = await self._transport.request(
                request.method,
                request.url,
                {**request.headers, **self.marks},
                # No variable holds it: a traceback may show those.
                BytesBody.of(request.body) if request.body is not None else None,
                max_answer=_MAX_ANSWER,
            )
        except TransportError as error:
            # Not `from error`: the cause holds the request as it was sent, with its secrets.
            raise error_from_transport("login", request.url, error, sent=request.hidden) from None
        return without_secrets(answer, request.hidden) if answer.status >= 300 else answer
