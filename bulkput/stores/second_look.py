"""Checks an object after a PUT whose answer is a success, but does not prove the bytes. `policy/proof.py` decides, this
module sends the requests."""

import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace

from bulkput.errors import IntegrityError, StoreError, UnprovenPut
from bulkput.model import Stored
from bulkput.policy.proof import Fate, FreshHead, prove
from bulkput.stores.powers import Settled
from bulkput.stores.status import error_from_response
from bulkput.transport.base import Answer


class SecondLook:
    """Checks objects of one container. It gets the store's functions for a HEAD (past caches, and of a link itself), a
    GET and a DELETE. `shown` says what the answer to the HEAD shows."""

    def __init__(
        self,
        fresh_head: Callable[[str], Awaitable[Answer]],
        get: Callable[[str], AsyncGenerator[bytes, None]],
        delete: Callable[[Iterable[str]], Awaitable[None]],
        *,
        shown: Callable[[Mapping[str, str]], FreshHead],
    ) -> None:
        self._shown = shown
        self._fresh_head = fresh_head
        self._get = get
        self._delete = delete

    async def prove(self, key: str, put: UnprovenPut, answer: Answer, *, request_id: str | None) -> None:
        """Check an object after `answer`, a success whose ETag is not the MD5 that was sent. Returns if the object is
        right.

        If the answer has no MD5, one HEAD decides at once. If it has a wrong MD5, the PUT is retried first; the stored
        object is checked only after the last attempt (`settle`).

        Raises IntegrityError if a retry may help, a plain StoreError if a retry would prove no more.
        """
        actual = put.etag
        if actual is None:
            look = await self._look_or_give_up(key, answer.status, request_id)
            if prove([put], look).fate is Fate.STORED:
                return
            if look is not None and look.md5 is None:
                raise _unproven(key, "a HEAD shows none either", answer.status, request_id)
            actual = look.md5 if look is not None else None
        raise IntegrityError(
            "put",
            key,
            expected=put.md5,
            actual=actual,
            status=answer.status,
            request_id=request_id,
            unproven_put=put,
        )

    async def settle(self, key: str, puts: Sequence[UnprovenPut], *, within_s: float) -> Settled:
        """See `stores/powers.py`."""
        look = await self._look(key)
        proof = prove(puts, look, within_s=within_s)
        why = proof.why
        match proof.fate:
            case Fate.STORED:
                return Settled(Stored(key, puts[-1].size, puts[-1].md5, None))
            case Fate.GONE:
                return Settled(None, "nothing is stored under this name")
            case Fate.DAMAGED if look is not None:
                why = await self._not_damaged(key, look, puts[-1])
        if not why and not _is_one(look, await self._look(key)):  # reading it back takes its time
            why = "it was written to while it was read back"
        if why:
            return Settled(None, f"the object that is there is kept: {why}")
        await self._delete((key,))
        return Settled(None, "the damaged object is removed")

    async def _look(self, key: str) -> FreshHead | None:
        answer = await self._fresh_head(key)
        if answer.status == 404:
            return None
        if answer.status not in (200, 204):
            raise error_from_response("stat", key, answer)
        return self._shown(answer.headers)

    async def _look_or_give_up(self, key: str, status: int, request_id: str | None) -> FreshHead | None:
        """None if nothing is stored, or if the HEAD fails temporarily: then the object is sent again."""
        try:
            return await self._look(key)
        except StoreError as error:
            if error.is_retryable:
                return None
            raise _unproven(key, f"a HEAD is answered {error.status}", status, request_id) from None

    async def _not_damaged(self, key: str, look: FreshHead, put: UnprovenPut) -> str:
        """Read the object back. Returns why its bytes do not prove damage; empty if they prove it."""
        md5 = hashlib.md5(usedforsecurity=False)
        try:
            async with aclosing(self._get(key)) as chunks:
                async for chunk in chunks:
                    md5.update(chunk)
        except IntegrityError:
            pass  # the bytes do not have the ETag's MD5; compared below with the MD5 that was sent
        found = md5.hexdigest()
        if found == put.md5:
            return "its bytes are right, only its ETag is wrong: something on the way changes ETags"
        return "" if found == look.md5 else "its bytes have another MD5 than its ETag says"


def _is_one(before: FreshHead | None, now: FreshHead | None) -> bool:
    """Whether both HEADs show the same version. The age is ignored: it grows between them."""
    return before is not None and now is not None and replace(before, age_s=None) == replace(now, age_s=None)


def _unproven(key: str, why: str, status: int, request_id: str | None) -> StoreError:
    detail = (
        f"stored and kept, but nothing proves its bytes: the answer has no ETag, and {why} (let the proxy pass ETag)"
    )
    return StoreError("put", key, detail, status=status, request_id=request_id)
