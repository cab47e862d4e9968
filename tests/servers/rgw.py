"""A real Ceph RGW for tests: Swift and S3 in one server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.swift import RealSwift, started

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "rgw"
PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "radosgw")


def why_missing() -> str | None:
    """Says why there is no RGW on this machine; None if there is one."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    return f"no Ceph RGW here ({', '.join(missing)}): scripts/rgw install says why" if missing else None


@contextmanager
def real_rgw() -> Iterator[RealSwift]:
    """Gives the RGW of BULKPUT_TEST_RGW_AUTH, _USER and _KEY, else a new one that ends with the block.

    Its S3 is at the root of the same server, with the same user and key.
    """
    if auth_url := os.environ.get("BULKPUT_TEST_RGW_AUTH"):
        yield RealSwift(auth_url, os.environ["BULKPUT_TEST_RGW_USER"], os.environ["BULKPUT_TEST_RGW_KEY"])
        return
    with started(SCRIPT) as server:
        yield server
