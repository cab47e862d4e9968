"""What a decision about a file and its object still needs, learnt."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from bulkput.engine.pool import pool
from bulkput.errors import NotFound, StoreError, Unsupported
from bulkput.model import Body, RemoteObject, Segment
from bulkput.payload.pieces import md5_of_pieces
from bulkput.policy.compare import Evidence, Need
from bulkput.policy.references import Reference, references_in
from bulkput.stores.base import Store

T = TypeVar("T")
_LOOKERS = 16
"""HEADs of one large object's segments at once: it has a thousand at most, and other workers wait for slots as well."""
ReadDigests = Callable[[Sequence[int] | None], Awaitable[tuple[int, tuple[str, ...]]]]
"""The file's size as it is now, and the MD5 of these pieces, or of the whole. Raises SourceError."""


async def examined(
    store: Store, evidence: Evidence, decide: Callable[[Evidence], T | Need], read: ReadDigests
) -> tuple[T, Evidence]:
    """What `decide` says when it has all that it asks for, with that. Raises SourceError, StoreError, Stopped."""
    while isinstance(step := decide(evidence), Need):
        evidence = await _learnt(store, step, evidence, read)
    return step, evidence


async def _learnt(store: Store, need: Need, evidence: Evidence, read: ReadDigests) -> Evidence:
    """One thing more."""
    key = evidence.row.name
    match need:
        case Need.HEAD:
            head = await store.stat(key)
            return replace(evidence, head=head, is_gone=head is None)
        case Need.MD5:
            size, (md5,) = await read(None)
            return replace(evidence, size=size, md5=md5)
        case Need.SEGMENTS:
            try:
                return replace(evidence, segments=await segments_of(store, key))
            except NotFound:
                return replace(evidence, is_gone=True)
        case Need.PARTS:
            paths = [segment.path for segment in evidence.segments or ()]
            return replace(evidence, parts=await _parts(store, paths))
        case Need.PIECES:
            sizes = [segment.bytes for segment in evidence.segments or ()]
            size, pieces = await read(sizes)
            return replace(evidence, size=size, pieces=pieces)


async def _parts(store: Store, paths: Sequence[str | None]) -> tuple[RemoteObject | None, ...]:
    """What stands at each of the paths now; None: nothing."""
    found: dict[str, RemoteObject | None] = {}
    stat_part = store.powers.stat_part

    async def look(path: str) -> None:
        if stat_part is None:
            raise Unsupported("stat", path, "this store has no segments")
        found[path] = await stat_part(path)

    distinct = {path for path in paths if path is not None}
    async with pool(look, workers=min(_LOOKERS, len(distinct)), backlog=len(distinct)) as lookers:
        for path in distinct:
            await lookers.submit(path)
    return tuple(found[path] if path is not None else None for path in paths)


async def segments_of(store: Store, key: str, container: str | None = None) -> tuple[Segment, ...]:
    """Of a static large object. Raises StoreError: Unsupported, where the store has none."""
    segments = store.powers.segments
    if segments is None:
        raise Unsupported("manifest", key, "this store tells no segments")
    return await segments(key, container)


async def itself_of(store: Store, key: str, container: str | None = None) -> RemoteObject | None:
    """The object itself: the link and not its target, the manifest and not what it composes. Raises StoreError."""
    stat_itself = store.powers.stat_itself
    if stat_itself is not None:
        return await stat_itself(key, container)
    if container is not None:
        raise Unsupported("stat", key, f"this store does not look into {container}")
    return await store.stat(key)


async def references_of(store: Store, path: str, own: str) -> tuple[Reference, ...]:
    """What a GET of the object at CONTAINER/OBJECT reads besides the object itself; `own` is the container of `store`.

    Raises StoreError, also where a manifest is there by a HEAD and not by a GET: then nobody knows what it reads.
    """
    container, _, key = path.partition("/")
    elsewhere = container if container != own else None
    itself = await itself_of(store, key, elsewhere)
    if itself is None:
        return ()
    segments: tuple[Segment, ...] = ()
    if itself.large == "static":
        try:
            segments = await segments_of(store, key, elsewhere)
        except NotFound:
            if await itself_of(store, key, elsewhere) is None:
                return ()
            raise StoreError("manifest", key, "it is there by a HEAD, and not by a GET") from None
    return tuple(references_in(itself, segments))


async def digests(body: Body, size: int, sizes: Sequence[int] | None) -> tuple[int, tuple[str, ...]]:
    """Of an opened file of `size` bytes, what a `ReadDigests` gives."""
    if sizes is None and body.md5 is not None:
        return size, (body.md5,)
    return size, await md5_of_pieces(body, (size,) if sizes is None else sizes)
