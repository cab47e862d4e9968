"""Tokens that live twenty seconds, during an upload of two minutes: minutes of a real Keystone and Swift."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.keystone import real_keystone_swift

pytestmark = [pytest.mark.scale, pytest.mark.keystone]
LIFE_S = 20
SECONDS = 120
PER_S = 60
"""Less than the Swift stores, so that the run takes SECONDS."""


def test_an_upload_outlives_its_tokens_with_one_login_for_each(tmp_path: Path) -> None:
    """bulkput upload --concurrency 64. The judge is a listing by plain HTTP: rclone and keystoneauth take a token with
    less than half a minute for expired. Keystone's log has the logins."""
    for number in range(SECONDS * PER_S):
        (tmp_path / f"{number:05}").write_text(str(number))
    with real_keystone_swift(LIFE_S) as cloud:
        rate = ("--concurrency", "64", "--rate", f"{PER_S}/s")
        command = [sys.executable, "-m", "bulkput", "upload", *rate, str(tmp_path), "swift://two/p", "--summary", "-"]
        environ = {**os.environ, **cloud.environment}
        ran = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        summary = json.loads(ran.stdout.splitlines()[-1])
        ours = [agent for agent in cloud.logins() if "bulkput" in agent]
        stored = {row["name"]: row["hash"] for row in cloud.judge().rows("two")}
    puts, took_s = summary["requests"]["PUT"], summary["elapsed_s"]
    print(f"{summary['uploaded']} objects, {puts} PUTs, {took_s:.0f} s, {len(ours)} logins")
    assert (summary["uploaded"], summary["failed"], summary["retries"]) == (SECONDS * PER_S, 0, 0)
    assert SECONDS / LIFE_S <= len(ours) <= took_s / (LIFE_S * 0.8) + 1
    assert stored == {f"p/{path.name}": hashlib.md5(path.read_bytes()).hexdigest() for path in tmp_path.iterdir()}
