"""`bulkput serve`"""

from typing import TYPE_CHECKING

import click

from bulkput.cli.configured import Configured
from bulkput.cli.output import say
from bulkput.cli.values import Count, Rate

if TYPE_CHECKING:
    from bulkput.devserver import DevServer


@click.command(cls=Configured)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on. Loopback only, unless --allow-remote."
)
@click.option(
    "--port", type=Count(0, 65535), default=8080, show_default=True, help="Port to listen on. 0 takes a free one."
)
@click.option("--latency", multiple=True, metavar="VERB=SECONDS", help="Delay answers, for example put=0.27,head=0.03.")
@click.option(
    "--container-rate", type=Rate(), help="Take this many writes per second to each container; refuse others."
)
@click.option("--allow-remote", is_flag=True, help="Allow an address that other machines can reach.")
def serve(host: str, port: int, latency: tuple[str, ...], container_rate: float | None, allow_remote: bool) -> None:
    """Run a small local store that speaks Swift, for trying things out. It keeps objects in memory only.

    Prints the variables to set, then serves until Ctrl-C.
    """
    from bulkput.cli.loop import run  # noqa: PLC0415 - asyncio
    from bulkput.devserver import DevServerOptions  # noqa: PLC0415 - aiohttp
    from bulkput.devserver import serve as run_server  # noqa: PLC0415
    from bulkput.devserver.__main__ import parse_latency  # noqa: PLC0415
    from bulkput.devserver.options import is_loopback  # noqa: PLC0415
    from bulkput.errors import UsageError, printable  # noqa: PLC0415

    if not allow_remote and not is_loopback(host):
        raise UsageError(
            f"serve: other machines may reach {printable(host)}, and the key of this store is published:"
            " bind a loopback address, or allow it with --allow-remote"
        )
    try:
        options = DevServerOptions(
            host=host,
            port=port,
            latency=parse_latency(latency),
            container_rate=container_rate,
            allow_remote=allow_remote,
        )
        run(run_server(options, ready=_announce))
    except (OSError, ValueError) as error:
        raise UsageError(f"serve: {error}") from None


def _announce(server: "DevServer") -> None:
    click.echo(f"export ST_AUTH={server.auth_url} ST_USER={server.options.user} ST_KEY={server.options.key}")
    say("serving until Ctrl-C; try: bulkput upload DIRECTORY swift://my-container")
