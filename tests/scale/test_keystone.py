"""Tokens that live twenty seconds, during an upload of two minutes: minutes of a real Keystone and Swift."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.cli import bulkput
from tests.servers.keystone import real_keystone_swift

pytestmark = [pytest.mark.scale, pytest.mark.keystone]
LIFE_S = 20
SECONDS = 120
PER_S = 80
"""Less than the Swift stores, so that the run takes SECONDS."""


def test_an_upload_outlives_its_tokens_with_one_login_for_each(tmp_path: Path) -> None:
    """bulkput upload --concurrency 64, then rclone check; Keystone's log has the times of the logins"""
    for number in range(SECONDS * PER_S):
        (tmp_path / f"{number:05}").write_text(str(number))
    with real_keystone_swift(LIFE_S) as cloud:
        rate = ("--concurrency", "64", "--rate", f"{PER_S}/s")
        ran = bulkput("upload", *rate, tmp_path, "swift://two/p", "--summary", "-", environ=cloud.environment)
        assert ran.exit_code == 0, ran.err
        summary = ran.summary
        ours = [agent for agent in cloud.logins() if "bulkput" in agent]
        settings = {"RCLONE_CONFIG": os.devnull, "RCLONE_SWIFT_ENV_AUTH": "true"}
        judged = subprocess.run(
            ["rclone", "check", str(tmp_path), ":swift:two/p"],
            env={**os.environ, **cloud.environment, **settings},
            capture_output=True,
            text=True,
            check=False,
        )
    puts, took_s = summary["requests"]["PUT"], summary["elapsed_s"]
    print(f"{summary['uploaded']} objects, {puts} PUTs, {took_s:.0f} s, {len(ours)} logins")
    assert (summary["uploaded"], summary["failed"], summary["retries"]) == (SECONDS * PER_S, 0, 0)
    assert SECONDS / LIFE_S <= len(ours) <= took_s / (LIFE_S * 0.8) + 1
    assert judged.returncode == 0, judged.stderr
