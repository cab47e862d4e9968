"""What a journal costs, and how fast a run resumes with one.

    scripts/bench journal [--rows 10000000] [--files 1000000]

It fills a journal with `--rows` rows through the journal's own writer, opens it, asks it for every file in order, and
asks for its status. Then it makes a tree of `--files` empty files, which are all in a journal, and runs bulkput's
upload on it. There is no store, so a single request would fail the run. Another measurement shows what the journal adds
to an upload's CPU: scripts/bench --only nginx/many --contenders bulkput "bulkput with a journal"
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from benchmarks import process
from bulkput.events import Uploaded
from bulkput.journal.journal import Journal, open_journal
from bulkput.journal.known import JournalledUploads
from bulkput.journal.status import status
from bulkput.model import ObjectHeaders, SourceFile, Stored, Upload

T = TypeVar("T")
_PER_DIRECTORY = 1_000
_AT_ONCE = 500
"""Rows per transaction, as in a run."""
_ETAG = "d41d8cd98f00b204e9800998ecf8427e"


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench journal", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--files", type=int, default=1_000_000)
    given = parser.parse_args()
    if min(given.rows, given.files) < 1:
        parser.error("--rows and --files are 1 or more")
    with tempfile.TemporaryDirectory(prefix="bulkput-bench-") as directory:
        _rows(os.fsencode(directory) + b"/rows.db", given.rows)
        _resume(Path(directory), given.files)
    return 0


def _rows(path: bytes, count: int) -> None:
    def files() -> Iterator[tuple[bytes, bytes, int, int]]:
        for number in range(count):
            name = b"d%06d/f%06d" % divmod(number, _PER_DIRECTORY)
            yield b"/r/" + name, name, 0, number

    own_us = _timed("the loop of this measurement alone, to be subtracted", count, lambda: sum(1 for _ in files()))[1]
    with closing(open_journal(path)) as journal:
        events_us = _timed("the same with a run's events", count, lambda: sum(1 for _ in map(_event, files())))[1]
        written_us = _timed("rows written", count, lambda: _fill(journal, files()))[1]
    print(f"-> {written_us - events_us:.2f} us CPU per row")
    _timed("opened", 1, lambda: open_journal(path).close())
    known = JournalledUploads(path, lambda name, is_directory: name)
    found, asked_us = _timed("asked for each", count, lambda: sum(known.has(*each) for each in files()))
    if found != count:
        raise SystemExit(f"it knows {found} of {count}")
    print(f"-> {asked_us - own_us:.2f} us CPU per file, {1e6 / (asked_us - own_us):.0f} files/s")
    _timed("status", count, lambda: status(path))
    print(f"{os.path.getsize(path) / count:.0f} bytes per row")


def _resume(directory: Path, count: int) -> None:
    tree = directory / "tree"
    for start in range(0, count, _PER_DIRECTORY):
        folder = tree / f"d{start // _PER_DIRECTORY:06d}"
        folder.mkdir(parents=True)
        for number in range(start, min(start + _PER_DIRECTORY, count)):
            os.close(os.open(folder / f"f{number:07d}", os.O_CREAT | os.O_WRONLY))
    journal, summary = directory / "resume.db", directory / "summary.json"
    command = (sys.executable, "-m", "bulkput", "upload", "-q", "--journal", str(journal), "--summary", str(summary))
    nobody = {"OS_STORAGE_URL": "http://127.0.0.1:9/v1/nobody", "OS_AUTH_TOKEN": "none"}
    # A run without a store makes a journal that names source and destination and has no file.
    process.run((*command, "--retries", "0", str(tree), "swift://nowhere"), nobody)
    with closing(open_journal(os.fsencode(journal))) as opened:
        _fill(opened, _stats(os.fsencode(os.path.realpath(tree))))
    ran = process.run((*command, str(tree), "swift://nowhere"), nobody)
    told = json.loads(summary.read_text()) if summary.exists() else {}
    if ran.exit_code != 0 or told["requests"] or told["skipped"] != count:
        raise SystemExit(f"exit code {ran.exit_code}: {told} {ran.said}")
    print(
        f"resumed over {count} files: {ran.wall_s:.1f} s, {count / ran.wall_s:.0f} files/s,"
        f" {ran.cpu_s / count * 1e6:.1f} us CPU per file, peak {ran.peak_kib / 1024:.0f} MiB, no request"
    )


def _stats(tree: bytes) -> Iterator[tuple[bytes, bytes, int, int]]:
    """Path, name, size and mtime_ns of each file, in the order of a walk."""
    for folder in sorted(os.listdir(tree)):
        for name in sorted(os.listdir(os.path.join(tree, folder))):
            path = os.path.join(tree, folder, name)
            found = os.lstat(path)
            yield path, folder + b"/" + name, found.st_size, found.st_mtime_ns


def _event(file: tuple[bytes, bytes, int, int]) -> Uploaded:
    path, name, size, mtime_ns = file
    key = name.decode()
    upload = Upload(SourceFile(path, name, size, mtime_ns), key, ObjectHeaders())
    return Uploaded(upload, Stored(key, size, _ETAG, None), size, mtime_ns, 0.0)


def _fill(journal: Journal, files: Iterable[tuple[bytes, bytes, int, int]]) -> int:
    """Write the files as a run does, from events. Returns the number of rows."""
    count = 0
    for file in files:
        journal(_event(file))
        count += 1
        if count % _AT_ONCE == 0:
            journal.write()
    journal.end()
    return count


def _timed(what: str, count: int, run: Callable[[], T]) -> tuple[T, float]:
    """The result of `run`, and the microseconds of CPU per item."""
    began_s, cpu_s = time.perf_counter(), time.process_time()
    result = run()
    wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    print(f"{what}: {wall_s:.2f} s, {count / wall_s:.0f}/s, {cpu_s / count * 1e6:.2f} us CPU each")
    return result, cpu_s / count * 1e6


if __name__ == "__main__":
    sys.exit(main())
