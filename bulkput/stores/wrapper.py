"""What all wrappers of a store share: every operation passes through one method of theirs."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable
from dataclasses import replace
from functools import partial
from typing import ParamSpec, TypeVar

from bulkput.activity import doing
from bulkput.errors import Unsupported
from bulkput.model import Body, Limits, ObjectHeaders, Prefix, RemoteObject, Stored
from bulkput.stores.base import Store
from bulkput.stores.powers import Composing, LargeObjects, Powers, SendPart, Unfinished

P = ParamSpec("P")
T = TypeVar("T")


class Wrapper(ABC):
    """Passes every operation through `_around`, which each wrapper implements.

    Listings and downloads bypass it: a slow consumer must not hold a slot.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        has = store.powers
        self.powers = Powers(
            checks_md5=has.checks_md5,
            shows_md5=has.shows_md5,
            needs_length=has.needs_length,
            storage_classes=has.storage_classes,
            stat_itself=self._power("stat", has.stat_itself),
            segments=self._power("manifest", has.segments),
            segments_below=self._power("list", has.segments_below),
            stat_part=self._power("stat", has.stat_part),
            settle=self._power("settle", has.settle),
            expire=self._power("expire", has.expire),
            get=has.get,
            get_once=has.get_once,
            fetch=self._power("get", has.fetch),
            read=has.read,
            link=self._power("put", has.link),
            describe=self._power("stat", has.describe),
            delete_many=self._power("delete", has.delete_many),
            make_directory=self._power("put", has.make_directory),
            check_removable=self._power("delete", has.check_removable),
            copy=self._power("copy", has.copy, key_at=2),
            rehearse=partial(self._around, "prepare", "", has.rehearse) if has.rehearse else None,
            refuses_existing=partial(self._around, "info", "", has.refuses_existing) if has.refuses_existing else None,
            large=self._large(has.large) if has.large is not None else None,
            beside=self._beside if has.beside is not None else None,
            composing=self._composing(has.composing),
            containers=self._power("list", has.containers),
            look_at_container=self._power("stat", has.look_at_container),
            segment_names=has.segment_names,
            unfinished=self._unfinished(has.unfinished),
            part_sizes=self._power("stat", has.part_sizes),
            found_place=has.found_place,
            access=has.access,
            urls=has.urls and replace(has.urls, is_public=partial(self._around, "stat", "", has.urls.is_public)),
            hand_over=has.hand_over,
            left_out=has.left_out,
            temporary_url=self._power("sign", has.temporary_url),
        )

    def _large(self, has: LargeObjects) -> LargeObjects:
        return replace(
            has,
            begin=self._passed("begin", has.begin),
            list_parts=self._passed("list parts", has.list_parts),
            send_part=self._sending(has.send_part),
            complete=self._passed("complete", has.complete),
            abort=self._passed("abort", has.abort),
            open=self._power("begin", has.open),
        )

    def _unfinished(self, has: Unfinished | None) -> Unfinished | None:
        if has is None:
            return None
        return replace(has, parts=self._passed("list parts", has.parts), abort=self._passed("delete", has.abort))

    def _sending(self, send_part: SendPart) -> SendPart:
        return self._passed("part", send_part)

    def _power(
        self, operation: str, power: Callable[P, Awaitable[T]] | None, *, key_at: int = 0
    ) -> Callable[P, Coroutine[None, None, T]] | None:
        """`power`, called through `_around`; None if the wrapped store lacks it."""
        return self._passed(operation, power, key_at=key_at) if power is not None else None

    def _passed(
        self, operation: str, power: Callable[P, Awaitable[T]], *, key_at: int = 0
    ) -> Callable[P, Coroutine[None, None, T]]:
        """`power`, called through `_around`. Argument number `key_at` is the key, or a tuple of keys, of which the
        first is reported."""

        async def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
            key = args[key_at]
            return await self._around(
                operation, key[0] if isinstance(key, tuple) else str(key), lambda: power(*args, **kwargs)
            )

        return wrapped

    def _beside(self, container: str) -> Store:
        beside = self._store.powers.beside
        if beside is None:
            raise Unsupported("open", container, "this store has one container")
        return self._around_another(beside(container))

    @abstractmethod
    def _around_another(self, store: Store) -> Store:
        """A wrapper of this kind around another store of the same run, which shares its limits."""

    def _composing(self, has: Composing | None) -> Composing | None:
        if has is None or (compose := self._power("put", has.compose)) is None:
            return None
        return replace(has, compose=compose, prepare=partial(self._around, "prepare", "", has.prepare))

    @property
    def limits(self) -> Limits:
        return self._store.limits

    @property
    def place(self) -> str:
        return self._store.place

    @property
    def was_made(self) -> bool:
        return self._store.was_made

    @property
    def keeps_metadata(self) -> bool:
        return self._store.keeps_metadata

    @abstractmethod
    async def _around(self, operation: str, key: str, call: Callable[[], Awaitable[T]]) -> T: ...

    async def prepare(self) -> None:
        with doing("preparing the store"):
            await self._around("prepare", "", self._store.prepare)

    async def undo_prepare(self) -> None:
        await self._around("undo_prepare", "", self._store.undo_prepare)

    @abstractmethod
    async def put(self, key: str, body: Body, headers: ObjectHeaders) -> Stored:
        """Each wrapper has its own `put`, since it runs for every object: through `_around`, it would cost three times
        as many coroutines."""

    def list(
        self, prefix: str, *, delimiter: str | None = None, start_after: str | None = None
    ) -> AsyncGenerator[RemoteObject | Prefix, None]:
        return self._store.list(prefix, delimiter=delimiter, start_after=start_after)

    async def delete(self, keys: Iterable[str]) -> None:
        # A tuple, because an iterator would be empty at the second attempt.
        every = tuple(keys)
        await self._around("delete", every[0] if every else "", lambda: self._store.delete(every))

    async def stat(self, key: str) -> RemoteObject | None:
        return await self._around("stat", key, lambda: self._store.stat(key))

    async def ask_limits(self) -> Limits:
        with doing("asking for the store's limits"):
            return await self._around("info", "", self._store.ask_limits)

    async def aclose(self) -> None:
        await self._store.aclose()
