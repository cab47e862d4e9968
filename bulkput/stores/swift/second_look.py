"""What has become of a PUT that Swift answered by 201 without proving the bytes: `policy/proof.py` decides, this
acts."""

import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace

from bulkput.errors import IntegrityError, StoreError, UnprovenPut
from bulkput.model import Stored
from bulkput.policy.proof import Fate, FreshHead, prove
from bulkput.stores.powers import Settled
from bulkput.stores.status import error_from_response
from bulkput.stores.swift.wire_format import fresh_head
from bulkput.transport.base import Answer


class SecondLook:
    """At objects of one container, with what it takes of the store's requests."""

    def __init__(
        self,
        fresh_head: Callable[[str], Awaitable[Answer]],
        get: Callable[[str], AsyncGenerator[bytes, None]],
        delete: Callable[[Iterable[str]], Awaitable[None]],
    ) -> None:
        self._fresh_head = fresh_head
        self._get = get
        self._delete = delete

    async def prove(self, key: str, put: UnprovenPut, *, request_id: str | None) -> None:
        """After a 201 whose ETag is not the MD5 that was sent. Returns if the object is right all the same.

        If the answer has no MD5 at all, one HEAD decides, at once. If it has a wrong one, sending again is what may
        help; only when that has come to its end is there a look at what is there (`settle`).

        Raises IntegrityError, and a plain StoreError where sending again would prove no more.
        """
        actual = put.etag
        if actual is None:
            look = await self._look_or_give_up(key, request_id)
            if prove([put], look).fate is Fate.STORED:
                return
            if look is not None and look.md5 is None:
                raise _unproven(key, "a HEAD shows none either", request_id)
            actual = look.md5 if look is not None else None
        raise IntegrityError(
            "put", key, expected=put.md5, actual=actual, status=201, request_id=request_id, unproven_put=put
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
        return fresh_head(answer.headers)

    async def _look_or_give_up(self, key: str, request_id: str | None) -> FreshHead | None:
        """None also where the HEAD fails for the moment: then the object is sent again."""
        try:
            return await self._look(key)
        except StoreError as error:
            if error.is_retryable:
                return None
            raise _unproven(key, f"a HEAD is answered {error.status}", request_id) from None

    async def _not_damaged(self, key: str, look: FreshHead, put: UnprovenPut) -> str:
        """Why the bytes, read back, do not prove that it is damaged; empty if they do."""
        md5 = hashlib.md5(usedforsecurity=False)
        try:
            async with aclosing(self._get(key)) as chunks:
                async for chunk in chunks:
                    md5.update(chunk)
        except IntegrityError:
            pass  # the bytes do not have the ETag's MD5: which one they have is asked here
        found = md5.hexdigest()
        if found == put.md5:
            return "its bytes are right, only its ETag is wrong: something on the way changes ETags"
        return "" if found == look.md5 else "its bytes have another MD5 than its ETag says"


def _is_one(before: FreshHead | None, now: FreshHead | None) -> bool:
    """Whether both are looks at one version. Its age is another at each look."""
    return before is not None and now is not None and replace(before, age_s=None) == replace(now, age_s=None)


def _unproven(key: str, why: str, request_id: str | None) -> StoreError:
    detail = f"stored and kept, but nothing proves its bytes: the 201 has no ETag, and {why} (let the proxy pass ETag)"
    return StoreError("put", key, detail, status=201, request_id=request_id)
