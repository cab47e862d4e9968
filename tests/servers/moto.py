"""moto as an S3 for tests: its own server, in a process of its own. It keeps objects in memory, and checks no
signature.

It knows much of S3 that Swift's s3api and an older Ceph do not: conditions on PUT, checksums of every kind.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.s3 import RealS3

REGION = "us-east-1"


@contextmanager
def moto_s3() -> Iterator[RealS3]:
    """Runs a server until the block or this process ends.

    It inherits its listening socket, so connections wait there until the server is up.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=511) as listener:
        port, number = listener.getsockname()[1], listener.fileno()
        command = [sys.executable, "-W", "ignore", "-m", "tests.servers.moto", str(port), str(number)]
        above = Path(__file__).parents[2]
        with subprocess.Popen(command, cwd=above, stdin=subprocess.PIPE, pass_fds=[number]) as server:
            listener.close()
            try:
                yield RealS3(f"http://127.0.0.1:{port}", "moto-access", "moto-secret", REGION)
            finally:
                server.kill()


def serve(port: int, listener: int) -> None:
    """Serves until standard input ends. Threads: one per connection."""
    import logging  # noqa: PLC0415
    import threading  # noqa: PLC0415

    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server  # noqa: PLC0415

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)  # else a line for each request
    server = make_server(
        "127.0.0.1",
        port,
        DomainDispatcherApplication(create_backend_app),
        threaded=True,
        request_handler=MotoRequestHandler,
        fd=listener,
    )
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
