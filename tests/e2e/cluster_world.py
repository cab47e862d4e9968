"""Uploads by a Dask cluster as processes, which tests kill in the middle."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.servers.dask import RealDask

_LIMIT_S = 120


def begun(
    dask: RealDask,
    tree: Path,
    url: str,
    *flags: str,
    when: Callable[[], bool],
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> "subprocess.Popen[str]":
    """Starts `bulkput upload --cluster`, and gives its process as soon as `when` is true."""
    words = ["upload", "--cluster", dask.address, "--summary", "-", *flags, str(tree), url]
    process = subprocess.Popen(
        [sys.executable, "-m", "bulkput", *words],
        cwd=cwd,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + _LIMIT_S
    while not when():
        assert process.poll() is None and time.monotonic() < until, process.communicate()
        time.sleep(0.02)
    return process
