"""Programs that are not ours, asked how a tree and a prefix in S3 differ: rclone, Amazon's command line and s5cmd.

The last two compare times, and stores tell those in whole seconds: a file has to be a second older than its object.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.servers.s3 import RealS3

AWS = Path(__file__).resolve().parents[2] / "scripts" / "aws"
S5CMD = Path(sys.executable).parent / "s5cmd"


def rclone_differences(server: RealS3, tree: Path, place: str) -> list[str]:
    """Compares the bytes themselves: `rclone check --download`. `place` is BUCKET or BUCKET/PREFIX.

    Gives a line for each file: `+` is only in the tree, `-` only in the store, `*` differs, `!` cannot be read.
    """
    command = ("rclone", "check", "--download", "--combined", "-", str(tree), f":s3:{place}")
    done = _run(command, rclone_environ(server))
    lines = [line for line in done.stdout.splitlines() if not line.startswith("= ")]
    assert done.returncode == (1 if lines else 0), done.stderr
    return lines


def rclone_environ(server: RealS3) -> dict[str, str]:
    """The variables of rclone's remote `:s3:`."""
    return {
        "RCLONE_CONFIG": os.devnull,
        "RCLONE_S3_PROVIDER": "Other",
        "RCLONE_S3_ENDPOINT": server.endpoint,
        "RCLONE_S3_ACCESS_KEY_ID": server.access_key,
        "RCLONE_S3_SECRET_ACCESS_KEY": server.secret_key,
        "RCLONE_S3_REGION": server.region,
    }


def aws_would(server: RealS3, tree: Path, place: str) -> list[str]:
    """What `aws s3 sync --delete --dryrun` would do, a line for each file: it compares sizes and times."""
    done = _run((str(AWS), "s3", "sync", "--delete", "--dryrun", str(tree), f"s3://{place}"), server.environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def s5cmd_would(server: RealS3, tree: Path, place: str) -> list[str]:
    """What `s5cmd sync --delete` would do, a line for each file: it compares sizes and times."""
    sync = ("--dry-run", "sync", "--delete", f"{tree}/", f"s3://{place}/")
    done = _run((str(S5CMD), "--endpoint-url", server.endpoint, *sync), server.environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def _run(command: tuple[str, ...], environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env={**os.environ, **environ}, capture_output=True, text=True, check=False)
