"""From a real Swift to the S3 of a real Ceph RGW and back: many objects, and one of gigabytes. Takes minutes.

rclone, which shares no code with bulkput, compares both sides byte by byte (`rclone check --download`). Small numbers:
BULKPUT_TEST_OBJECTS and BULKPUT_TEST_MIB.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.scale.test_large import peak_of
from tests.servers.judge import SwiftJudge
from tests.servers.s3 import RealS3
from tests.servers.swift import RealSwift

pytestmark = [pytest.mark.scale, pytest.mark.swift, pytest.mark.rgw, pytest.mark.timeout(3600)]
MIB = 1024 * 1024
OBJECTS = int(os.environ.get("BULKPUT_TEST_OBJECTS", "5000"))
LARGE_MIB = int(os.environ.get("BULKPUT_TEST_MIB", "2048"))
MOST_KIB = 160 * 1024
"""The interpreter and aiohttp, 64 uploads of up to 1 MiB, and what is on its way of eight parts."""


def run(environ: dict[str, str], *arguments: str | Path) -> tuple[dict[str, int], int]:
    """Runs an upload in a process of its own. Gives its summary, and its peak memory in KiB."""
    command = [sys.executable, "-m", "bulkput", "upload", "--progress", "none", "--summary", "-", *map(str, arguments)]
    with subprocess.Popen(command, env={**os.environ, **environ}, stdout=subprocess.PIPE, text=True) as process:
        exit_code, peak = peak_of(process)
        assert process.stdout is not None
        said = process.stdout.read()
    assert exit_code == 0, said
    return json.loads(said.splitlines()[-1]), peak


def rclone_check(swift: RealSwift, s3: RealS3, one: str, other: str) -> None:
    """Raises if an object is missing, or has other bytes."""
    environ = {
        **os.environ,
        "RCLONE_CONFIG_SW_TYPE": "swift",
        "RCLONE_CONFIG_SW_AUTH": swift.auth_url,
        "RCLONE_CONFIG_SW_USER": swift.user,
        "RCLONE_CONFIG_SW_KEY": swift.key,
        "RCLONE_CONFIG_S3_TYPE": "s3",
        "RCLONE_CONFIG_S3_PROVIDER": "Ceph",
        "RCLONE_CONFIG_S3_ENDPOINT": s3.endpoint,
        "RCLONE_CONFIG_S3_ACCESS_KEY_ID": s3.access_key,
        "RCLONE_CONFIG_S3_SECRET_ACCESS_KEY": s3.secret_key,
    }
    subprocess.run(["rclone", "check", "--download", one, other], env=environ, check=True, capture_output=True)


def test_there_and_back_every_object_is_the_same_in_bounded_memory(
    swift: RealSwift, rgw_s3: RealS3, tmp_path: Path
) -> None:
    """Bytes, types and metadata. The large one is large in both. A run with a journal copies nothing again."""
    tree, chance = tmp_path / "tree", random.Random(7)
    for number in range(OBJECTS):
        file = tree / f"{number // 500:03d}" / f"f{number:05d}{chance.choice(['.txt', '.png', ''])}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(chance.randbytes(chance.randint(0, 20_000)))
    with (tree / "large.bin").open("wb") as large:
        for _ in range(LARGE_MIB):
            large.write(chance.randbytes(MIB))
    container, bucket = f"s2s-{uuid.uuid4().hex[:8]}", rgw_s3.make_bucket()
    environ = {**swift.environment, **rgw_s3.environment}
    parts = ("--segment-size", "8M", "--segment-above", "16M")
    run(environ, *parts, "--meta", "Color: red", tree, f"swift://{container}/x/")
    there, back = (f"swift://{container}/x/", f"s3://{bucket}/y/"), (f"s3://{bucket}/y/", f"swift://{container}/z/")
    for way, (one, other) in {"there": there, "back": back}.items():
        journal = ("--journal", tmp_path / f"{way}.db")
        summary, peak = run(environ, "--segment-above", "16M", *journal, one, other)
        assert summary["uploaded"] == OBJECTS + 1
        assert peak <= MOST_KIB, peak
        again, _ = run(environ, "--segment-above", "16M", *journal, one, other)
        assert again["uploaded"] == 0
        print(way, summary["elapsed_s"], "s,", peak, "KiB")
    rclone_check(swift, rgw_s3, f"sw:{container}/x", f"s3:{bucket}/y")
    rclone_check(swift, rgw_s3, f"sw:{container}/z", f"s3:{bucket}/y")
    judge = SwiftJudge(swift.auth_url, swift.user, swift.key)
    fields = ("Content-Type", "X-Object-Meta-Mtime", "X-Object-Meta-Color", "X-Static-Large-Object")
    for row in judge.rows(container)[:: max(1, OBJECTS // 50)]:
        if row["name"].startswith("x/"):
            before, after = judge.head(container, row["name"]), judge.head(container, "z/" + row["name"][2:])
            assert {name: before.get(name) for name in fields} == {name: after.get(name) for name in fields}
    assert judge.head(container, "z/large.bin")["X-Static-Large-Object"] == "True"
    etag = rgw_s3.client().head_object(Bucket=bucket, Key="y/large.bin")["ETag"]
    assert etag.endswith(f'-{LARGE_MIB // 8}"')
