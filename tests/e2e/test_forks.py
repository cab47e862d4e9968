"""What tests/e2e/cli.py runs is the real command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.cli import bulkput


@pytest.mark.parametrize(
    "arguments",
    [
        ("upload", "-q", "--dry-run", "--encode-names", "percent", "--summary", "s.json", ".", b"\xff", "swift://c"),
        ("ls", "nowhere"),
        ("status", "a"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_fork_does_what_a_new_interpreter_does(tmp_path: Path, arguments: tuple[str | bytes, ...]) -> None:
    """Exit code, both streams, the directory, the variables, bytes that are no UTF-8, the mode of a new file."""
    for name in (b"a", b"b", b"\xff"):
        (tmp_path / os.fsdecode(name)).write_bytes(name)
    environ = {"ST_AUTH": "http://127.0.0.1:1/auth/v1.0", "ST_USER": "u", "ST_KEY": "k"}
    forked = bulkput(*arguments, environ=environ, cwd=tmp_path)
    modes = {path.name: path.stat().st_mode for path in tmp_path.iterdir()}
    (tmp_path / "s.json").unlink(missing_ok=True)
    anew = subprocess.run(
        [sys.executable, "-m", "bulkput", *arguments],
        env=os.environ | environ,
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert (forked.exit_code, forked.out, forked.err) == (anew.returncode, anew.stdout.decode(), anew.stderr.decode())
    assert modes == {path.name: path.stat().st_mode for path in tmp_path.iterdir()}
