"""`bulkput segments` tells how far its look is, against the devserver."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import bulkput as library
from bulkput import events as ev
from tests.e2e.cli import bulkput

PARTS = 3


def left_in(environ: Mapping[str, str], tmp_path: Path) -> str:
    """A container of five objects beside the segments of a large one that was removed."""
    container = f"c-{uuid4().hex[:8]}"
    for number in range(5):
        (tmp_path / "small" / str(number)).mkdir(parents=True)
        (tmp_path / "small" / str(number) / "a").write_text("a")
    (tmp_path / "large").write_bytes(os.urandom(PARTS * 1_048_576))
    large = ("--segment-above", "1M", "--segment-size", "1M", tmp_path / "large", f"swift://{container}/")
    for arguments in (("upload", tmp_path / "small", f"swift://{container}/"), ("upload", *large)):
        assert bulkput(*arguments, environ=environ).exit_code == 0
    assert bulkput("rm", f"swift://{container}/large", environ=environ).exit_code == 0
    return container


def test_a_look_tells_the_numbers_so_far(environ: Mapping[str, str], tmp_path: Path) -> None:
    """All segments of the container come first, then the objects of the account, which are more."""
    told: list[ev.Event] = []
    container = left_in(environ, tmp_path)
    found = asyncio.run(library.segments(f"swift://{container}", on_event=told.append, environ=environ))
    looks = [event for event in told if isinstance(event, ev.Looking)]
    assert found.found == PARTS
    assert (looks[0].segments, looks[0].containers, looks[0].objects) == (PARTS, 0, 0)
    assert looks[-1].segments == PARTS and looks[-1].containers >= 2 and looks[-1].objects >= PARTS + 5
    numbers = [(look.containers, look.objects, look.looked_at) for look in looks]
    assert numbers == sorted(numbers)


def test_a_short_look_without_a_terminal_prints_only_what_it_found(environ: Mapping[str, str], tmp_path: Path) -> None:
    """bulkput segments swift://C: one line on stdout, and the numbers on stderr"""
    ran = bulkput("segments", f"swift://{left_in(environ, tmp_path)}", environ=environ)
    assert (ran.exit_code, len(ran.out.splitlines()), len(ran.err.splitlines())) == (0, 1, 1), ran
    assert ran.err.startswith(f"{PARTS} segments that nothing reads")
