"""One file with a login by Keystone: what of the time is the login, what are imports? Beside rclone and swiftclient.

    scripts/bench login [--rounds 10]

Whole processes, in turns, to a real Keystone in front of a real Swift. The parts below them: a login alone, as one
request from a process that runs already, and what the modules take that some of these ways to log in import.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import process
from benchmarks.contenders import SWIFT_VENV, VENV, Command
from benchmarks.turns import Measured, spread, table, turns
from tests.servers.keystone import KeystoneSwift, real_keystone_swift

BULKPUT = "bulkput, variables"
_PYTHON = str(VENV / "python")
_LOGIN_MODULE = "bulkput.stores.swift.keystone_variables"


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench login", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    rounds: int = parser.parse_args().rounds
    if rounds < 1:
        parser.error("--rounds is 1 or more")
    with real_keystone_swift() as cloud, tempfile.TemporaryDirectory(prefix="bulkput-bench-") as directory:
        file, clouds = Path(directory) / "file.txt", cloud.clouds_yaml(Path(directory) / "clouds.yaml")
        file.write_text("one file\n")
        uploads = _in_turns(_uploads(cloud, file, clouds), rounds)
        imports = _in_turns(_imports(), rounds)
        logins = [_login_s(cloud) for _ in range(rounds)]
    console = Console(width=120)
    console.print(table(uploads, BULKPUT, f"One file to Swift, login by Keystone, {rounds} rounds"))
    console.print(_part_table(imports, logins))
    return 0


def _uploads(cloud: KeystoneSwift, file: Path, clouds: Path) -> Mapping[str, Command]:
    """The container is there after the first round, as it mostly is."""
    to = (str(VENV / "bulkput"), "upload", "-q", str(file), "swift://login/a")
    rclone = ("rclone", "copyto", str(file), ":swift:login/b")
    by_credential = cloud.application_credential
    env_auth = {"RCLONE_CONFIG": os.devnull, "RCLONE_SWIFT_ENV_AUTH": "true"}
    given = {"OS_STORAGE_URL": cloud.storage_url(), "OS_AUTH_TOKEN": cloud.token()}
    swift = (str(SWIFT_VENV / "swift"), "-q", "upload", "--object-name", "c", "login", str(file))
    return {
        BULKPUT: Command(to, cloud.environment),
        "bulkput, application credential": Command(to, by_credential),
        "bulkput, clouds.yaml": Command(to, {"OS_CLOUD": "password", "OS_CLIENT_CONFIG_FILE": str(clouds)}),
        "bulkput, given token: no login": Command(to, given),
        "rclone, variables": Command(rclone, {**env_auth, **cloud.environment}),
        "swift upload, variables": Command(swift, cloud.environment),
    }


def _imports() -> Mapping[str, Command]:
    return {
        name: Command((_PYTHON, "-c", code), {})
        for name, code in (
            ("Python alone", "pass"),
            ("bulkput's login by variables", f"import {_LOGIN_MODULE}"),
            ("openstacksdk's reader of clouds.yaml", "import openstack.config"),
            ("keystoneauth1's login", "import keystoneauth1.loading, keystoneauth1.session, keystoneauth1.identity.v3"),
        )
    }


def _in_turns(commands: Mapping[str, Command], rounds: int) -> dict[str, Measured]:
    """One round first that does not count: it makes the container and fills the caches."""
    found = {name: Measured() for name in commands}
    names = list(commands)
    for number in range(rounds + 1):
        for name in turns(names, number):
            ran = process.run(commands[name].arguments, dict(commands[name].environ))
            if ran.exit_code != 0:
                raise SystemExit(f"{name}: exit code {ran.exit_code}: {ran.said}")
            if number > 0:
                found[name].add(ran)
    return found


def _login_s(cloud: KeystoneSwift) -> float:
    """Seconds of one login by password, with a new connection and no other imports."""
    began_s = time.perf_counter()
    cloud.token()
    return time.perf_counter() - began_s


def _part_table(imports: Mapping[str, Measured], logins: list[float]) -> Table:
    parts = Table("", "ms", title="Parts: a login alone, and whole processes that only import")
    parts.add_row("login by password: one request to this Keystone", spread(logins))
    for name, measured in imports.items():
        parts.add_row(name, spread(measured.wall_s))
    return parts


if __name__ == "__main__":
    sys.exit(main())
