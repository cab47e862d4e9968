"""Gets the evidence that a decision about a file and its object asks for: by HEADs, manifests, and MD5s of the file.

The decisions are pure functions (`policy/compare.py`, `policy/skip.py`). They return a `Need` until they know enough.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar, runtime_checkable

from bulkput.engine.pool import pool
from bulkput.errors import NotFound, StoreError, Unsupported
from bulkput.model import Body, RemoteObject, Segment, SourceFile
from bulkput.payload.pieces import md5_of_pieces
from bulkput.payload.source_body import Opened, is_streamed
from bulkput.policy.compare import Evidence, Need
from bulkput.policy.etag import composite_etag, composite_of, md5_of, parts_in
from bulkput.policy.part_sizes import Layouts, layouts
from bulkput.policy.references import Reference, references_in
from bulkput.stores.base import Store

T = TypeVar("T")
_LOOKERS = 16
"""HEADs in flight for the segments of one large object. It has at most a thousand, and other workers need slots too."""
ReadDigests = Callable[[Sequence[int] | None], Awaitable[tuple[int, tuple[str, ...]]]]
"""From sizes of pieces (None: one piece, the whole file) to the file's size now and each piece's MD5 in hex. Raises
SourceError."""


OpenSource = Callable[[], Awaitable[Opened]]


@runtime_checkable
class ShowsMd5s(Protocol):
    """A body whose pieces have MD5s that its source shows (`payload/remote.py:StreamedObject`)."""

    def md5s_of(self, sizes: Sequence[int]) -> tuple[str, ...] | None: ...


async def examined(
    store: Store, evidence: Evidence, decide: Callable[[Evidence], T | Need], read: ReadDigests
) -> tuple[T, Evidence]:
    """Call `decide` and get what it needs until it decides. Returns the decision and the evidence it had.

    Raises SourceError, StoreError, Stopped.
    """
    while isinstance(step := decide(evidence), Need):
        evidence = await _learnt(store, step, evidence, read)
    return step, evidence


async def _learnt(store: Store, need: Need, evidence: Evidence, read: ReadDigests) -> Evidence:
    """The evidence with what `need` asks for."""
    key = evidence.row.name
    match need:
        case Need.HEAD:
            head = await store.stat(key)
            return replace(evidence, head=head, is_gone=head is None)
        case Need.MD5:
            size, (md5,) = await read(None)
            return replace(evidence, size=size, md5=md5)
        case Need.SEGMENTS:
            return await _with_segments(store, evidence)
        case Need.PARTS:
            paths = [segment.path for segment in evidence.segments or ()]
            return replace(evidence, parts=await _parts(store, paths))
        case Need.PIECES:
            sizes = [segment.bytes for segment in evidence.segments or ()]
            size, pieces = await read(sizes)
            return replace(evidence, size=size, pieces=pieces)
        case Need.LAYOUTS:
            return await _with_layouts(store, evidence)
        case Need.COMPOSITE:
            layout = evidence.layouts.each[len(evidence.composites)] if evidence.layouts is not None else ()
            size, pieces = await read(layout)
            return replace(evidence, size=size, composites=(*evidence.composites, composite_etag(pieces)))


async def _with_layouts(store: Store, evidence: Evidence) -> Evidence:
    """The evidence with the parts that its `head`, an object sent in parts, may have been sent in."""
    told, head, power = None, evidence.head or evidence.row, store.powers.part_sizes
    count = parts_in(head.hash) or 1
    try:
        if power is not None and count > 1:
            told = await power(head.name)
    except NotFound:
        return replace(evidence, is_gone=True)
    except Unsupported:  # it depends on the server
        pass
    found = layouts(head.bytes or 0, count, told)
    own = evidence.own_sizes
    if told is None and len(own) == count and sum(own) == head.bytes:  # a copy has the parts of its source
        found = Layouts((own, *(each for each in found.each if each != own)))
    return replace(evidence, layouts=found)


async def _with_segments(store: Store, evidence: Evidence) -> Evidence:
    """The evidence with the segments of its `head`, a large object."""
    key, head = evidence.row.name, evidence.head
    if head is not None and head.large == "dynamic" and head.below is not None:
        return replace(evidence, segments=await segments_below(store, key, head.below))
    try:
        return replace(evidence, segments=await segments_of(store, key))
    except NotFound:
        return replace(evidence, is_gone=True)
    except StoreError as error:
        if not hides_manifest(error):
            raise
        return replace(evidence, is_hidden=True)


async def _parts(store: Store, paths: Sequence[str | None]) -> tuple[RemoteObject | None, ...]:
    """The object at each path now, in order. None: there is no object, or the path is None."""
    found: dict[str, RemoteObject | None] = {}
    stat_part = store.powers.stat_part

    async def look(path: str) -> None:
        if stat_part is None:
            raise Unsupported("stat", path, "this store has no segments")
        found[path] = await stat_part(path)

    distinct = {path for path in paths if path is not None}
    async with pool(look, workers=min(_LOOKERS, len(distinct) or 1), backlog=len(distinct) or 1) as lookers:
        for path in distinct:
            await lookers.submit(path)
    return tuple(found[path] if path is not None else None for path in paths)


async def segments_of(store: Store, key: str, container: str | None = None) -> tuple[Segment, ...]:
    """The segments of a static large object. Raises StoreError; Unsupported if the store cannot list segments."""
    segments = store.powers.segments
    if segments is None:
        raise Unsupported("manifest", key, "this store does not list segments")
    return await segments(key, container)


def hides_manifest(error: StoreError) -> bool:
    """Whether the store has answered to `segments_of`, but not with a manifest: Ceph's gateway 16 shows none."""
    return error.operation == "manifest" and error.status == 200


