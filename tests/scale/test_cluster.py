"""Very many files by the workers of a real Dask cluster: a worker is killed, then the driver, and nothing is lost.

Takes minutes: scripts/test --scale. BULKPUT_TEST_CLUSTER_FILES and BULKPUT_TEST_CLUSTER_OBJECTS say how many files.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bulkput.policy.lanes import MOST
from tests.e2e.cli import bulkput
from tests.e2e.cluster_world import begun
from tests.servers.dask import RealDask, real_dask
from tests.servers.judge import S3Judge
from tests.servers.nginx import nginx_dav
from tests.servers.rgw import RealRgw
from tests.servers.s3 import RealS3

FILES = int(os.environ.get("BULKPUT_TEST_CLUSTER_FILES", "100000"))
OBJECTS = int(os.environ.get("BULKPUT_TEST_CLUSTER_OBJECTS", "5000"))
WORKERS = 3
pytestmark = [pytest.mark.scale, pytest.mark.timeout(1800)]


def made(root: Path, count: int) -> Path:
    """A tree of small files, each with bytes of its own."""
    for n in range(count):
        file = root / f"{n // 1000:03d}" / f"{n:06d}"
        if n % 1000 == 0:
            file.parent.mkdir(parents=True)
        file.write_bytes(b"%06d " % n * (1 + n % 40))
    return root


def sent_with_deaths(
    dask: RealDask,
    tree: Path,
    url: str,
    journal: Path,
    stored: Callable[[], int],
    count: int,
    *flags: str,
    environ: Mapping[str, str] | None = None,
) -> None:
    """Kill a worker when a quarter is stored, the driver at half; run again to the end. Prints what was sent twice."""
    own = {**os.environ, **(environ or {})}
    words = (*flags, "--journal", str(journal))
    running = begun(dask, tree, url, *words, when=lambda: stored() > count // 4, environ=own)
    dask.kill_worker(next(address for address, each in dask.workers.items() if each.poll() is None))
    while stored() < count // 2 and running.poll() is None:
        time.sleep(0.02)
    assert running.poll() is None
    running.kill()
    running.communicate()
    before = stored()
    again = ("--summary", "-", "--journal", journal)
    ran = bulkput("upload", "--cluster", dask.address, *again, tree, url, environ=environ)
    assert ran.exit_code == 0, ran.err
    summary = json.loads(ran.out)
    assert summary["uploaded"] + summary["skipped"] == count and summary["failed"] == 0
    twice = before + summary["uploaded"] - count
    print(f"{count} files: {before} stored when the driver was killed, {summary['uploaded']} sent by the second run,")
    print(f"so {twice} twice at least; the journal had {summary['skipped']}")
    assert twice <= WORKERS * MOST
    assert summary["skipped"] > 0


def test_a_hundred_thousand_files_arrive_at_nginx_whatever_is_killed(tmp_path: Path) -> None:
    """diff -r finds no difference."""
    tree = made(tmp_path / "tree", FILES)
    (tmp_path / "files").mkdir()
    puts = tmp_path / "puts"
    with nginx_dav(tmp_path / "files", locations=f"access_log {puts} checksums;") as nginx, real_dask(WORKERS) as dask:
        sent_with_deaths(
            dask, tree, f"{nginx.url}/", tmp_path / "up.db", lambda: puts.read_bytes().count(b"PUT "), FILES
        )
        assert subprocess.run(["diff", "-r", tree, nginx.root], check=False).returncode == 0
        sent = puts.read_bytes().count(b"PUT ")
        print(f"{sent} PUTs for {FILES} files")
        assert sent - FILES <= 2 * WORKERS * MOST


@pytest.mark.rgw
def test_thousands_of_objects_arrive_in_s3_whatever_is_killed(tmp_path: Path, rgw: RealRgw, rgw_s3: RealS3) -> None:
    """bulkput verify says identical."""
    tree, bucket = made(tmp_path / "tree", OBJECTS), rgw_s3.make_bucket()
    judge, environ = S3Judge(rgw_s3), rgw_s3.environment
    url = f"s3://{bucket}/p"
    slowly = ("--rate", "150")  # a listing takes so long that the run would end before
    with real_dask(WORKERS) as dask:
        sent_with_deaths(
            dask, tree, url, tmp_path / "up.db", lambda: len(judge.names(bucket)), OBJECTS, *slowly, environ=environ
        )
    verified = bulkput("verify", tree, url, environ=environ)
    assert verified.exit_code == 0, verified.err
    assert bulkput("rm", "-r", "--yes", url, environ=environ).exit_code == 0
    rgw.collect_garbage()
