"""Whole `bulkput upload` processes that compress, beside those that do not and those that have only zlib to do it with.

All send the same files and do the same otherwise: walk, MD5 of the source (for the head of the request), a second
reading, MD5 of what is sent. Every round runs each once, in another order. What is stored is looked at by programs that
are not ours: curl fetches it, zcat unpacks it, cmp compares it with its source.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import process
from benchmarks.baselines import Account
from benchmarks.compression import BASE, NOTHING, Step, Upload
from benchmarks.contenders import bulkput
from benchmarks.cores import Usage
from benchmarks.measure import started
from benchmarks.servers import Address, Server
from bulkput.payload.deflate import DEFAULT_LEVEL, engine_for

FILES = 16
_SUFFIX = ".txt"
_PROGRAM = "import sys\nfrom bulkput.cli.main import main\nsys.exit(main())"
_PLAIN = "import sys\nsys.modules['isal'] = sys.modules['zlib_ng'] = None\n"
"""Makes imports of the accelerators fail, as if they were not installed."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to send the files. `preamble` is what its process runs before bulkput's own program."""

    name: str
    level: int | None
    preamble: str = ""


WAYS = (
    Way(NOTHING, None),
    Way(str(engine_for(DEFAULT_LEVEL)), DEFAULT_LEVEL),
    Way(BASE, 6, _PLAIN),
)


@dataclass(frozen=True, slots=True)
class Files:
    """What is uploaded: FILES files of the same size in one directory."""

    directory: Path
    bytes: int

    def __iter__(self) -> Iterator[Path]:
        return (self.directory / f"{number:02d}{_SUFFIX}" for number in range(FILES))


def make_files(text: bytes, directory: Path, size: int) -> Files:
    """FILES files of `size` bytes in all; each begins somewhere else in `text`, which is repeated where it is short."""
    each = -(-size // FILES)
    directory.mkdir()
    files = Files(directory, FILES * each)
    for number, path in enumerate(files):
        at = number * len(text) // FILES
        turned = text[at:] + text[:at]
        path.write_bytes((turned * -(-each // len(turned)))[:each])
    os.sync()  # or the disk is still written to while the first round runs
    return files


def check_engines() -> None:
    """Ask each way's interpreter what would compress. Raises SystemExit where that is not what it is named after."""
    for way in WAYS:
        if way.level is not None:
            ask = f"from bulkput.payload.deflate import engine_for\nprint(engine_for({way.level}))"
            command = [sys.executable, "-c", way.preamble + ask]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
            if said != way.name:
                raise SystemExit(f"{way.name} is measured, and {said} would compress")


def measure_uploads(
    server_name: str, files: Files, processors: Sequence[int], rounds: int
) -> tuple[list[Upload], list[Step]]:
    """Each way on each number of processors, `rounds` times; and beside them, what start-up alone takes."""
    uploads, steps = [], []
    turns = [(count, way) for count in processors for way in WAYS]
    with started(server_name) as (server, _):
        for number in range(1, rounds + 1):
            first = number % len(turns)
            for count, way in turns[first:] + turns[:first]:
                run = _upload(server, files, way, count, number)
                print(_line(run), file=sys.stderr)
                uploads.append(run)
            steps += [_start_up(server, files, way, number) for way in WAYS if way.level is not None]
    return uploads, steps


def _upload(server: Server, files: Files, way: Way, processors: int, number: int) -> Upload:
    container = f"z{os.getpid()}-{number}-{processors}-{WAYS.index(way)}"
    address = server.make(container)
    for path in files:  # load them into the page cache before the first run
        path.read_bytes()
    before = Usage.now()
    ran = _run(address, files.directory, way, processors)
    usage = Usage.now().since(before)
    held = server.held(container, expected=FILES)
    if ran.exit_code != 0 or held.objects != FILES:
        raise SystemExit(f"{way.name}: exit code {ran.exit_code}, stored {held.objects} of {FILES}: {ran.said}")
    looked_at = list(files) if number == 1 else [list(files)[number % FILES]]
    for path in looked_at:
        _check_stored(address, path, way)
    _drop(server, address, files, way)
    return Upload(
        server=server.name,
        way=way.name,
        processors=processors,
        round=number,
        source_bytes=files.bytes,
        sent_bytes=held.bytes,
        wall_s=ran.wall_s,
        cpu_s=ran.cpu_s,
        servers_s=usage.servers_s,
        others_s=usage.others_s,
    )


def _run(address: Address, directory: Path, way: Way, processors: int) -> process.Ran:
    usual = bulkput(address, directory)
    options = ["--gzip", "never"]
    if way.level is not None:
        options = ["--gzip", "always", "--gzip-level", str(way.level)]
        options += ["--gzip-as", "suffix"] if address.http else []  # plain HTTP stores no Content-Encoding
    command = (sys.executable, "-c", way.preamble + _PROGRAM, *usual.arguments[1:], *options)
    return process.run(command, usual.environ, cpus=",".join(map(str, range(processors))))


def _start_up(server: Server, files: Files, way: Way, number: int) -> Step:
    """The same with a file of one byte."""
    directory = files.directory.with_name("nearly-nothing")
    directory.mkdir(exist_ok=True)
    (directory / "1").write_bytes(b"1")
    container = f"z{os.getpid()}-{number}-nothing-{WAYS.index(way)}"
    ran = _run(server.make(container), directory, way, 1)
    if ran.exit_code != 0:
        raise SystemExit(f"{way.name}: exit code {ran.exit_code}: {ran.said}")
    server.drop(container)
    return Step(way=way.name, name="start-up and end of the program", round=number, cpu_s=ran.cpu_s)


def _stored_as(address: Address, path: Path, way: Way) -> str:
    return path.name + (".gz" if address.http and way.level is not None else "")


def _account(address: Address) -> Account:
    return Account(address.swift["ST_AUTH"], address.swift["ST_USER"], address.swift["ST_KEY"])


def _check_stored(address: Address, path: Path, way: Way) -> None:
    """Raises CalledProcessError where what curl and zcat make of the object is not the file."""
    url, header = f"{address.http}{_stored_as(address, path, way)}", ""
    if not address.http:
        account = _account(address)
        url = f"{account.storage_url}/{address.container}/{path.name}"
        header = f'header = "X-Auth-Token: {account.token["X-Auth-Token"]}"\n'
    unpack = "" if way.level is None else "zcat |"
    subprocess.run(
        ["sh", "-c", f'curl -fsSK - | {unpack} cmp - "$1"', "sh", str(path)],
        input=f'url = "{url}"\n{header}',
        text=True,
        check=True,
    )


def _drop(server: Server, address: Address, files: Files, way: Way) -> None:
    """Delete the objects: a Swift keeps them, and rounds of this size would fill a disk."""
    server.drop(address.container)
    if not address.http:
        account = _account(address)
        for path in files:
            account.request("DELETE", f"{address.container}/{_stored_as(address, path, way)}")


def _line(run: Upload) -> str:
    return (
        f"{run.server}, round {run.round}, {run.way}, {run.processors} processors:"
        f" {run.source_bytes / 1e6 / run.wall_s:.0f} MB/s, {run.cpu_s:.1f} s of CPU, others {run.others_s:.1f} s"
    )
