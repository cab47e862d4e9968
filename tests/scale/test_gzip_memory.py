"""A file of more than 4 GiB, compressed while it is read. Takes a minute: scripts/test --scale."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bulkput.payload.deflate import DEFAULT_LEVEL

pytestmark = pytest.mark.scale

SIZE = 4 * 1024**3 + 12_345

PROGRAM = """
import re, shutil, sys, bulkput

def peak_kib():
    return int(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1])

with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as sink:
    reader = bulkput.GzipReader(source, level=int(sys.argv[3]))
    idle = peak_kib()
    shutil.copyfileobj(reader, sink, 64 * 1024)
print(peak_kib() - idle)
"""


@pytest.mark.parametrize("level", [DEFAULT_LEVEL, 5])
@pytest.mark.timeout(1800)
def test_a_file_above_4_gib_takes_less_than_64_mib_and_unpacks_whole(tmp_path: Path, level: int) -> None:
    """ISIZE is the size modulo 2^32 (RFC 1952, section 2.3.1), and gzip unpacks the file to the same bytes."""
    source, packed = tmp_path / "source", tmp_path / "source.gz"
    source.touch()
    os.truncate(source, SIZE)
    with source.open("r+b") as file:  # marks at both ends and at 4 GiB reveal lost or moved bytes
        for offset in (0, 2**32 - 3, SIZE - 5):
            file.seek(offset)
            file.write(b"mark!")
    command = [sys.executable, "-c", PROGRAM, str(source), str(packed), str(level)]
    more_kib = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    print(f"level {level}: {more_kib} KiB more than idle, {packed.stat().st_size} bytes from {SIZE}")
    assert more_kib < 64 * 1024
    assert packed.read_bytes()[-4:] == (12_345).to_bytes(4, "little")
    with subprocess.Popen(["gzip", "-dc", str(packed)], stdout=subprocess.PIPE) as gzip:
        subprocess.run(["cmp", "-", str(source)], stdin=gzip.stdout, check=True)
    assert gzip.returncode == 0
