"""Chooses the event loop: uvloop if it is installed, else the one of asyncio."""

import asyncio
from collections.abc import Callable


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The `loop_factory` for `asyncio.Runner`. None means asyncio's own loop; uvloop does not exist for Windows."""
    try:
        import uvloop  # noqa: PLC0415 - optional, and costs a few milliseconds
    except ImportError:
        return None
    return uvloop.new_event_loop
