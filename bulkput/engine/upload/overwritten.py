"""Finds the segments that stay in the store when a large object is overwritten: Swift removes none by itself."""

from dataclasses import replace

from bulkput.engine.compare.evidence import itself_of, segments_of
from bulkput.errors import NotFound, StoreError
from bulkput.events import SegmentsLeft
from bulkput.stores.base import Store


async def segments_before(store: Store, key: str) -> SegmentsLeft | None:
    """The segments of the object `key`, which is about to be overwritten. None if it is not large, or not there.

    Raises Stopped. If the store does not tell the segments, none are named.
    """
    if store.powers.unfinished is not None:  # the parts of its objects are no objects (S3): they are overwritten, too
        return None
    try:
        itself = await itself_of(store, key)
        if itself is None or itself.large is None:  # a link, for example: its target is not overwritten
            return None
        if itself.below is not None:
            return SegmentsLeft(key, below=itself.below)
        segments = await segments_of(store, key)
        return SegmentsLeft(key, tuple(each.path for each in segments if each.path is not None))
    except NotFound:
        return None
    except StoreError:
        return SegmentsLeft(key)


async def without_its_own(store: Store, left: SegmentsLeft) -> SegmentsLeft | None:
    """`left` without the segments of the large object that is now under its name: an upload of the same bytes uses
    those that were there. None if nothing is left. Raises Stopped.

    If the store does not tell what the new object uses, nothing is named: somebody may remove what is named here.
    """
    now = await segments_before(store, left.key)
    if now is None:
        return left
    if now.below is None and not now.paths:
        return SegmentsLeft(left.key)
    if left.below is not None:
        return _below_without(left, left.below, now)
    used, below = set(now.paths), now.below
    paths = tuple(path for path in left.paths if path not in used and not (below and path.startswith(below)))
    return replace(left, paths=paths) if paths or not left.paths else None


def _below_without(left: SegmentsLeft, below: str, now: SegmentsLeft) -> SegmentsLeft | None:
    """The same for a dynamic large object, whose segments were all objects below `below`."""
    if now.below == below or (now.paths and all(_is_just_below(path, below) for path in now.paths)):
        return None
    used = now.paths if now.below is None else (now.below,)
    is_shared = any(path.startswith(below) for path in used) or (now.below is not None and below.startswith(now.below))
    return SegmentsLeft(left.key) if is_shared else left


def _is_just_below(path: str, below: str) -> bool:
    return path.startswith(below) and "/" not in path[len(below) :]
