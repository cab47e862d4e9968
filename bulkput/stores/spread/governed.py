"""Keeps the rate of each container: the wrapper of a store whose containers have one.

What Swift's ratelimit middleware counts is what waits here: each request that writes or removes an object, by the
container of that object. A copy counts at its destination, a part of a large object in the container of the segments.
Looks, listings and downloads do not count.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from bulkput.errors import StoreError, Throttled
from bulkput.model import Body, LargeUpload, ObjectHeaders, Stored, StoredPart
from bulkput.stores.base import Store
from bulkput.stores.powers import Copy, SendPart
from bulkput.stores.spread.each import each
from bulkput.stores.spread.governor import Governor
from bulkput.stores.wrapper import Wrapper
from bulkput.transport.pacing import paying_again

T = TypeVar("T")
Governed = Callable[[Store], Store]
"""Puts a GovernedStore around a store."""
DeleteMany = Callable[[tuple[str, ...]], Awaitable[tuple[str, ...]]]
_WRITES = frozenset(("put", "complete", "expire", "delete"))
_PAID_AGAIN = frozenset(("PUT", "DELETE", "POST", "COPY"))


class GovernedStore(Wrapper):
    """Waits for the turn of a request at its container, without a slot; each retry waits again."""

    def __init__(
        self, store: Store, governor: Governor, container_of: Callable[[str], str], containers: tuple[str, ...]
    ) -> None:
        """`container_of` gives the container of an object, `containers` are all of the store's own."""
        super().__init__(store)
        self._governor = governor
        self._container_of = container_of
        self._containers = containers
        self._has_asked = False
        delete_many, copy = store.powers.delete_many, store.powers.copy
        self.powers = replace(
            self.powers,
            delete_many=self._counted(delete_many) if delete_many is not None else None,
            copy=self._copying(copy) if copy is not None else None,
        )

    def _beside(self, container: str) -> Store:
        beside = self._store.powers.beside
        if beside is None:
            return super()._beside(container)
        return GovernedStore(beside(container), self._governor, lambda _key: container, (container,))

    def _around_another(self, store: Store) -> Store:
        raise AssertionError("a store beside this one is made where its container is known")

    async def prepare(self) -> None:
        await super().prepare()
        if not self._has_asked:
            self._has_asked = True
            with suppress(StoreError):  # refusals will teach what the store does not say
                await self._ask_rates()

    async def _ask_rates(self) -> None:
        """Learn what the cluster says of its limits. Only a cluster that limits containers is asked for what each one
        holds, since its limit depends on that."""
        look = self._store.powers.look_at_container
        if look is None or not (steps := (await self._store.ask_limits()).container_rates):
            return
        objects: dict[str, int] = {}

        async def ask(container: str) -> None:
            with suppress(StoreError):
                objects[container] = (await look(container)).space.objects or 0

        await each(ask, self._containers)
        self._governor.know(steps, objects)

    async def put(self, key: str, body: Body, headers: ObjectHeaders) -> Stored:
        return await self._governed(self._container_of(key), lambda: self._store.put(key, body, headers))

    async def _around(self, operation: str, key: str, call: Callable[[], Awaitable[T]]) -> T:
        return await self._governed(self._container_of(key), call) if operation in _WRITES else await call()

    def _sending(self, send_part: SendPart) -> SendPart:
        async def sent(upload: LargeUpload, number: int, body: Body) -> StoredPart:
            # Parts that are objects of their own have their container in the id of the upload.
            are_objects = self._store.powers.segment_names is not None
            container = upload.id.partition("/")[0] if are_objects else self._container_of(upload.key)
            return await self._governed(container, lambda: send_part(upload, number, body))

        return sent

    def _copying(self, copy: Copy) -> Copy:
        async def copied(source: str, container: str, key: str, headers: ObjectHeaders, size: int) -> Stored:
            return await self._governed(container, lambda: copy(source, container, key, headers, size))

        return copied

    async def delete(self, keys: Iterable[str]) -> None:
        every = tuple(keys)
        await self._counting(every, lambda: self._store.delete(every))

    def _counted(self, delete_many: DeleteMany) -> DeleteMany:
        async def counted(keys: tuple[str, ...]) -> tuple[str, ...]:
            return await self._counting(keys, lambda: delete_many(keys))

        return counted

    async def _counting(self, keys: tuple[str, ...], call: Callable[[], Awaitable[T]]) -> T:
        """Await `call` when the containers of all these objects have their turn."""
        if len(keys) == 1:
            return await self._governed(self._container_of(keys[0]), call)
        await self._governor.admit(*Counter(map(self._container_of, keys)).items())
        return await call()

    async def _governed(self, container: str, call: Callable[[], Awaitable[T]]) -> T:
        governor = self._governor
        await governor.admit((container, 1))
        try:
            with paying_again(lambda method: governor.charge(container) if method in _PAID_AGAIN else None):
                return await call()
        except Throttled as error:
            governor.refused(container, error.retry_after_s)
            raise
