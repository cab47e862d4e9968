"""Bugs and errors of the store of another package: in several processes they do what they do in one."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bulkput import events as ev
from bulkput.scale.any_executor import OnExecutor
from bulkput.scale.engine import Engine
from bulkput.scale.processes import Processes
from bulkput.scale.upload import upload_sharded
from tests.faults.plugin import URL, installed
from tests.faults.test_run import files

DIVIDES = "if key.endswith('0042'): 1 / 0"
"""A bug, as a developer may have made it."""

pytestmark = pytest.mark.timeout(120)


def command(tree: Path, environ: dict[str, str], *flags: str) -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, "-m", "bulkput", "upload", *flags, str(tree), URL]
    return subprocess.run(
        words, env={**os.environ, **environ}, capture_output=True, text=True, timeout=100, check=False
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (made := tmp_path / "tree").mkdir()
    return files(made, 100)


@pytest.mark.parametrize("flags", [(), ("--processes", "2")], ids=["one process", "two"])
def test_a_bug_is_shown_with_its_line_and_leaves_the_journal_of_what_is_stored(
    tree: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    """Exit code 3, and where it is. The same command sends the rest when it is mended."""
    environ = installed(tmp_path / "store", DIVIDES)
    journal = ("--journal", str(tmp_path / "up.db"), "--concurrency", "4")
    failed = command(tree, environ, *flags, *journal)
    assert failed.returncode == 3
    assert "1 / 0" in failed.stderr and "faulty_store.py" in failed.stderr
    *_, error, last = failed.stderr.splitlines()
    assert error == "ZeroDivisionError: division by zero"
    assert last == "bulkput: this is a bug in bulkput; please report it with the lines above"
    module = tmp_path / "store" / "faulty_store.py"
    module.write_text(module.read_text().replace("1 / 0", "pass"))
    mended = command(tree, environ, *flags, *journal, "--summary", "-")
    assert mended.returncode == 0, mended.stderr
    summary = json.loads(mended.stdout.splitlines()[-1])
    assert summary["uploaded"] + summary["skipped"] == 100 and summary["skipped"] > 0


@pytest.fixture(params=["own", "any executor"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    if request.param == "own":
        yield Processes(2)
        return
    with ThreadPoolExecutor(2) as threads:
        yield OnExecutor(threads, lanes=2)


async def test_a_bug_reaches_callers_with_the_traceback_of_its_process(
    engine: Engine, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an error that is none of bulkput's; no file is without an outcome."""
    environ = installed(tmp_path / "store", DIVIDES)
    for place in environ["PYTHONPATH"].split(os.pathsep):
        monkeypatch.syspath_prepend(place)
    outcomes: Counter[bytes] = Counter()

    def note(event: ev.Event) -> None:
        match event:
            case ev.Discovered():
                outcomes[event.found.path] += 0
            case ev.Uploaded():
                outcomes[event.upload.source.path] += 1
            case ev.Skipped():
                outcomes[event.skip.path] += 1

    with pytest.raises(RuntimeError, match=r"(?s)a process that sends files failed:\nTraceback.*ZeroDivisionError"):
        await upload_sharded(tree, URL, engine=engine, on_event=note, environ=environ)
    assert set(outcomes.values()) == {1}


@pytest.mark.parametrize("flags", [(), ("--processes", "2")], ids=["one process", "two"])
def test_an_error_that_cannot_leave_its_process_is_the_failure_of_its_file(
    tree: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    """It has what cannot be pickled: a lock, as a response or a session has one."""
    raises = """
        if key.endswith('0042'):
            error = StoreError('put', key, 'odd')
            error.response = threading.Lock()
            raise error
    """
    environ = installed(tmp_path / "store", raises, before="import threading")
    ran = command(tree, environ, *flags, "--summary", "-")
    assert ran.returncode == 1, ran.stderr
    summary = json.loads(ran.stdout.splitlines()[-1])
    assert (summary["uploaded"], summary["failed"], summary.get("workers_lost", 0)) == (99, 1, 0)
    assert "put 0042: odd" in ran.stderr
