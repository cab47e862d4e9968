"""Progress while a run goes on."""

import io
import os

import pytest

from bulkput import events as ev
from bulkput.model import ObjectHeaders, Pacing, Reason, Skip, SourceFile, Stored, Upload
from bulkput.recorder import Recorder
from bulkput.report.console import console
from bulkput.report.progress import Rates, Screen, progress, progress_text

FILE = SourceFile(b"/a", b"a", 1, 0)
FOUND = ev.Discovered(FILE)
UPLOADED = ev.Uploaded(Upload(FILE, "a", ObjectHeaders()), Stored("a", 1, None, None), 1, 0, 0.1)
SKIPPED = ev.Skipped(Skip(b"/a", b"a", Reason.EXCLUDED))


def recorded(*events: ev.Event) -> Recorder:
    recorder = Recorder()
    for event in events:
        recorder(event)
    return recorder


def test_progress_has_no_estimate_before_the_scan_is_done() -> None:
    """The total is unknown, so the number found has a plus."""
    text = progress_text(recorded(FOUND, FOUND, FOUND, UPLOADED, SKIPPED), 12.0, 2048.0)
    assert text == "found 3+  queued 1  done 2  failed 0  12 objects/s  2.0 KiB/s"


def test_progress_has_an_estimate_after_the_scan() -> None:
    """It is computed from the remaining objects and the current rate."""
    text = progress_text(recorded(*[FOUND] * 250, *[UPLOADED] * 10, ev.ScanDone()), 2.0, 0.0)
    assert text == "found 250  queued 240  done 10  failed 0  2 objects/s  0 B/s  scan complete  ETA 2:00"


def test_a_large_file_has_an_estimate_by_its_bytes() -> None:
    """Of the last file, no object is done for a long time; with more files the longer estimate counts."""
    streaming = ev.Streaming(b"/a", 1024**2, 0.0, 3 * 1024**2)
    text = progress_text(recorded(FOUND, streaming, ev.ScanDone()), 0.0, 1024.0 * 512)
    assert text.endswith("512.0 KiB/s  large 1.0 MiB of 3.0 MiB  scan complete  ETA 0:04")
    text = progress_text(recorded(*[FOUND] * 100, streaming, ev.ScanDone()), 2.0, 1024.0 * 512)
    assert text.endswith("ETA 0:50")
    piped = ev.Streaming(b"-", 1024**2)
    assert "large" not in progress_text(recorded(FOUND, piped, ev.ScanDone()), 0.0, 1024.0)


@pytest.mark.parametrize(
    ("pacing", "shown"),
    [
        (Pacing(200.0, None, 0, 0, 0.0, 0.0), "198 objects/s of 200/s  2.0 KiB/s"),
        (Pacing(None, 4096.0, 0, 0, 0.0, 0.0), "198 objects/s  2.0 KiB/s of 4.0 KiB/s"),
    ],
    ids=["objects", "bytes"],
)
def test_progress_has_the_rate_that_was_asked_for(pacing: Pacing, shown: str) -> None:
    """Beside what is reached, so that the limit of the run can be seen."""
    assert progress_text(recorded(FOUND, ev.Paced(pacing)), 198.0, 2048.0).endswith(shown)


@pytest.mark.parametrize(("done", "rate"), [(0, 0.0), (2, 5.0)])
def test_progress_without_a_rate_or_remaining_objects_has_no_estimate(done: int, rate: float) -> None:
    """There is no division by zero and no `ETA 0:00`."""
    text = progress_text(recorded(FOUND, FOUND, *[UPLOADED] * done, ev.ScanDone()), rate, 0.0)
    assert "ETA" not in text
    assert "scan complete" in text


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_rates_start_at_the_first_look() -> None:
    """From the first look on."""
    clock = Clock()
    rates = Rates(clock)
    clock.now += 2
    assert rates.look(10, 2000) == (5.0, 1000.0)


