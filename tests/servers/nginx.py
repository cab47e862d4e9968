"""nginx as a store for tests: plain PUT and DELETE, real files, no authentication."""

from __future__ import annotations

import http.client
import os
import pwd
import shutil
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.servers.certificates import Certificate

# Bodies are buffered on the file system of `root`, so that a PUT ends in a rename and not in a copy.
CONFIG = """
{user}
daemon off;
worker_processes 1;
pid {state}/nginx.pid;
error_log {state}/error.log;
events {{ worker_connections 4096; }}
http {{
    log_format checksums "$request_method $uri $http_x_checksum_md5 $http_x_checksum_sha1 $http_x_checksum_sha256";
    access_log off;
    default_type application/octet-stream;
    client_body_temp_path {state}/body;
    proxy_temp_path {state}/proxy;
    fastcgi_temp_path {state}/fastcgi;
    uwsgi_temp_path {state}/uwsgi;
    scgi_temp_path {state}/scgi;
    keepalive_requests 1000000000;
    server {{
        listen 127.0.0.1:{port}{tls};
        location / {{
            root {root};
            client_max_body_size 0;
            dav_methods {{methods}};
            create_full_put_path {{makes_parents}};
            dav_access user:rw;
        }}
        {locations}
    }}
}}
"""

# What goes on behind the port.
_TLS = " ssl; ssl_certificate {file}; ssl_certificate_key {key}; ssl_protocols TLSv1.3"
_CLIENTS = "; ssl_client_certificate {authority}; ssl_verify_client on"


@dataclass(frozen=True, slots=True)
class NginxDav:
    """`url` has no trailing slash; a PUT to `url/a/b` writes the file `root/a/b`."""

    url: str
    root: Path


@contextmanager
def nginx_dav(
    root: Path | None = None,
    *,
    locations: str = "",
    certificate: Certificate | None = None,
    demands_client: bool = False,
    methods: str = "PUT DELETE",
    makes_parents: bool = True,
) -> Iterator[NginxDav]:
    """Runs an nginx that stores below `root` (default: a directory that is deleted after the block).

    `methods` are its WebDAV methods; without `makes_parents` it stores only into existing directories. `locations` is
    further configuration, in which `{{root}}` stands for the directory. With a `certificate` it speaks TLS 1.3, else
    plain HTTP; with `demands_client` it answers 400 to clients without a certificate of the same authority.

    nginx inherits its listening socket, as in an upgrade of its binary (variable NGINX): no other process can take the
    port in between, and connections wait in the socket until nginx accepts them.
    """
    with (
        tempfile.TemporaryDirectory(prefix="bulkput-nginx-", dir=root and root.parent) as directory,
        socket.create_server(("127.0.0.1", 0), backlog=511) as listener,
    ):
        state = Path(directory)
        files = root or state / "files"
        files.mkdir(exist_ok=True)
        port = listener.getsockname()[1]
        config = _config(state, files.resolve(), port, locations, certificate, demands_client=demands_client)
        config = config.replace("{methods}", methods).replace("{makes_parents}", "on" if makes_parents else "off")
        (state / "nginx.conf").write_text(config)
        server = start(state, listener)
        listener.close()
        try:
            wait_until_answering(server, port, state / "error.log", is_tls=certificate is not None)
            yield NginxDav(f"{'https' if certificate else 'http'}://127.0.0.1:{port}", files)
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _config(
    state: Path, root: Path, port: int, locations: str, certificate: Certificate | None, *, demands_client: bool
) -> str:
    # If root starts nginx, its workers would switch to another user, which cannot write here.
    user = f"user {pwd.getpwuid(os.getuid()).pw_name};" if os.getuid() == 0 else ""
    more = locations.replace("{{root}}", str(root))
    tls = _TLS.format(file=certificate.file, key=certificate.key) if certificate else ""
    if certificate and demands_client:
        tls += _CLIENTS.format(authority=certificate.authority)
    return CONFIG.format(state=state, root=root, port=port, tls=tls, user=user, locations=more)


def start(state: Path, listener: socket.socket) -> subprocess.Popen[bytes]:
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    if program is None:
        raise RuntimeError("nginx is not installed; scripts/tools installs it")
    command = [program, "-p", str(state), "-e", str(state / "error.log"), "-c", str(state / "nginx.conf")]
    if shutil.which("setpriv"):  # the kernel ends nginx even if the tests are killed
        command = ["setpriv", "--pdeathsig", "TERM", *command]
    return subprocess.Popen(
        command,
        env=os.environ | {"NGINX": f"{listener.fileno()};"},
        pass_fds=[listener.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # error.log has the same lines
        start_new_session=True,
    )


def wait_until_answering(server: subprocess.Popen[bytes], port: int, log: Path, *, is_tls: bool = False) -> None:
    """Sends one request: it waits in the listening socket until nginx is up, and fails if nginx ends."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    if is_tls:
        unverified = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=unverified)
    with closing(connection), suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/")
        connection.getresponse().read()
        return
    server.kill()
    reason = log.read_text() if log.exists() else ""
    raise RuntimeError(f"nginx did not start: exit status {server.wait()}\n{reason}")
