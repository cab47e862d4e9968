"""A real OpenStack Swift for tests."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "swift"


@dataclass(frozen=True, slots=True)
class RealSwift:
    """Login URL and credentials. The account also speaks S3: access key `user`, secret `key`."""

    auth_url: str
    user: str
    key: str = field(repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that bulkput and python-swiftclient read."""
        return {"ST_AUTH": self.auth_url, "ST_USER": self.user, "ST_KEY": self.key}


@contextmanager
def real_swift() -> Iterator[RealSwift]:
    """Gives the Swift of BULKPUT_TEST_SWIFT_AUTH, _USER and _KEY, else a new one that ends with the block."""
    if auth_url := os.environ.get("BULKPUT_TEST_SWIFT_AUTH"):
        user, key = os.environ["BULKPUT_TEST_SWIFT_USER"], os.environ["BULKPUT_TEST_SWIFT_KEY"]
        yield RealSwift(auth_url, user, key)
        return
    with started(SCRIPT) as server:
        yield server


@contextmanager
def started(script: Path) -> Iterator[RealSwift]:
    """Runs a new server by `scripts/swift` or a script like it; it ends with the block."""
    with script_running(script, variables=("ST_AUTH", "ST_USER", "ST_KEY")) as values:
        yield RealSwift(*values)


@contextmanager
def script_running(
    script: Path, *options: str, variables: Sequence[str], environ: Mapping[str, str] | None = None
) -> Iterator[list[str]]:
    """Runs a script's servers until the block ends. Gives the values of `variables`, none of which has a space.

    The script runs `cat` with our pipe as its input: when this process ends for any reason, `cat` reads the end of its
    input and the script stops the servers. A session of its own keeps Ctrl-C away from it.
    """
    values = " ".join(f"${name}" for name in variables)
    command = [str(script), "run", *options, "sh", "-c", f'echo "{values}" && exec cat']
    with subprocess.Popen(
        command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        answer = process.stdout.readline().split()
        if len(answer) != len(variables):
            raise RuntimeError(f"{script} run: exit status {process.wait()}; the reason is on standard error")
        try:
            yield answer
        finally:
            process.stdin.close()
            process.wait()