def test_rates_cover_the_last_ten_seconds() -> None:
    """A stall gives zero within that window."""
    clock = Clock()
    rates = Rates(clock)
    for second in range(1, 31):
        clock.now += 1
        assert rates.look(100 * second, 1000 * second) == pytest.approx((100.0, 1000.0))
    for _ in range(12):
        clock.now += 1
        stalled = rates.look(3000, 30_000)
    assert stalled == (0.0, 0.0)


def test_a_rate_after_a_long_sleep_covers_the_sleep() -> None:
    """A laptop that slept for an hour still has an earlier look to compare with."""
    clock = Clock()
    rates = Rates(clock)
    clock.now += 1
    rates.look(10, 10)
    clock.now += 3600
    assert rates.look(3610, 10) == (1.0, 0.0)


def test_a_rate_over_no_time_is_zero() -> None:
    """The clock may be coarse."""
    assert Rates(Clock()).look(0, 0) == (0.0, 0.0)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("kind", ["auto", "bar", "plain", "none"])
@pytest.mark.parametrize("is_terminal", [False, True])
def test_every_progress_view_prints_a_line_unchanged(
    monkeypatch: pytest.MonkeyPatch, kind: str, is_terminal: bool
) -> None:
    """Brackets are no markup and long lines are not wrapped; without a terminal nothing else is written."""
    out = Terminal() if is_terminal else io.StringIO()
    for name, value in {"TERM": "xterm", "COLUMNS": "40", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    line = "failed: put [red]a[/red]/" + "x" * 100
    screen = Screen(out)
    with progress(kind, Recorder(), screen):  # type: ignore[arg-type]
        screen.say(line)
    assert line in out.getvalue()
    if not is_terminal:
        assert out.getvalue() == line + "\n"


@pytest.mark.parametrize("error", [BrokenPipeError(32, "Broken pipe"), OSError(28, "No space left on device")])
def test_a_broken_screen_is_not_written_to_again(error: OSError) -> None:
    """A failed write never ends an upload."""

    class Broken(io.StringIO):
        writes = 0

        def write(self, _text: str) -> int:
            self.writes += 1
            raise error

    out = Broken()
    screen = Screen(out)
    screen.say("first")
    tried = out.writes
    screen.say("second")
    assert tried > 0 and out.writes == tried


ESCAPE = "\x1b["


@pytest.mark.parametrize(
    ("is_terminal", "environ", "has_colours", "moves"),
    [
        (True, {}, True, True),
        (True, {"NO_COLOR": "1"}, False, True),
        (True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, True),
        (True, {"TERM": "dumb"}, False, False),
        (True, {"TTY_INTERACTIVE": "0"}, True, False),
        (True, {"TTY_COMPATIBLE": "0"}, False, False),
        (False, {}, False, False),
        (False, {"FORCE_COLOR": "1"}, True, False),
        (False, {"TTY_COMPATIBLE": "1"}, True, False),
        (False, {"TTY_INTERACTIVE": "1", "FORCE_COLOR": "1"}, True, False),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
    ],
)
def test_force_color_enables_colours_but_no_moving_line(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool, environ: dict[str, str], has_colours: bool, moves: bool
) -> None:
    """NO_COLOR wins, and only a terminal has a moving line."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"TERM": "xterm-256color"} | environ).items():
        monkeypatch.setenv(name, value)
    far, near = os.openpty() if is_terminal else os.pipe()
    with open(far, "rb", buffering=0) as reader, open(near, "w") as stream:
        for kind in ("auto", "bar"):
            with progress(kind, Recorder(), Screen(stream)):
                pass
            console(stream).print("red", style="red", end="")
            stream.flush()
            written = ""
            while "red" not in written:  # a terminal gives it out in pieces
                written += reader.read(100_000).decode()
            assert ("\x1b[?25l" in written) is moves  # the cursor is hidden
            assert ("\x1b[31m" in written) is has_colours
            assert has_colours or moves or ESCAPE not in written