async def segments_below(store: Store, key: str, below: str) -> tuple[Segment, ...]:
    """The segments of the dynamic large object `key`: the objects whose CONTAINER/OBJECT begins with `below`. None, if
    the container does not exist. Raises StoreError."""
    power = store.powers.segments_below
    if power is None:
        raise Unsupported("list", key, "this store does not list segments")
    try:
        return await power(below)
    except NotFound:
        return ()


def may_hold_readers(store: Store) -> bool:
    """Whether objects of the store may read others: links, and large objects whose segments are objects."""
    has = store.powers
    return has.stat_itself is not None or has.segments is not None or has.segments_below is not None


async def itself_of(store: Store, key: str, container: str | None = None) -> RemoteObject | None:
    """The object itself: the link and not its target, the manifest and not what it composes. Raises StoreError."""
    stat_itself = store.powers.stat_itself
    if stat_itself is not None:
        return await stat_itself(key, container)
    if container is not None:
        raise Unsupported("stat", key, f"this store cannot look into {container}")
    return await store.stat(key)


async def references_of(store: Store, path: str, own: str) -> tuple[Reference, ...]:
    """Everything that a GET of the object at `path` (CONTAINER/OBJECT) reads besides the object itself.

    `own` is the container of `store`. Raises StoreError, also if HEAD finds a manifest that GET does not: its
    segments are then unknown.
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
            if await itself_of(store, key, elsewhere) is None:  # deleted between the two requests
                return ()
            raise StoreError("manifest", key, "a HEAD finds it, and a GET does not") from None
    return tuple(references_in(itself, segments))


async def digests(body: Body, size: int, sizes: Sequence[int] | None) -> tuple[int, tuple[str, ...]]:
    """The result of a `ReadDigests` for an opened file of `size` bytes."""
    if sizes is None and body.md5 is not None:
        return size, (body.md5,)
    if sizes is not None and isinstance(body, ShowsMd5s) and (shown := body.md5s_of(sizes)) is not None:
        return size, shown
    return size, await md5_of_pieces(body, (size,) if sizes is None else sizes)


def shows_no_size(file: SourceFile) -> bool:
    """Whether the row of an object of another store may not be that of its bytes: links and dynamic large objects are
    listed as empty. Then the object has to be asked. A dynamic one whose manifest has a body looks like any other."""
    return file.remote is not None and (file.remote.link is not None or not file.remote.bytes)


async def asked_of_source(evidence: Evidence, file: SourceFile, open_source: OpenSource) -> Evidence:
    """The evidence with what an object of another store shows and its row does not. Raises SourceError, StoreError."""
    remote, is_listed = file.remote, not shows_no_size(file)
    if remote is None or (is_listed and remote.large is None and evidence.own_composite is None):
        return evidence
    if is_listed and evidence.own_composite is not None and evidence.own_composite == composite_of(evidence.row.hash):
        return evidence  # the rows show that both are of the same parts
    seen = await open_source()
    sizes = seen.layout.sizes if is_streamed(seen) and seen.layout is not None else ()
    if is_listed:
        return replace(evidence, own_sizes=sizes)
    return replace(evidence, size=seen.size, md5=seen.md5, own_composite=None, own_sizes=sizes)


def evidence_of(
    file: SourceFile, row: RemoteObject, *, head: RemoteObject | None = None, is_suffixed: bool = False
) -> Evidence:
    """What is known of a file and its object before a closer look. An object of another store shows its MD5, or the
    ETag of its parts."""
    md5 = etag = None
    if (remote := file.remote) is not None and remote.large is None:
        md5, etag = md5_of(remote.hash), composite_of(remote.hash)
    return Evidence(
        file.size,
        row,
        md5=md5,
        head=head,
        is_suffixed=is_suffixed,
        own_composite=etag,
        is_copy=file.remote is not None,
    )
