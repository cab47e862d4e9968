"""Progress while a run goes on: a live line on a terminal, a plain line every few seconds elsewhere.

Both read the recorder from a thread of their own, at intervals, so a run pays nothing per object. The remaining time
is estimated once the scan is complete: before that the total is unknown.
"""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TextIO

from bulkput.recorder import Recorder
from bulkput.report.lines import count_text, rate_text, size_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

PLAIN_EVERY_S = 10.0
"""The log of a CI job keeps every line: six a minute show that a run goes on."""
_WINDOW_S = 10.0


class Screen:
    """Lines on a stream. When it cannot be written, lines are dropped: a message must not end a run.

    Only a moving line needs a console, and so rich, whose import takes 50 ms.
    """

    def __init__(self, stream: TextIO | None = None, *, worded: Callable[[str], str] = str) -> None:
        """`stream` None is stderr. `worded` translates a line, such as options into flags."""
        self._stream = stream or sys.stderr
        self._worded = worded
        self._is_lost = False
        self._has_moving_line = False

    @property
    def can_move(self) -> bool:
        """Whether a line can be redrawn in place."""
        if not self._stream.isatty():
            return False
        from bulkput.report.console import can_move  # noqa: PLC0415 - rich

        return can_move(self._console)

    @cached_property
    def _console(self) -> "Console":
        from bulkput.report.console import console  # noqa: PLC0415 - rich

        made = console(self._stream)
        # By default rich ends the program on a broken pipe.
        made.on_broken_pipe = self._mute  # type: ignore[method-assign]
        return made

    def say(self, line: str) -> None:
        """One line, above the moving line if there is one."""
        if self._is_lost:
            return
        try:
            if self._has_moving_line:
                from rich.text import Text  # noqa: PLC0415 - imported by the moving line already

                self._console.print(Text(self._worded(line)), soft_wrap=True)
            else:
                self._stream.write(self._worded(line) + "\n")
                self._stream.flush()
        except OSError:
            self._mute()

    @contextmanager
    def moving_line(self, text: Callable[[], str]) -> Iterator[None]:
        """Redraw `text()` in place, four times a second."""
        from rich.live import Live  # noqa: PLC0415 - rich
        from rich.text import Text  # noqa: PLC0415

        def draw() -> "Text":
            return Text(text(), no_wrap=True, overflow="ellipsis")

        with Live(get_renderable=draw, console=self._console, refresh_per_second=4, transient=True):
            self._has_moving_line = True
            try:
                yield
            finally:
                self._has_moving_line = False

    def _mute(self) -> None:
        self._is_lost = True
        if self._has_moving_line:
            self._console.quiet = True


def progress(
    kind: Literal["auto", "bar", "plain", "none"], recorder: Recorder, screen: Screen
) -> AbstractContextManager[object]:
    """The view for `kind`; auto and bar draw on a terminal, and print plain lines elsewhere."""
    rates = Rates()

    def text() -> str:
        return progress_text(recorder, *rates.look(recorder.done, recorder.bytes_moved))

    if kind in ("auto", "bar"):
        kind = "bar" if screen.can_move else "plain"
    match kind:
        case "bar":
            return screen.moving_line(text)
        case "plain":
            return _Plain(screen, text)
        case _:
            return nullcontext()


class Rates:
    """Objects/s and bytes/s over the last ten seconds, from samples of a recorder."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looks: deque[tuple[float, int, int]] = deque(((clock(), 0, 0),))

    def look(self, done: int, sent: int) -> tuple[float, float]:
        now = self._clock()
        self._looks.append((now, done, sent))
        while len(self._looks) > 2 and self._looks[1][0] < now - _WINDOW_S:
            self._looks.popleft()
        then, done_then, sent_then = self._looks[0]
        passed = max(now - then, 1e-9)
        # A retried large file takes its sent bytes back, so the total may shrink.
        return (done - done_then) / passed, max(0.0, sent - sent_then) / passed


def progress_text(recorder: Recorder, objects_per_s: float, bytes_per_s: float) -> str:
    """One line: found, queued, done, failed, rates (with those that were asked for), and the time left once the scan is
    complete."""
    left = recorder.found - recorder.done
    pacing = recorder.pacing
    objects_asked = pacing.objects_per_s if pacing is not None else None
    bytes_asked = pacing.bytes_per_s if pacing is not None else None
    parts = [
        f"found {count_text(recorder.found)}" + ("" if recorder.is_scan_done else "+"),
        f"queued {count_text(left)}",
        f"done {count_text(recorder.done)}",
        f"failed {count_text(recorder.failed)}",
        *([f"removed {count_text(recorder.removed)}"] if recorder.removed else []),
        *([f"expiring {count_text(recorder.expiring)}"] if recorder.expiring else []),
        f"{objects_per_s:.0f} objects/s" + (f" of {rate_text(objects_asked)}" if objects_asked is not None else ""),
        f"{size_text(bytes_per_s)}/s" + (f" of {size_text(bytes_asked)}/s" if bytes_asked is not None else ""),
    ]
    large, sent, size = recorder.large_in_flight
    if large:
        parts.append(f"large {size_text(sent)} of {size_text(size)}")
    if recorder.stopping is not None:
        parts.append("stopping")
    elif recorder.is_scan_done:
        parts.append("scan complete")
        if rest_s := left_s(recorder, objects_per_s, bytes_per_s):
            minutes, seconds = divmod(round(rest_s), 60)
            parts.append(f"ETA {minutes}:{seconds:02d}")
    return "  ".join(parts)


def left_s(recorder: Recorder, objects_per_s: float, bytes_per_s: float) -> float | None:
    """Seconds until the end at these rates; None if that is not known: before the scan is complete, and at a rate of 0.

    Entries with an outcome per second, and bytes. A large file that is being sent is only counted by its bytes.
    """
    left = recorder.found - recorder.done
    large, sent, size = recorder.large_in_flight
    if not recorder.is_scan_done:
        return None
    return (
        max(
            left / objects_per_s if objects_per_s > 0 and left > large else 0.0,
            (size - sent) / bytes_per_s if bytes_per_s > 0 else 0.0,
        )
        or None
    )


class _Plain:
    def __init__(self, screen: Screen, text: Callable[[], str]) -> None:
        self._screen = screen
        self._text = text
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="bulkput-progress", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join()

    def _tick(self) -> None:
        while not self._ended.wait(PLAIN_EVERY_S):
            self._screen.say(self._text())
