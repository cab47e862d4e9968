"""Sends one file or stream in parts, as a large object. It knows files, parts and what proves them, and no store.

    file ──offsets──────────┐
                            ├──> parts ──> there already, and proven? ──no──> send ──> all there ──> complete
    stream ──held parts─────┘                                         ──yes──────────┘

Parts pass the same slots, retries and rates as everything else. What proves a part that the store has already stands in
`generation.py`. If it has other bytes, it is not replaced: an object that exists may be composed of it. Then all parts
are sent under names of their own, in the next generation.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Container, Sequence
from contextlib import aclosing
from functools import partial
from itertools import count
from typing import NamedTuple, Protocol

from bulkput import events as ev
from bulkput.engine.stop import Stop
from bulkput.engine.upload.earlier import EarlierUploads, UploadsInJournal
from bulkput.engine.upload.generation import DifferentBytesError, Generation, Item, KnownParts, Parts
from bulkput.errors import Exists, PartsInVain, PartsRefused, SourceError, StoreError, TooLarge, Unsupported
from bulkput.model import Stored, Upload
from bulkput.options import LargeOptions
from bulkput.payload.held import HeldBytes, HeldPart, held_parts
from bulkput.payload.source_body import Streamed
from bulkput.policy import parts as policy
from bulkput.policy.layout import Layout
from bulkput.stores.base import Store

_ROUNDS = 3
"""How often the parts of a file are gone through, in all generations together, if the store does not find all of them
when it composes the object."""


class Stream(Protocol):
    """Bytes whose number is not known before they end."""

    @property
    def version(self) -> str:
        """Names the bytes."""

    @property
    def comes_again(self) -> bool:
        """Whether each call of `chunks` gives the same bytes. Else there is one call."""

    @property
    def longest(self) -> int | None:
        """It has hardly more bytes than this; None if nothing is known."""

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Raises SourceError."""

    async def announced(self) -> Upload:
        """The upload, with the headers as far as they can be known before the end. Raises SourceError."""

    def finish(self) -> Upload:
        """The upload, with the headers that fit what `chunks` has given to its end. Raises SourceError."""


class LargeSent(NamedTuple):
    """What was sent: in how many parts (0: as a plain object), and how many bytes of it the store had already."""

    upload: Upload
    stored: Stored
    parts: int = 0
    found_bytes: int = 0


