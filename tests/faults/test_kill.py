"""SIGKILL at random moments, then a resumed run: every object is stored, and few are sent twice."""

import random
import re
import signal
import subprocess
import sys
import time
from bisect import bisect
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.cli import bulkput
from tests.ledger import Ledger
from tests.servers.nginx import nginx_dav

CONCURRENCY = 32
BEHIND_S = 0.5
"""The journal promises to be at most this far behind the store, in seconds."""
LOGGED = """
location /k/ {
    root {{root}};
    client_max_body_size 0;
    dav_methods PUT;
    create_full_put_path on;
    dav_access user:rw;
    access_log LOG;
}
"""


@pytest.mark.nginx
@pytest.mark.parametrize(
    ("kills", "files"), [(4, 1_500), pytest.param(25, 20_000, marks=pytest.mark.scale)], ids=["4 kills", "25 kills"]
)
def test_a_repeatedly_killed_run_ends_with_every_object_stored(
    tmp_path: Path, ledger: Ledger, kills: int, files: int
) -> None:
    """diff(1) finds no difference; only objects in flight or not yet in the journal are sent twice."""
    chance = random.Random(kills)
    source, log, journal = tmp_path / "source", tmp_path / "access.log", tmp_path / "up.db"
    contents = make(source, files, chance)
    with nginx_dav(locations=LOGGED.replace("LOG", str(log))) as nginx:
        command = [
            "upload",
            "--concurrency",
            str(CONCURRENCY),
            "--journal",
            str(journal),
            str(source),
            f"{nginx.url}/k/",
        ]
        allowed = 0
        for _ in range(kills):
            allowed += killed_midway(command, chance.randint(1, 2 * files // kills))
        last = bulkput(*command, "--summary", "-")
        assert last.exit_code == 0 and last.summary["found"] == files, last.err
        subprocess.run(["diff", "-r", source, nginx.root / "k"], check=True)
        stored = {str(path.relative_to(nginx.root / "k")): path.read_bytes() for path in nginx.root.rglob("f*")}
    puts = Counter(re.findall(r'"PUT /k/(\S+) HTTP/1.1" 20[14]', log.read_text()))
    assert puts.keys() == contents.keys()
    row = ledger.note(
        f"kill -9, {kills} times",
        "nginx",
        source=contents,
        stored=stored,
        uploaded=stored.keys(),
        tried=files,
        puts=puts.total(),
        exit_code=last.exit_code,
    )
    assert row.is_whole and row.sent_twice <= allowed


def make(root: Path, files: int, chance: random.Random) -> dict[str, bytes]:
    root.mkdir()
    contents = {f"f{number:05d}": chance.randbytes(chance.randint(0, 4096)) for number in range(files)}
    for name, content in contents.items():
        (root / name).write_bytes(content)
    return contents


def killed_midway(command: list[str], after: int) -> int:
    """Runs until `after` objects are uploaded, sends SIGKILL, and gives how many objects may be sent again.

    That is the objects in flight and the number uploaded in the busiest half second.
    """
    arrived: list[float] = []
    with subprocess.Popen(
        [sys.executable, "-m", "bulkput", *command, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if '"event": "uploaded"' in line:
                arrived.append(time.monotonic())
            if len(arrived) == after:
                run.send_signal(signal.SIGKILL)
        assert run.wait() in (-signal.SIGKILL, 0)  # 0: it had finished before the signal
    busiest = max((bisect(arrived, began_s + BEHIND_S) - number for number, began_s in enumerate(arrived)), default=0)
    return CONCURRENCY + CONCURRENCY // 4 + busiest
