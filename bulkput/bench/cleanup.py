"""Deletes the objects that the trials stored, and uploads in parts that they have left unfinished."""

import asyncio
from collections.abc import Collection
from contextlib import aclosing

from bulkput.engine.pool import pool
from bulkput.errors import NotFound, StoreError, Unsupported
from bulkput.options import StopRules
from bulkput.policy.retry import FailurePolicy
from bulkput.stores.base import Store

_ROUNDS = 4
"""A listing may lag behind deletions, and an attempt that timed out may store its object after its deletion."""
_LAG_S = 1.0


async def remove(store: Store, prefix: str, keys: Collection[str], *, workers: int) -> list[str]:
    """Delete the objects `keys` and all that the store lists below `prefix`, unfinished uploads as well. Returns the
    names that remain.

    A key that was never stored does not remain. Deleting stops when the store is gone.
    """
    remaining = list(keys)
    for number in range(_ROUNDS):
        if number and not remaining:
            await asyncio.sleep(_LAG_S)
        if failed := await _delete(store, remaining, workers):
            return failed
        await _abort(store, prefix)
        if not (listed := await _listed(store, prefix)):
            return []
        remaining = [key for key in listed if await store.stat(key) is not None]
    return remaining


async def _delete(store: Store, keys: Collection[str], workers: int) -> list[str]:
    """Returns the keys that could not be deleted."""
    failed: list[str] = []
    failure_policy = FailurePolicy(StopRules(store_gone_after=workers))
    is_over = False

    async def delete(key: str) -> None:
        nonlocal is_over
        if is_over:
            failed.append(key)
            return
        try:
            await store.delete([key])
        except StoreError as error:
            failed.append(key)
            is_over = is_over or failure_policy.failed(error) is not None
        else:
            failure_policy.succeeded()

    async with pool(delete, workers=workers, backlog=workers) as deleting:
        for key in keys:
            await deleting.submit(key)
    return failed


async def _abort(store: Store, prefix: str) -> None:
    """Remove the parts of unfinished uploads below `prefix`, which no other listing shows."""
    unfinished = store.powers.unfinished
    if unfinished is None:
        return
    try:
        async with aclosing(unfinished.list(prefix)) as listing:
            uploads = [upload async for upload in listing]
        for upload in uploads:
            await unfinished.abort(upload)
    except (Unsupported, NotFound):
        return


async def _listed(store: Store, prefix: str) -> list[str]:
    """The names below `prefix`; empty if the store cannot list."""
    try:
        async with aclosing(store.list(prefix)) as listing:
            return [item.name async for item in listing]
    except (Unsupported, NotFound):
        return []
