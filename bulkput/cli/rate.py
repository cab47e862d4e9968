"""`bulkput rate`"""

import os
from typing import TYPE_CHECKING

import click

from bulkput.cli.output import say
from bulkput.cli.values import Bandwidth, Rate
from bulkput.errors import UsageError

if TYPE_CHECKING:
    from bulkput.rates import RateService
    from bulkput.transport.listening import Address


@click.command()
@click.option(
    "--listen",
    default="127.0.0.1:9321",
    show_default=True,
    metavar="[HOST:]PORT",
    help="Address to listen on. Port 0 takes a free one. Other machines reach it only with BULKPUT_RATE_TOKEN set.",
)
@click.option("--rate", type=Rate(), help="Requests for objects per second, of all runs together: 500/s, 30/m.")
@click.option("--bandwidth", type=Bandwidth(), help="Bytes of objects per second, of all runs together: 100M/s.")
def rate(listen: str, rate: float | None, bandwidth: float | None) -> None:
    """Share one rate among independent runs. Each of them gets a fair part of it, as much as it needs.

    \b
    bulkput rate --rate 500/s --bandwidth 100M/s
    bulkput upload --rate-shared http://127.0.0.1:9321 ./a swift://artifacts/a      # any number of these

    Prints its URL, then serves until Ctrl-C. A GET of the URL shows the runs and their parts. If BULKPUT_RATE_TOKEN is
    set, here and for the runs, only these are served.

    Exit codes: 0 ended by Ctrl-C, 2 usage.
    """
    from bulkput.cli.loop import run  # noqa: PLC0415 - asyncio
    from bulkput.rates import RateServiceOptions, serve  # noqa: PLC0415 - aiohttp
    from bulkput.transport.listening import parse  # noqa: PLC0415 - ipaddress

    if rate is None and bandwidth is None:
        raise UsageError("rate needs a rate to share: --rate 500/s, --bandwidth 100M/s, or both")
    token = os.environ.get("BULKPUT_RATE_TOKEN") or None
    try:
        address = parse(listen)
        _check_reach(address, token)
        options = RateServiceOptions(
            objects_per_s=rate, bytes_per_s=bandwidth, host=address.host, port=address.port, token=token
        )
        run(serve(options, ready=_announce))
    except UsageError as error:
        raise UsageError(f"rate --listen {error}") from None


def _check_reach(address: "Address", token: str | None) -> None:
    """Raises UsageError if strangers could ask."""
    if token is None and not address.is_loopback:
        raise UsageError(
            f"{address}: other machines may reach it, and use up the rate: set BULKPUT_RATE_TOKEN to a secret word,"
            " here and for the runs, or listen on a loopback address"
        )


def _announce(service: "RateService") -> None:
    click.echo(service.url)
    say(f"sharing the rate until Ctrl-C; try: bulkput upload --rate-shared {service.url} DIRECTORY DEST")
