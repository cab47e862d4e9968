"""`bulkput upload --cluster` to a store of another package, of which driver and workers have different versions."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.plugin import URL, installed
from tests.servers.dask import real_dask

FILES = 200
NEWER = "class OddError(StoreError): pass"

pytestmark = pytest.mark.timeout(180)


def test_an_answer_that_the_driver_cannot_open_fails_its_file_alone(tmp_path: Path) -> None:
    """The workers' store raises an error of a class that the driver's does not have. All others are stored."""
    (tree := tmp_path / "tree").mkdir()
    for n in range(FILES):
        (tree / f"{n:04d}").write_bytes(os.urandom(n))
    raises = "if key.endswith('0042'): raise OddError('put', key, 'odd')"
    theirs = installed(tmp_path / "theirs", raises, before=NEWER)
    ours = installed(tmp_path / "ours", "pass") | {"FILE_STORE_ROOT": theirs["FILE_STORE_ROOT"]}
    with real_dask(0) as dask:
        for _ in range(2):
            dask.start_worker(environ=theirs)
        words = ["upload", "--cluster", dask.address, "--summary", "-", str(tree), URL]
        ran = subprocess.run(
            [sys.executable, "-m", "bulkput", *words],
            env={**os.environ, **ours},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert ran.returncode == 1, ran.stderr
    summary = json.loads(ran.stdout.splitlines()[-1])
    assert (summary["uploaded"], summary["failed"], summary["workers_lost"]) == (FILES - 1, 1, 3)
    assert "its answer cannot be read here: AttributeError: Can't get attribute 'OddError'" in ran.stderr
    assert f"{tree}/0042" in ran.stderr and "Traceback" not in ran.stderr
