"""tests/e2e/forks.py runs commands in the same way as a new interpreter."""

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
def test_a_forked_command_behaves_like_a_new_interpreter(tmp_path: Path, arguments: tuple[str | bytes, ...]) -> None:
    """bulkput upload, ls and status: same exit code, streams, directory, variables, names and mode of a new file."""
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
