"""A real Ceph RGW for tests: Swift and S3 in one server."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.servers.swift import RealSwift, script_running

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "rgw"
PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "radosgw")


@dataclass(frozen=True, slots=True)
class RealRgw(RealSwift):
    """Its S3 is at the root of the same server, with the same user and key."""

    config: str
    """The path of its ceph.conf, by which its administrator reaches it."""

    def add_subuser(self, name: str, key: str, *, access: str) -> RealSwift:
        """Makes another user of the account; `access` is read, write or full."""
        account = self.user.partition(":")[0]
        user = ("--uid", account, "--subuser", f"{account}:{name}", "--access", access)
        self._run("radosgw-admin", "subuser", "create", *user, "--key-type", "swift", "--secret", key)
        return RealSwift(self.auth_url, f"{account}:{name}", key)

    def add_account(self, name: str, key: str) -> RealSwift:
        """Makes another account with one user."""
        user = ("--uid", name, "--display-name", name, "--subuser", f"{name}:user", "--access", "full")
        self._run("radosgw-admin", "user", "create", *user, "--key-type", "swift", "--secret", key)
        return RealSwift(self.auth_url, f"{name}:user", key)

    def add_s3_user(self, access_key: str, secret_key: str, *, tenant: str = "") -> None:
        """Makes another user, who has this pair of keys for S3."""
        user = ("--uid", access_key, "--display-name", access_key, "--tenant", tenant)
        self._run("radosgw-admin", "user", "create", *user, "--access-key", access_key, "--secret", secret_key)

    def add_keys(self, access_key: str, secret_key: str) -> None:
        """Gives the user another pair of keys for S3."""
        pair = ("--access-key", access_key, "--secret", secret_key)
        user = ("--uid", self.user.partition(":")[0], "--key-type", "s3")
        self._run("radosgw-admin", "key", "create", *user, *pair)

    def collect_garbage(self) -> None:
        """Frees the memory of what was removed; by itself the gateway does so after two hours."""
        self._run("radosgw-admin", "gc", "process", "--include-all")

    @contextmanager
    def tokens_living(self, seconds: int) -> Iterator[None]:
        """Tokens given during the block live so long."""
        option = ("client.rgw", "rgw_swift_token_expiration")
        self._run("ceph", "config", "set", *option, str(seconds))
        try:
            self._wait_for_tokens(lambda life_s: life_s <= seconds)
            yield
        finally:
            self._run("ceph", "config", "rm", *option)
            self._wait_for_tokens(lambda life_s: life_s > seconds)

    def _run(self, *command: str) -> None:
        """Runs a tool of Ceph's administrator."""
        subprocess.run(command, env={**os.environ, "CEPH_CONF": self.config}, check=True, capture_output=True)

    def _wait_for_tokens(self, are_so: Callable[[float], bool]) -> None:
        """The gateway learns of a new option a moment later."""
        deadline = time.monotonic() + 10
        while not are_so(self._life_of_a_token()):
            assert time.monotonic() < deadline, "the gateway does not learn of the option"
            time.sleep(0.01)

    def _life_of_a_token(self) -> float:
        """Logs in. A token is AUTH_rgwtk and, in hex, the length of the user's name, this name, a random number, the
        second of its expiry and more (rgw_swift_auth.cc:build_token)."""
        parts = urlsplit(self.auth_url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=30)
        connection.request("GET", parts.path, headers={"X-Auth-User": self.user, "X-Auth-Key": self.key})
        token = connection.getresponse().getheader("X-Auth-Token") or ""
        connection.close()
        content = bytes.fromhex(token.removeprefix("AUTH_rgwtk"))
        after = 4 + int.from_bytes(content[:4], "little") + 8
        return int.from_bytes(content[after : after + 4], "little") - time.time()


def why_missing() -> str | None:
    """Says why there is no RGW on this machine; None if there is one."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    return f"no Ceph RGW here ({', '.join(missing)}): scripts/rgw install says why" if missing else None


@contextmanager
def real_rgw() -> Iterator[RealRgw]:
    """Gives the RGW of BULKPUT_TEST_RGW_AUTH, _USER, _KEY and _CONF, else a new one that ends with the block."""
    if auth_url := os.environ.get("BULKPUT_TEST_RGW_AUTH"):
        yield RealRgw(auth_url, *(os.environ[f"BULKPUT_TEST_RGW_{name}"] for name in ("USER", "KEY", "CONF")))
        return
    with started() as server:
        yield server


@contextmanager
def started(keystone: str | None = None) -> Iterator[RealRgw]:
    """Gives a new RGW, which takes the users of the Keystone at this address as well; it ends with the block."""
    environ = {**os.environ, "RGW_KEYSTONE": keystone} if keystone is not None else None
    variables = ("ST_AUTH", "ST_USER", "ST_KEY", "CEPH_CONF")
    with script_running(SCRIPT, variables=variables, environ=environ) as values:
        yield RealRgw(*values)
