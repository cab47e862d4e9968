"""How a search for what reads segments is shown."""

import io
import os

import pytest

from bulkput import events as ev
from bulkput.report.looking import LookingLine, looking_text
from bulkput.report.progress import PLAIN_EVERY_S, Screen

FIRST = ev.Looking(segments=4_800, containers=0, objects=0, looked_at=0)
LATER = ev.Looking(segments=4_800, containers=2, objects=61_000, looked_at=512)
TEXT = "segments 4 800  containers 2  objects 61 000  looked at 512"


@pytest.mark.parametrize(("event", "text"), [(FIRST, "segments 4 800"), (LATER, TEXT)])
def test_numbers_of_the_account_follow_those_of_the_segments(event: ev.Looking, text: str) -> None:
    assert looking_text(event) == text


def test_without_a_terminal_a_line_comes_every_ten_seconds_at_most() -> None:
    """A look that takes less says nothing."""
    out = io.StringIO()
    early, late = (0.1, 5.0, PLAIN_EVERY_S - 0.1), (PLAIN_EVERY_S, PLAIN_EVERY_S + 1, 2 * PLAIN_EVERY_S)
    times = iter((0.0, *early, *late))
    line = LookingLine(Screen(out), clock=lambda: next(times))
    for _ in early:
        line(FIRST)
    assert out.getvalue() == ""
    for _ in late:
        line(LATER)
    line.end()
    assert out.getvalue() == f"{TEXT}\n" * 2


def test_on_a_terminal_a_line_moves_until_something_else_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next event brings it back."""
    for name, value in {"TERM": "xterm", "COLUMNS": "100", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    far, near = os.openpty()
    with open(far, "rb", buffering=0) as reader, open(near, "w") as stream:
        line = LookingLine(Screen(stream))
        for _ in range(2):
            line(LATER)
            line(LATER)
            line.end()
            stream.write("end\n")
            stream.flush()
            written = ""
            while "end" not in written:  # a terminal gives it out in pieces
                written += reader.read(100_000).decode()
            assert TEXT in written
            assert "\x1b[2K" in written.partition(TEXT)[2].partition("end")[0], "the line is erased"
        line.end()
