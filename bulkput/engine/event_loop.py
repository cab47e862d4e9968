"""Which event loop a run gets: uvloop where it is installed."""

import asyncio
from collections.abc import Callable


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """For `asyncio.Runner`; None is the stock loop, which is what Windows has."""
    try:
        import uvloop  # noqa: PLC0415 - optional, and costs a few milliseconds
    except ImportError:
        return None
    return uvloop.new_event_loop
