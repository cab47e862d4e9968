"""`python -m bulkput.devserver`: the store in a process of its own.

When it listens, it prints one JSON line: {"auth_url", "storage_url", "user", "key", "port", "pid"}. SIGINT and SIGTERM
end it with exit code 0; with `--until-stdin-closes` so does the end of its parent. A bad option ends it with 2.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from .options import DevServerOptions, Latency
from .server import DevServer, serve


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, serve, return. Raises SystemExit(2) for bad options."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        options = DevServerOptions(
            host=given.host,
            port=given.port,
            user=os.environ.get("BULKPUT_DEVSERVER_USER", "test:tester"),
            key=os.environ.get("BULKPUT_DEVSERVER_KEY", "testing"),
            token_life=given.token_life,
            latency=parse_latency(given.latency),
            container_rate=given.container_rate,
            allow_remote=given.allow_remote,
        )
    except ValueError as error:
        parser.error(str(error))
    with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=loop_factory()) as runner:  # Windows: Ctrl-C
        try:
            runner.run(serve(options, ready=_announce, until_stdin_closes=given.until_stdin_closes))
        except (OSError, ValueError) as error:
            parser.error(str(error))


def parse_latency(texts: Sequence[str]) -> Latency:
    """`put=0.27,head=0.03`, once or several times, in seconds. Raises ValueError, which names the wrong item."""
    seconds = {"put": 0.0, "get": 0.0, "head": 0.0, "post": 0.0, "delete": 0.0}
    for text in texts:
        for item in text.split(","):
            verb, _, value = item.partition("=")
            if verb.lower() not in seconds:
                raise ValueError(f"a latency is VERB=SECONDS with one of {', '.join(seconds)}, not {item!r}")
            seconds[verb.lower()] = float(value)
    return Latency(**seconds)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's loop if it is installed; None is the standard loop."""
    try:
        import uvloop  # noqa: PLC0415 - optional, and not on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bulkput.devserver",
        description="A local OpenStack Swift for demos and tests. Never a place for data you want to keep.",
        epilog="The user and the key come from BULKPUT_DEVSERVER_USER and BULKPUT_DEVSERVER_KEY; "
        "without them they are test:tester and testing.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to bind (default: any free one)")
    parser.add_argument(
        "--latency", action="append", default=[], metavar="VERB=SECONDS", help="wait, e.g. put=0.27,head=0.03"
    )
    parser.add_argument(
        "--container-rate", type=float, metavar="N", help="writes per second that each container takes (default: all)"
    )
    parser.add_argument(
        "--token-life", type=float, default=86_400.0, metavar="SECONDS", help="life of a token (default: a day)"
    )
    parser.add_argument("--allow-remote", action="store_true", help="permit an address others can reach")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when stdin does")
    return parser


def _announce(server: DevServer) -> None:
    line = {
        "auth_url": server.auth_url,
        "storage_url": server.storage_url,
        "user": server.options.user,
        "key": server.options.key,
        "port": server.port,
        "pid": os.getpid(),
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
