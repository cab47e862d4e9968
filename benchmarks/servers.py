"""Where uploads go: a real Ceph RGW, a real Swift, an nginx that stores real bytes, the devserver with latency.

Ceph and nginx are measured by S3 as well: by these, all contenders speak S3.

Each server says how a contender reaches a fresh container. Afterwards it counts the objects itself, without the code of
any contender.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.servers.certificates import make_authority
from tests.servers.devserver import devserver_process
from tests.servers.judge import S3Judge, SwiftJudge
from tests.servers.nginx import nginx_dav
from tests.servers.rgw import RealRgw, real_rgw, why_missing
from tests.servers.s3 import RealS3, of_rgw, of_swift
from tests.servers.swift import RealSwift, real_swift


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """How to reach one fresh container. `swift` are v1 variables, `http` and `s3` base URLs; empty: not spoken.

    If S3 is all that is spoken, all that can speak it do."""

    container: str
    swift: Mapping[str, str] = field(default_factory=dict)
    http: str = ""
    s3: str = ""
    s3_keys: Mapping[str, str] = field(default_factory=dict)
    """AWS_* variables."""
    proves_bytes: bool = True
    """False: answers carry no ETag, so contenders that compare it need an option against that."""
    trust: Mapping[str, str] = field(default_factory=dict)
    """Variables by which contenders trust the server's certificate; empty: no TLS."""

    @property
    def environ(self) -> dict[str, str]:
        """The variables for contenders that speak Swift."""
        return {**self.swift, **self.trust}

    @property
    def s3_environ(self) -> dict[str, str]:
        """The variables for contenders that speak S3."""
        return {**self.s3_keys, **self.trust}

    @property
    def is_s3_alone(self) -> bool:
        return bool(self.s3) and not self.swift and not self.http


@dataclass(frozen=True, slots=True)
class Held:
    """What a container holds."""

    objects: int
    bytes: int


class Server(Protocol):
    @property
    def name(self) -> str: ...

    def make(self, container: str) -> Address:
        """Create a fresh container before the upload: S3 clients do not create theirs."""

    def held(self, container: str, *, expected: int) -> Held:
        """Counted now; where a store counts late, waited for until there are `expected` objects, or a while."""

    def drop(self, container: str) -> None: ...


# As much Swift and S3 as a client wants to see around its object PUTs. The PUTs themselves are DAV's.
_PRETENCE = """
location = /auth/v1.0 {
    add_header X-Storage-Url $scheme://127.0.0.1:$server_port/v1/AUTH_bench;
    add_header X-Auth-Token bench;
    return 204;
}
location ~ ^/v1/AUTH_bench/[^/]+/?$ {
    if ($request_method = PUT) { return 201; }
    add_header X-Container-Object-Count 0;
    add_header X-Container-Bytes-Used 0;
    return 204;
}
location /v1/AUTH_bench/ {
    alias {{root}}/;
    client_max_body_size 0;
    dav_methods PUT DELETE;
    create_full_put_path on;
    dav_access user:rw;
}
location ~ ^/[^/]+/?$ { return 200; }
"""