class LargeSender:
    """Sends the large files and the streams of one run."""

    def __init__(
        self,
        store: Store,
        options: LargeOptions,
        *,
        emit: ev.Emit,
        stop: Stop,
        known: KnownParts,
        journalled: UploadsInJournal,
    ) -> None:
        """`known` and `journalled` are what the journal has of earlier runs: parts, and uploads in parts."""
        self._earlier = EarlierUploads(store, journalled, emit=emit)
        self._store = store
        self._options = options
        self._emit = emit
        self._stop = stop
        self._known = known
        self._room = HeldBytes(options.held)

    async def takes(self, size: int, layout: Layout | None = None) -> bool:
        """Whether a file of `size` bytes is sent in parts. If it may be, the store is asked for its limits, once in a
        run. Raises StoreError, Stopped."""
        store, options = self._store, self._options
        stays = layout is not None and layout.is_large and policy.keeps(layout, options, store.limits)
        if store.powers.large is None or not (stays or policy.is_large(size, options, store.limits)):
            return False
        limits = await store.ask_limits()
        return policy.is_large(size, options, limits) or (stays and policy.keeps(layout, options, limits))

    async def settle(self, upload: Upload) -> None:
        """Remove what earlier runs have left of a file that is stored whole."""
        await self._earlier.settle(upload.source.path, upload.key)

    async def send_file(self, upload: Upload, file: Streamed, *, below: str | None = None) -> LargeSent:
        """Send a file that `takes` has taken. `below` is the prefix of the dynamic large object that is overwritten.

        Raises SourceError, StoreError, Stopped.
        """
        cut = policy.cut(file.size, self._options, await self._store.ask_limits(), file.layout)
        progress = _Progress(upload.source.path, self._emit, file.size)

        async def parts(numbers: Container[int] | None = None) -> AsyncGenerator[Item, None]:
            for part in cut:
                if numbers is None or part.number in numbers:
                    yield Item(part.number, file.part(part.offset, part.size, progress.of(part.number)))

        async def finish(md5s: Sequence[str]) -> Upload:
            await file.prove([part.size for part in cut], md5s)
            return upload

        mtime_ns = file.version.mtime_ns
        version = policy.version(mtime_ns, cut)
        known, state = (self._known, file.version.state) if policy.identifies(file.version.changed_ns) else (None, "")
        return await self._send(
            upload, version, parts, finish, progress, cut=cut, known=known, state=state, below=below
        )

    async def send_stream(self, upload: Upload, stream: Stream, *, below: str | None = None) -> LargeSent:
        """Send what `stream` gives: in one request if it ends within the first part. `below` as for `send_file`.

        Raises like `send_file`; TooLarge if the store does not take as many parts, Unsupported if it takes none.
        """
        limits, expected = await self._store.ask_limits(), self._options.expect_size
        if expected is not None and expected > limits.max_total_bytes:
            raise TooLarge("put", upload.key, f"`large.expect_size`: the store takes {limits.max_total_bytes} bytes")
        progress = _Progress(upload.source.path, self._emit, expected)

        def held() -> AsyncGenerator[HeldPart, None]:
            size_of = partial(policy.stream_part_size, options=self._options, limits=limits, longest=stream.longest)
            return held_parts(stream.chunks(), size_of, self._room)

        async def finish(_md5s: Sequence[str]) -> Upload:
            return stream.finish()

        rest = held()
        async with aclosing(rest):
            first = await anext(rest)
            try:
                if first.is_last:
                    whole = stream.finish()
                    stored = await self._store.put(whole.key, first, whole.headers)
                    await self.settle(whole)
                    return LargeSent(whole, stored)
                if (large := self._store.powers.large) is None:
                    raise Unsupported("put", upload.key, _NO_PARTS.format(size=first.size))
                if large.fixes_headers:
                    upload = await stream.announced()
                begun = [_joined(first, rest)]

                def parts(numbers: Container[int] | None = None) -> AsyncGenerator[Item, None]:
                    return _numbered(begun.pop() if begun else held(), upload.key, limits.max_parts, progress)

                return await self._send(
                    upload,
                    stream.version,
                    parts,
                    finish,
                    progress,
                    below=below,
                    comes_again=stream.comes_again,
                )
            finally:
                first.release()

    async def _send(
        self,
        upload: Upload,
        version: str,
        parts: Parts,
        finish: Callable[[Sequence[str]], Awaitable[Upload]],
        progress: "_Progress",
        *,
        below: str | None,
        cut: policy.Cut | None = None,
        known: KnownParts | None = None,
        state: str = "",
        comes_again: bool = True,
    ) -> LargeSent:
        """Send the parts that the store does not have, and compose the object. `parts` gives all of them, at each call
        if they come again; `cut` says where they are in a file. `finish` gets the MD5s of all. Raises StoreError if a
        dynamic large object of `below` would contain them."""
        large = self._store.powers.large
        if large is None:
            raise AssertionError("the caller has checked that the store takes parts")
        refused, version = 0, policy.living(version, upload.headers)
        for generation in count():
            named = version + (f"-{generation}" if generation else "")
            begun = await large.begin(upload.key, named, upload.headers)
            if below is not None and begun.id != below and begun.id.startswith(below):
                raise StoreError("put", upload.key, _WITHIN.format(below=below))
            sending = Generation(
                large,
                begun,
                (upload.source.path, state),
                self._emit,
                self._stop,
                known=known,
                refused=refused,
                earlier=self._earlier,
            )
            if comes_again:
                await sending.look()
            try:
                sent = await self._rounds(sending, parts, finish, cut, rounds=_ROUNDS if comes_again else 1)
            except DifferentBytesError:
                sending.tell_what_is_left(is_resumed=False)
                refused = sending.refused
                progress.begin_again()
            except Exists as error:
                if not comes_again and await sending.is_aborted(error):
                    raise
                tell = partial(sending.tell_what_is_left, is_resumed=comes_again)
                if not upload.headers.only_new:
                    tell()
                else:  # an earlier attempt may have composed the object: then they are not left
                    error.in_vain = PartsInVain(sending.count, sending.size, sending.found_bytes, tell)
                raise
            except BaseException as error:
                await _give_up(sending, error, comes_again=comes_again)
                raise
            else:
                await sending.settle_others()
                return sent
        raise AssertionError("one of the generations returns or raises")

    async def _rounds(
        self,
        sending: Generation,
        parts: Parts,
        finish: Callable[[Sequence[str]], Awaitable[Upload]],
        cut: policy.Cut | None,
        *,
        rounds: int,
    ) -> LargeSent:
        at_once = self._options.parts_at_once
        while True:
            if cut is not None:
                await sending.prove(parts, cut, at_once)
            async with aclosing(parts()) as items:
                await sending.send_missing(items, at_once)
            upload = await finish(sending.md5s)
            try:
                stored = await sending.complete(upload)
            except PartsRefused as error:
                sending.refused += 1
                if sending.refused >= rounds:
                    raise
                self._emit(ev.Retrying(error, sending.refused, 0.0))
                await sending.look()
            else:
                return LargeSent(upload, stored, sending.count, sending.found_bytes)


