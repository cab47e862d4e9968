"""The keys of a run that several processes share: one of them finds them, and hands them to the others."""

import asyncio
from collections.abc import Awaitable, Callable

from bulkput.options import WireOptions
from bulkput.stores.base import Configured
from bulkput.stores.s3.credentials import Credentials
from bulkput.stores.s3.settings import Settings
from bulkput.stores.s3.sign import Keys


class HandedKeys(Credentials):
    """Keys from another process, which is asked for others if the store refuses them."""

    def __init__(self, told: Configured, asked_again: Callable[[Configured], Awaitable[Configured]]) -> None:
        _, keys, self._are_temporary = told.found
        super().__init__(told.environ, keys)
        self._asking = asyncio.Lock()
        self._told = told
        self._ask = asked_again

    @property
    def are_temporary(self) -> bool:
        return bool(self._are_temporary)

    async def renewed(self, refused: Keys) -> Keys | None:
        async with self._asking:
            if self.keys == refused:
                self._told = await self._ask(self._told)
                _, self.keys, self._are_temporary = self._told.found
            return self.keys if self.keys != refused else None


async def handed_over(
    credentials: Credentials, settings: Settings, refused: Configured | None, wire: WireOptions
) -> Configured:
    """What `HandedKeys` takes: other keys than those that were refused, if there are some."""
    keys = await credentials.fresh()
    if refused is not None and keys is not None and keys == refused.found[1]:
        keys = await credentials.renewed(keys) or keys
    return Configured({}, wire, (settings, keys, credentials.are_temporary))
