"""A build of 300 files of which 40 have changed: how long does publishing take, beside rclone and swiftclient?

    scripts/bench publish [--rounds 10]

Whole processes, in turns, to a real Swift, with a login by a real Keystone. As in CI, every file is written anew, so
times of files say nothing: each program compares MD5s. After each turn a listing proves that the build is there.
"""

import argparse
import hashlib
import os
import random
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from benchmarks import process
from benchmarks.contenders import SWIFT_VENV, VENV, Command
from benchmarks.turns import Measured, table, turns
from tests.servers.keystone import KeystoneSwift, real_keystone_swift

FILES, CHANGED = 300, 40
BULKPUT = "bulkput upload --skip identical"
_SIZES = (1_000, 4_000, 20_000, 60_000)
"""Bytes of the files, in turn: pages, scripts and small pictures."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench publish", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    rounds: int = parser.parse_args().rounds
    if rounds < 1:
        parser.error("--rounds is 1 or more")
    with real_keystone_swift() as cloud, tempfile.TemporaryDirectory(prefix="bulkput-bench-") as directory:
        found = _in_turns(cloud, Path(directory), rounds)
    title = f"{FILES} files, {CHANGED} of them changed, to Swift with a login by Keystone, {rounds} rounds"
    Console(width=130).print(table(found, BULKPUT, title))
    return 0


def _commands(cloud: KeystoneSwift, build: Path) -> Mapping[str, tuple[str, Command]]:
    """Each with a container of its own. rclone and swift are as quick as their options make them."""
    rclone_environ = {"RCLONE_CONFIG": os.devnull, "RCLONE_SWIFT_ENV_AUTH": "true", **cloud.environment}
    rclone = ("rclone", "copy", "--checksum", "--fast-list", "--transfers", "32", "--checkers", "32")
    swift = (
        "env",
        "-C",
        str(build),
        str(SWIFT_VENV / "swift"),
        "-q",
        "upload",
        "--skip-identical",
        "--object-threads",
        "32",
    )
    ours = (str(VENV / "bulkput"), "upload", "-q", "--skip", "identical")
    return {
        BULKPUT: ("a", Command((*ours, str(build), "swift://a"), cloud.environment)),
        f"{BULKPUT} --last": ("b", Command((*ours, "--last", "*.html", str(build), "swift://b"), cloud.environment)),
        "rclone copy --checksum --fast-list, 32 transfers": (
            "c",
            Command((*rclone, str(build), ":swift:c"), rclone_environ),
        ),
        "swift upload --skip-identical, 32 threads": (
            "d",
            Command((*swift, "d", "."), cloud.environment),
        ),
    }


def _in_turns(cloud: KeystoneSwift, directory: Path, rounds: int) -> dict[str, Measured]:
    """The first round sends everything, and does not count."""
    chance = random.Random(300)
    build = directory / "build"
    contents = {_name(number): chance.randbytes(_SIZES[number % len(_SIZES)]) for number in range(FILES)}
    commands = _commands(cloud, build)
    found = {name: Measured() for name in commands}
    names = list(commands)
    for number in range(rounds + 1):
        for name in chance.sample(sorted(contents), CHANGED):
            contents[name] = chance.randbytes(len(contents[name]))
        _write(build, contents)
        for name in turns(names, number):
            container, command = commands[name]
            ran = process.run(command.arguments, dict(command.environ))
            if ran.exit_code != 0:
                raise SystemExit(f"{name}: exit code {ran.exit_code}: {ran.said}")
            _prove(cloud, container, contents, name)
            if number > 0:
                found[name].add(ran)
    return found


def _name(number: int) -> str:
    suffix = ("html", "js", "css", "png")[number % 4]
    return f"{number % 12:02}/{number:03}.{suffix}"


def _write(build: Path, contents: Mapping[str, bytes]) -> None:
    for name, content in contents.items():
        (build / name).parent.mkdir(parents=True, exist_ok=True)
        (build / name).write_bytes(content)


def _prove(cloud: KeystoneSwift, container: str, contents: Mapping[str, bytes], who: str) -> None:
    listed = {row["name"]: row["hash"] for row in cloud.judge().rows(container)}
    if listed != {name: hashlib.md5(content).hexdigest() for name, content in contents.items()}:
        raise SystemExit(f"{who}: the container does not hold the build")


if __name__ == "__main__":
    sys.exit(main())
