"""The contenders: each is the command that a user would type, with 64 requests in flight if it can.

One that is not installed is named as missing. What a contender leaves undone (an MD5, a check) stands in its `note`,
because it is part of what it costs.
"""

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import s3_contenders
from benchmarks.command import Command
from benchmarks.s3_contenders import AWS, IN_FLIGHT, RCLONE_TRANSFERS, VENV, aws_2
from benchmarks.servers import Address

HERE = Path(__file__).parent
NO_HTTP = "plain HTTP only, the server wants a token"
NO_SWIFT = "speaks Swift only, the server S3"
SWIFT_VENV = Path(os.environ.get("SWIFT_VENV", HERE.parent / ".tools" / "swift-venv")) / "bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """`command(address, tree)` returns a sentence if the contender must be left out: the reason."""

    name: str
    version: Callable[[], str | None]
    """None: not installed."""
    command: Callable[[Address, Path], Command | str]
    note: str = ""
    is_asked_for: bool = False
    """It runs only if it is named: it answers a question of its own."""


def _package(name: str) -> Callable[[], str | None]:
    def version() -> str | None:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return None

    return version


def program(path: str, *arguments: str) -> Callable[[], str | None]:
    def version() -> str | None:
        program = shutil.which(path)
        if program is None:
            return None
        said = subprocess.run([program, *arguments], capture_output=True, text=True, check=False).stdout
        return " ".join(said.split()[:2])

    return version


def _python(script: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"benchmarks.{script}", *arguments)


def _baseline(way: str) -> Callable[[Address, Path], Command | str]:
    def command(address: Address, tree: Path) -> Command | str:
        if address.is_s3_alone:
            return NO_SWIFT
        return Command(_python("baselines", way, str(tree), address.container), address.environ)

    return command


def bulkput(address: Address, tree: Path, *more: str, in_flight: str = IN_FLIGHT) -> Command:
    if address.is_s3_alone:
        return s3_contenders.bulkput(address, tree, *more, in_flight=in_flight)
    to = address.http or f"swift://{address.container}"
    program = (str(VENV / "bulkput"), "upload", str(tree), to, "-q", "--concurrency", in_flight)
    return Command((*program, *more), address.environ)


def _bulkput_on_aiohttp(address: Address, tree: Path) -> Command:
    return bulkput(address, tree, "--transport", "aiohttp")


def _bulkput_with_a_journal(address: Address, tree: Path) -> Command:
    journal = f"{tree}.journal"
    run = bulkput(address, tree, "--journal", journal)
    fresh = ("sh", "-c", 'rm -f "$1" "$1"-*; shift; exec "$@"', "sh", journal)
    return Command((*fresh, *run.arguments), run.environ)


def _bulkput_with_md5(address: Address, tree: Path) -> Command | str:
    if not address.http:
        return "the store checks an MD5, so bulkput has one anyway"
    return bulkput(address, tree, "--gzip", "always", "--gzip-as", "suffix", "--gzip-except", "*.bin")


def _plain_aiohttp(address: Address, tree: Path) -> Command | str:
    if address.is_s3_alone:
        return "speaks Swift and plain HTTP, the server S3"
    return Command(_python("plain_aiohttp", str(tree), address.http or address.container), address.environ)


def _curl(address: Address, tree: Path) -> Command | str:
    return Command(_python("curl_put", str(tree), address.http), address.trust) if address.http else NO_HTTP


def _curl_and_md5sum(address: Address, tree: Path) -> Command | str:
    command = _python("curl_put", str(tree), address.http, "md5sum")
    return Command(command, address.trust) if address.http else NO_HTTP


def _swiftclient(address: Address, tree: Path) -> Command | str:
    if address.is_s3_alone:
        return NO_SWIFT
    unchecked = () if address.proves_bytes else ("--ignore-checksum",)
    swift = (str(SWIFT_VENV / "swift"), "-q", "upload", *unchecked, "--object-threads", IN_FLIGHT)
    return Command((*swift, address.container, str(tree)), address.environ)


def _rclone(address: Address, tree: Path) -> Command | str:
    if address.is_s3_alone:
        return s3_contenders.rclone(address, tree)
    if not address.proves_bytes:
        return "its Swift library wants an ETag in the answers, and no flag talks it out of that"
    rclone = ("rclone", "copy", "--transfers", RCLONE_TRANSFERS, "--no-check-dest")
    return Command((*rclone, str(tree), f":swift:{address.container}"), rclone_environ(address))


def rclone_environ(address: Address) -> dict[str, str]:
    return {
        "RCLONE_CONFIG": os.devnull,
        "RCLONE_SWIFT_AUTH": address.swift["ST_AUTH"],
        "RCLONE_SWIFT_USER": address.swift["ST_USER"],
        "RCLONE_SWIFT_KEY": address.swift["ST_KEY"],
    }


CONTENDERS = (
    Contender(
        name="bindings of 2009",
        version=lambda: "HEAD, HEAD, PUT, one by one",
        command=_baseline("bindings"),
        note="naive baseline; no MD5",
    ),
    Contender(
        name="REST of 2009",
        version=lambda: "http.client, one by one",
        command=_baseline("rest"),
        note="naive baseline; no MD5",
    ),
    Contender(
        name="bulkput",
        version=_package("bulkput"),
        command=bulkput,
        note="one request per object; MD5 where the store checks one: not on nginx, but by S3, which also has SHA-256"
        " signed",
    ),
    Contender(
        name="bulkput on aiohttp",
        version=_package("aiohttp"),
        command=_bulkput_on_aiohttp,
        note="the same with --transport aiohttp",
    ),
    Contender(
        name="bulkput with MD5",
        version=_package("bulkput"),
        command=_bulkput_with_md5,
        note="the same with --gzip, which needs an MD5 of each file, and all files excepted from compression",
    ),
    Contender(
        name="bulkput with a journal",
        version=_package("bulkput"),
        command=_bulkput_with_a_journal,
        note="the same with --journal, a new one",
        is_asked_for=True,
    ),
    Contender(
        name="plain aiohttp",
        version=_package("aiohttp"),
        command=_plain_aiohttp,
        note="64 in flight, MD5 sent; no walk, retries or checks",
    ),
    Contender(
        name="python-swiftclient",
        version=program(str(SWIFT_VENV / "swift"), "--version"),
        command=_swiftclient,
        note="HEAD and PUT per object",
    ),
    Contender(
        name="rclone",
        version=program("rclone", "version"),
        command=_rclone,
        note=f"HEAD and PUT per object; {RCLONE_TRANSFERS} transfers",
    ),
    Contender(
        name="aws-cli",
        version=program(str(AWS), "--version"),
        command=s3_contenders.aws,
        note="S3; its own transfers, 64 at once; a checksum of its own beside the signature",
    ),
    Contender(
        name="aws-cli, CRT",
        version=lambda: aws_2() and program(str(aws_2()), "--version")(),
        command=s3_contenders.aws_crt,
        note="S3; preferred_transfer_client = crt, which decides itself how much is in flight",
    ),
    Contender(
        name="CRT",
        version=_package("awscrt"),
        command=s3_contenders.crt,
        note="S3; the same library alone, which decides itself how much is in flight; no SHA-256 signed",
    ),
    Contender(
        name="s5cmd",
        version=program(str(VENV / "s5cmd"), "version"),
        command=s3_contenders.s5cmd,
        note="S3; SHA-256 signed",
    ),
    Contender(
        name="obstore",
        version=_package("obstore"),
        command=s3_contenders.obstore,
        note="Rust; plain HTTP or S3, no MD5",
    ),
    Contender(name="curl -Z", version=program("curl", "--version"), command=_curl, note="plain HTTP, no MD5"),
    Contender(
        name="curl -Z and md5sum",
        version=program("curl", "--version"),
        command=_curl_and_md5sum,
        note="curl -Z as above, and md5sum of the same files at the same time: two processes; MD5s are not compared",
    ),
)
