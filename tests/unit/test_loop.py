"""Ctrl-C where the event loop takes no signal handlers, as on Windows."""

import asyncio
import io
import json
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import bulkput.cli.loop
import bulkput.devserver.__main__
from bulkput.cli.loop import INTERRUPTED, run_stoppable
from bulkput.engine.stop import Stop


class WithoutSignals(asyncio.SelectorEventLoop):
    """Refuses signal handlers as the loops of Windows do."""

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: Any) -> None:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """SIGINT has Python's own handler. A shell's background job inherits it ignored, and a build machine may be one."""
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, inherited)


@pytest.fixture(autouse=True)
def no_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (bulkput.cli.loop, bulkput.devserver.__main__):
        monkeypatch.setattr(module, "loop_factory", lambda: WithoutSignals)


async def interrupted(stop: Stop) -> None:
    signal.raise_signal(signal.SIGINT)
    await asyncio.Event().wait()


async def finished(stop: Stop) -> str:
    return "done"


def test_without_signal_handlers_a_run_ends_by_itself() -> None:
    assert run_stoppable(finished, at_exit=lambda: None) == "done"


def test_without_signal_handlers_ctrl_c_ends_a_run_with_130() -> None:
    with pytest.raises(SystemExit) as ended:
        run_stoppable(interrupted, at_exit=lambda: None)
    assert ended.value.code == INTERRUPTED


class InterruptingStdout(io.StringIO):
    """Ctrl-C comes when the first line has been written: then the server listens."""

    def flush(self) -> None:
        super().flush()
        signal.raise_signal(signal.SIGINT)


def test_without_signal_handlers_ctrl_c_ends_the_devserver_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    stdout = InterruptingStdout()
    monkeypatch.setattr(sys, "stdout", stdout)
    bulkput.devserver.__main__.main([])
    assert json.loads(stdout.getvalue())["storage_url"].startswith("http://127.0.0.1:")
