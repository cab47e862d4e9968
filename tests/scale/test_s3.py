"""A tree of thousands of files and a file of 2 GiB in a real S3 (Ceph's gateway), judged by programs that are not ours.

Takes minutes, and some 5 GiB of memory: scripts/test --scale.
"""

import os
import time
from pathlib import Path
from random import Random

import pytest

from bulkput.options import MIB
from tests.e2e.cli import bulkput
from tests.servers.judge import S3Judge
from tests.servers.rgw import RealRgw
from tests.servers.s3 import RealS3
from tests.servers.s3_judges import aws_would, rclone_differences, s5cmd_would

FILES, LARGE_MIB = 5000, 2048
pytestmark = [pytest.mark.scale, pytest.mark.rgw, pytest.mark.aws, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of 0 to 30 KiB with odd names among them, and a large one; all are an hour old."""
    root, chance = tmp_path_factory.mktemp("s3") / "tree", Random(7)
    for n in range(FILES):
        odd = ("", " b", "+ü", "#?&", "日本", "%41")[n % 6]
        file = root / f"{n // 100:03d}{odd}" / f"{n:05d}{odd}.bin"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(chance.randbytes(chance.randrange(30_000)))
    with (root / "large").open("wb") as large:
        for _ in range(LARGE_MIB):
            large.write(chance.randbytes(MIB))
    then = time.time() - 3600
    for folder, _, files in os.walk(root):
        for name in files:
            os.utime(os.path.join(folder, name), (then, then))
    return root


def test_rclone_aws_and_s5cmd_find_no_difference(rgw: RealRgw, rgw_s3: RealS3, tree: Path) -> None:
    """bulkput upload, verify, --skip identical --delete-extra; rclone check --download; aws s3 sync; s5cmd sync"""
    bucket = rgw_s3.make_bucket()
    to, environ = f"s3://{bucket}/p", rgw_s3.environment
    sent = bulkput("upload", tree, to, "--segment-above", "24M", "--summary", "-", environ=environ)
    assert sent.exit_code == 0, sent.err
    assert (sent.summary["uploaded"], sent.summary["failed"]) == (FILES + 1, 0)
    assert rclone_differences(rgw_s3, tree, f"{bucket}/p") == []
    assert aws_would(rgw_s3, tree, f"{bucket}/p") == []
    assert s5cmd_would(rgw_s3, tree, f"{bucket}/p") == []
    same = bulkput("verify", tree, to, environ=environ)
    assert same.exit_code == 0, same.err
    again = bulkput("upload", tree, to, "--skip", "identical", "--delete-extra", "--summary", "-", environ=environ)
    assert again.exit_code == 0 and (again.summary["uploaded"], again.summary["skipped"]) == (0, FILES + 1), again.err
    assert bulkput("rm", "-r", "--yes", to, environ=environ).exit_code == 0
    assert S3Judge(rgw_s3).names(bucket) == []
    rgw.collect_garbage()