_TRUST = ("OS_CACERT", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")
"""Of OpenStack's clients (bulkput too), of OpenSSL (and obstore), of curl, of Amazon's library (s5cmd)."""


@dataclass(frozen=True, slots=True)
class Nginx:
    """nginx with DAV on a tmpfs: the fastest server here that keeps what it is sent."""

    url: str
    root: Path
    name: str = "nginx"
    authority: Path | None = None

    def make(self, container: str) -> Address:
        (self.root / container).mkdir()
        return Address(
            container=container,
            swift={"ST_AUTH": f"{self.url}/auth/v1.0", "ST_USER": "bench:bench", "ST_KEY": "bench"},
            http=f"{self.url}/{container}/",
            s3=self.url,
            s3_keys=RealS3(self.url, "bench:bench", "bench").environment,
            proves_bytes=False,
            trust={name: str(self.authority) for name in _TRUST} if self.authority else {},
        )

    def held(self, container: str, *, expected: int) -> Held:
        files = [path for path in (self.root / container).rglob("*") if path.is_file()]
        return Held(len(files), sum(path.stat().st_size for path in files))

    def drop(self, container: str) -> None:
        shutil.rmtree(self.root / container, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Swift:
    """A server that speaks Swift: the real one, Ceph's gateway, or the devserver."""

    name: str
    account: RealSwift
    has_s3: bool

    def make(self, container: str) -> Address:
        self._judge().put(container, "", b"")
        if not self.has_s3:
            return Address(container=container, swift=self.account.environment)
        s3 = of_swift(self.account)
        return Address(container=container, swift=self.account.environment, s3=s3.endpoint, s3_keys=s3.environment)

    def held(self, container: str, *, expected: int) -> Held:
        until = time.monotonic() + 15
        while True:
            held = Held(*self._judge().totals(container))
            if held.objects >= expected or time.monotonic() > until:
                return held
            time.sleep(0.2)

    def drop(self, container: str) -> None:
        """Left where it is: the server goes with its run, and deleting would cost as much as uploading."""

    def _judge(self) -> SwiftJudge:
        return SwiftJudge(self.account.auth_url, self.account.user, self.account.key)


# An S3 whose bucket encrypts by keys of KMS: ETags are no MD5s there, and a checksum that was sent comes back as proof.
# DAV answers 201, S3 answers 200: so a copy of the request goes to DAV, with its body, which lies in a file by then.
_AS_S3 = """
location ~ ^/[^/]+/. {
    root {{root}};
    client_max_body_size 0;
    client_body_in_file_only clean;
    mirror /by-dav;
    error_page 405 =200 @stored;
}
location = /by-dav {
    internal;
    client_max_body_size 0;
    alias {{root}}$request_uri;
    dav_methods PUT;
    create_full_put_path on;
    dav_access user:rw;
}
location @stored {
    add_header ETag '"opaque-$request_id"';
    add_header x-amz-server-side-encryption aws:kms;
    add_header x-amz-checksum-md5 $http_x_amz_checksum_md5;
    add_header x-amz-checksum-sha256 $http_x_amz_checksum_sha256;
    return 200;
}
location ~ ^/[^/]+/?$ {
    default_type application/xml;
    return 200 '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>false</IsTruncated></ListBucketResult>';
}
"""


@dataclass(frozen=True, slots=True)
class NginxS3(Nginx):
    """The same as a bucket of S3. Its answers prove bytes by the checksum that they return."""

    name: str = "nginx, S3"

    def make(self, container: str) -> Address:
        (self.root / container).mkdir()
        keys = RealS3(self.url, "bench", "bench").environment
        return Address(container=container, s3=self.url, s3_keys=keys, proves_bytes=False)


@dataclass(frozen=True, slots=True)
class RgwS3:
    """Ceph's gateway, spoken to by S3 alone."""

    gateway: RealRgw
    name: str = "Ceph RGW, S3"

    def make(self, container: str) -> Address:
        server = of_rgw(self.gateway)
        server.client().create_bucket(Bucket=container)
        return Address(container=container, s3=server.endpoint, s3_keys=server.environment)

    def held(self, container: str, *, expected: int) -> Held:
        rows = S3Judge(of_rgw(self.gateway)).rows(container)
        return Held(len(rows), sum(row["Size"] for row in rows))

    def drop(self, container: str) -> None:
        """Left where it is, as by Swift."""

    def empty(self, container: str) -> None:
        """Removes what large files have left in the gateway's memory."""
        client = of_rgw(self.gateway).client()
        for name in S3Judge(of_rgw(self.gateway)).names(container):
            client.delete_object(Bucket=container, Key=name)
        self.gateway.collect_garbage()


@contextmanager
def nginx() -> Iterator[Server]:
    with _in_memory() as directory, nginx_dav(directory / "stored", locations=_PRETENCE) as server:
        yield Nginx(server.url, server.root)


@contextmanager
def nginx_tls() -> Iterator[Server]:
    """The same behind TLS 1.3, with a certificate whose authority is made for the occasion."""
    with _in_memory() as directory:
        authority = make_authority(directory)
        certificate = authority.issue("localhost", "127.0.0.1")
        with nginx_dav(directory / "stored", locations=_PRETENCE, certificate=certificate) as server:
            yield Nginx(server.url, server.root, "nginx, TLS", authority.file)


@contextmanager
def _in_memory() -> Iterator[Path]:
    memory = Path("/dev/shm")
    where = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="bulkput-bench-", dir=where) as directory:
        yield Path(directory)


@contextmanager
def forgetful() -> Iterator[Server]:
    """nginx that says 201 to every 50th file and keeps nothing of it: its runs must come out void."""
    dropped = 'location ~ "(49|99)[.]bin$" { return 201; }'
    with tempfile.TemporaryDirectory(prefix="bulkput-bench-") as directory:
        root = Path(directory) / "stored"
        with nginx_dav(root, locations=_PRETENCE + dropped) as server:
            yield Nginx(server.url, server.root, "nginx that drops every 50th object")


@contextmanager
def swift() -> Iterator[Server]:
    with real_swift() as account:
        yield Swift("swift", account, has_s3=True)


@contextmanager
def rgw() -> Iterator[Server]:
    """Ceph's gateway, with its data in memory: fast enough that clients differ. Some GiB while a bench runs."""
    with real_rgw() as account:
        yield Swift("Ceph RGW", account, has_s3=True)


@contextmanager
def rgw_s3() -> Iterator[Server]:
    with real_rgw() as account:
        yield RgwS3(account)


@contextmanager
def nginx_s3() -> Iterator[Server]:
    with _in_memory() as directory, nginx_dav(directory / "stored", locations=_AS_S3) as server:
        yield NginxS3(server.url, server.root)


@contextmanager
def far() -> Iterator[Server]:
    """The devserver, 50 ms away from each PUT."""
    with devserver_process("--latency", "put=0.05,head=0.01") as account:
        yield Swift("devserver, 50 ms", account, has_s3=False)


SERVERS = {
    "rgw": (rgw, False),
    "swift": (swift, False),
    "nginx": (nginx, True),
    "nginx-tls": (nginx_tls, True),
    "rgw-s3": (rgw_s3, False),
    "nginx-s3": (nginx_s3, True),
    "far": (far, True),
    "forgetful": (forgetful, True),
}
"""How to start each, and whether it gets a processor of its own. The real Swift and Ceph are several processes: on one
processor that would be all that is measured."""


def why_absent(name: str) -> str | None:
    """Why a server of SERVERS cannot run on this machine; None if it can."""
    return why_missing() if name in ("rgw", "rgw-s3") else None
