"""WsgiDAV as a store for tests: a real WebDAV server, which creates no parents and writes in place."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class WsgiDav:
    """`url` has no trailing slash; a PUT to `url/a/b` writes the file `root/a/b`."""

    url: str
    root: Path


@contextmanager
def wsgidav() -> Iterator[WsgiDav]:
    """Runs a server in its own process until the block or this process ends.

    It inherits its listening socket, so connections wait there until the server is up.
    """
    with (
        tempfile.TemporaryDirectory(prefix="bulkput-wsgidav-") as root,
        socket.create_server(("127.0.0.1", 0), backlog=511) as listener,
    ):
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        command = [sys.executable, "-m", "tests.servers.wsgidav", root, str(listener.fileno())]
        above = Path(__file__).parents[2]
        with subprocess.Popen(command, cwd=above, stdin=subprocess.PIPE, pass_fds=[listener.fileno()]) as server:
            listener.close()
            try:
                yield WsgiDav(url, Path(root))
            finally:
                server.kill()


def serve(root: str, listener: int) -> None:
    """Serves until standard input ends."""
    import threading  # noqa: PLC0415

    from cheroot import wsgi  # noqa: PLC0415
    from wsgidav.wsgidav_app import WsgiDAVApp  # noqa: PLC0415

    app = WsgiDAVApp(
        {
            "provider_mapping": {"/": root},
            "simple_dc": {"user_mapping": {"*": True}},  # no login
            "logging": {"enable": False},
            "verbose": 0,
        }
    )

    class Server(wsgi.Server):
        keep_alive_conn_limit = 1000

        def bind(self, family: int, type: int, proto: int = 0) -> socket.socket:  # noqa: A002 - as cheroot calls it
            self.socket = socket.socket(fileno=listener)
            self.bind_addr = self.socket.getsockname()
            return self.socket

    server = Server(("127.0.0.1", 0), app)
    threading.Thread(target=lambda: (sys.stdin.read(), server.stop()), daemon=True).start()
    server.start()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