async def _give_up(sending: Generation, error: BaseException, *, comes_again: bool) -> None:
    """Remove what has been sent in vain, if it can be, and tell what stays."""
    has_changed = isinstance(error, SourceError) and error.problem == "changed"
    is_resumed = comes_again and not has_changed
    is_gone = False
    try:
        is_in_vain = not comes_again or sending.is_of_no_use(is_resumed=is_resumed)
        is_gone = is_in_vain and await sending.is_aborted(error)
    finally:  # also if there is no time left to remove them
        if not is_gone:
            sending.tell_what_is_left(is_resumed=is_resumed)


class _Progress:
    """Adds up how much of the parts is sent, for one event per piece."""

    def __init__(self, path: bytes, emit: ev.Emit, size: int | None = None) -> None:
        """`size` is that of all parts; None if it is not known."""
        self._path = path
        self._size = size
        self._emit = emit
        self._by_part: dict[int, tuple[int, float]] = {}
        self._sent, self._read_s = 0, 0.0

    def of(self, number: int) -> Callable[[int, float], None]:
        """Takes the bytes sent so far in the present attempt at a part, and the seconds that reading them took."""

        def sent(size: int, read_s: float) -> None:
            size_before, read_before_s = self._by_part.get(number, (0, 0.0))
            self._by_part[number] = size, read_s
            self._sent += size - size_before
            self._read_s += read_s - read_before_s
            self._emit(ev.Streaming(self._path, self._sent, self._read_s, self._size))

        return sent

    def begin_again(self) -> None:
        self._by_part.clear()
        self._sent, self._read_s = 0, 0.0


async def _joined(first: HeldPart, rest: AsyncGenerator[HeldPart, None]) -> AsyncGenerator[HeldPart, None]:
    yield first
    async for part in rest:
        yield part


async def _numbered(
    parts: AsyncGenerator[HeldPart, None], key: str, most: int, progress: _Progress
) -> AsyncGenerator[Item, None]:
    async with aclosing(parts):
        number = 0
        async for part in parts:
            number += 1
            if number > most:
                part.release()
                raise TooLarge("put", key, f"it has more than {most} parts, the store's limit: {_GIVE_SIZE}")
            yield Item(number, part, partial(_released, part, progress.of(number)))


def _released(part: HeldPart, told: Callable[[int, float], None]) -> None:
    told(part.size, 0.0)
    part.release()


_WITHIN = (
    "the dynamic large object of this name consists of all that is below {below}, where the parts of the new one would"
    " be: remove it first, or name another `large.container`"
)
_GIVE_SIZE = "give its length by `large.expect_size`, or a larger `large.part_size`"
_NO_PARTS = (
    "it is longer than {size} bytes, and has to fit one request: this store takes no parts, or `large.mode` is never."
    " Give a `large.part_size` that it fits, which is held in memory, or write it to a file first"
)
