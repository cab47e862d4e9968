"""Blocking calls of a journal, made from the event loop and never left in the middle."""

import asyncio
from collections.abc import Callable
from typing import Any


async def uninterrupted(function: Callable[..., None], *arguments: Any) -> None:
    """Call `function` in a thread, and return when it has returned.

    A cancellation waits for it as well, since nothing else may touch the journal while the thread does.
    """
    running = asyncio.get_running_loop().run_in_executor(None, function, *arguments)
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait((running,))
        raise
