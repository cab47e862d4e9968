"""The servers of a small but real Ceph RGW: a monitor, one OSD with its data in memory, and the gateway.

`scripts/rgw` runs this file; `supervisor` starts, watches and ends them. Ceph's object gateway speaks Swift and S3. It
needs neither root nor a disk of its own: the OSD's memstore holds what is stored, until it ends.
"""

from __future__ import annotations

import os
import signal
import sys
import uuid
from pathlib import Path

import keystone_server
from supervisor import Cluster, Script, is_listening

USER, KEY = "test:tester", "testing"

# One replica, few placement groups and no authentication within the cluster: it has three processes and no neighbours.
# mon data avail crit: else a disk with less than 5 % free ends the monitor, although it stores nearly nothing.
# paxos propose interval: by default each of the gateway's pools takes the monitor a second or two.
# osd crush update on start: an OSD that does not know the fsid yet is refused ("wrong fsid"), and ends. We do it.
# rgw crypt require ssl: keys of customers (SSE-C) come over plain HTTP as well.
# rgw swift account in url: the storage URL ends in /v1/AUTH_test, as Swift's do.
CONFIG = """
[global]
fsid = {fsid}
mon host = v1:127.0.0.1:{mon}
ms bind msgr2 = false
public addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
mon data = {root}/mon
osd data = {root}/osd
rgw data = {root}/rgw
run dir = {root}
admin socket =
pid file =
log file =
log to stderr = true
err to stderr = true
mon data avail crit = 1
mon data avail warn = 2
paxos propose interval = 0.05
paxos min wait = 0.01
osd class update on start = false
osd crush update on start = false
mon allow pool size one = true
osd objectstore = memstore
memstore device bytes = 8589934592
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pg autoscale mode = off
rgw frontends = beast endpoint=127.0.0.1:{rgw}
rgw swift account in url = true
rgw enable usage log = false
rgw dns name = 127.0.0.1
rgw crypt require ssl = false
"""

# implicit tenants: each project has names of containers of its own, as in Swift.
BY_KEYSTONE = """
rgw keystone url = {url}
rgw keystone api version = 3
rgw keystone admin user = {user}
rgw keystone admin password = {password}
rgw keystone admin project = {project}
rgw keystone admin domain = {domain}
rgw keystone accepted roles = member,admin
rgw keystone implicit tenants = true
"""


class Rgw(Cluster):
    name = "rgw"
    ends_by = signal.SIGKILL  # nothing is worth saving, and on SIGTERM a gateway without its monitor waits for that one
    hidden = ("OS_", "ST_", "AWS_", "S3_", "CEPH_")

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.config = root / "ceph.conf"
        self.ports = {name: self.reserve_port() for name in ("mon", "rgw")}
        url = f"http://127.0.0.1:{self.ports['rgw']}"
        self.credentials = {
            "ST_AUTH": f"{url}/auth/v1.0",
            "ST_USER": USER,
            "ST_KEY": KEY,
            "AWS_ENDPOINT_URL": url,
            "S3_ENDPOINT_URL": url,  # s5cmd's name for it
            "AWS_ACCESS_KEY_ID": USER,
            "AWS_SECRET_ACCESS_KEY": KEY,
            "AWS_REGION": "us-east-1",
            "CEPH_CONF": str(self.config),  # `ceph` and `radosgw-admin` read it
        }

    def start(self) -> None:
        fsid, osd = str(uuid.uuid4()), str(uuid.uuid4())
        self.config.write_text(CONFIG.format(root=self.root, fsid=fsid, **self.ports) + by_keystone())
        for directory in ("mon", "osd", "rgw"):
            (self.root / directory).mkdir()
        self.start_monitor(fsid)
        # The first OSD has the number 0.
        self.tell_monitor("osd-new", "osd", "new", osd)
        self.tell_monitor("osd-crush", "osd", "crush", "add", "osd.0", "1", "root=default", "host=one")
        self.run_ceph("osd-mkfs", "ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self.start_ceph("osd", "ceph-osd", "-f", "-i", "0")
        self.start_ceph("radosgw", "radosgw", "-f", "-n", "client.rgw")
        self.wait_until(lambda: is_listening(self.ports["rgw"]))
        self.make_user()
        self.wait_until(self.has_login)

    def start_monitor(self, fsid: str) -> None:
        monmap = str(self.root / "monmap")
        address = f"v1:127.0.0.1:{self.ports['mon']}"
        self.run_tool("monmap", ["monmaptool", "--create", "--addv", "a", address, "--fsid", fsid, monmap])
        self.run_ceph("mon-mkfs", "ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap)
        self.start_ceph("mon", "ceph-mon", "-f", "-i", "a")

    def make_user(self) -> None:
        """One user for both: the Swift credentials are the pair of S3 keys as well, as with scripts/swift."""
        swift = ("--subuser", USER, "--access", "full", "--key-type", "swift", "--secret", KEY)
        uid = USER.partition(":")[0]
        self.run_ceph("user", "radosgw-admin", "user", "create", "--uid", uid, "--display-name", "Test", *swift)
        s3 = ("--key-type", "s3", "--access-key", USER, "--secret", KEY)
        self.run_ceph("key", "radosgw-admin", "key", "create", "--uid", uid, *s3)

    def tell_monitor(self, name: str, *command: str) -> None:
        """More than once if need be: right after its start it may answer "problem getting command descriptions"."""
        self.run_tool(name, ["ceph", "-c", str(self.config), *command], tries=5)

    def start_ceph(self, name: str, program: str, *arguments: str) -> None:
        self.start_server(name, [program, "-c", str(self.config), *arguments])

    def run_ceph(self, name: str, program: str, *arguments: str) -> None:
        self.run_tool(name, [program, "-c", str(self.config), *arguments])


def by_keystone() -> str:
    """The lines for a Keystone of `scripts/swift --keystone` before the gateway; empty without one."""
    url = os.environ.get("RGW_KEYSTONE", "").rstrip("/").removesuffix("/v3")
    who = {"user": keystone_server.SERVICE_USER, "password": keystone_server.SERVICE_PASSWORD}
    where = {"project": keystone_server.SERVICE_PROJECT, "domain": keystone_server.DOMAIN}
    return BY_KEYSTONE.format(url=url, **who, **where) if url else ""


if __name__ == "__main__":
    sys.exit(Script(Rgw, __file__).main(sys.argv[1:]))
