"""`bulkput tempurl URL`"""

from dataclasses import replace
from typing import Any, get_args

import click

from bulkput.cli.configured import Configured
from bulkput.cli.connection import server_options
from bulkput.cli.output import say_what_delays, write_line
from bulkput.cli.values import Duration, Moment, OneOf, Seconds, Url
from bulkput.errors import UsageError
from bulkput.options import WireOptions
from bulkput.verb_options import SignatureDigest, SignedMethod, TempUrlOptions

_DEFAULT = TempUrlOptions()
_TIMEOUT_S = WireOptions().timeout_s


@click.command(cls=Configured)
@click.argument("url", metavar="URL", type=Url())
@click.option(
    "--method",
    type=OneOf(get_args(SignedMethod)),
    default=_DEFAULT.method,
    show_default=True,
    help="The request that it allows: PUT for uploads, GET for downloads. Both allow HEAD.",
)
@click.option("--object", "is_object", is_flag=True, help="For the object URL alone. Default: everything below URL.")
@click.option(
    # The second name is its own in files and variables, where expires-in is about objects.
    "--expires-in",
    "--url-expires-in",
    "expires_in",
    type=Duration(),
    help="How long it is valid: 90 (seconds), 30m, 12h, 7d. Default: 1h.",
)
@click.option("--expires-at", type=Moment(), help="Until when it is valid: 2026-12-24T18:00:00Z, or a Unix time.")
@click.option("--ip-range", metavar="NETWORK", help="Valid from this address or network only: 192.0.2.0/24.")
@click.option(
    "--digest",
    type=OneOf(get_args(SignatureDigest)),
    help="Hash of the signature. Default: the first of these that the store allows.",
)
@click.option(
    "--timeout", type=Seconds(0.1, 86_400), default=_TIMEOUT_S, show_default=True, help="Time limit of a request."
)
@server_options
def tempurl(
    url: str,
    *,
    method: SignedMethod,
    expires_in: int | None,
    expires_at: int | None,
    timeout: float,
    wire: WireOptions,
    **wish: Any,
) -> int:
    """Print a temporary URL, with which others upload below URL without credentials.

    \b
    export BULKPUT_TEMPURL="$(bulkput tempurl swift://artifacts/build-42 --expires-in 2h)"
    bulkput upload ./dist tempurl://                 # in the job that has no credentials
    bulkput tempurl --method GET --object swift://papers/2026/report.pdf

    It is a secret, and stands alone on stdout. It is signed with the Temp-URL-Key of the account or container, or with
    the key in BULKPUT_TEMPURL_KEY. One HEAD proves that the store takes it. With that variable, URL may be
    https://HOST/v1/ACCOUNT/CONTAINER/PREFIX: then nothing is sent.

    Exit codes: 0 made, 2 usage, or there is no key, 3 the store failed.
    """
    if expires_in is not None and expires_at is not None:
        raise UsageError("--expires-in and --expires-at exclude each other: both say when the URL ends. Give one")
    from bulkput.cli.loop import run  # noqa: PLC0415 - asyncio, and what follows
    from bulkput.engine.objects.temporary_url import temporary_url  # noqa: PLC0415

    options = TempUrlOptions(
        method=method,
        expires_in_s=expires_in if expires_in is not None else _DEFAULT.expires_in_s,
        expires_at_s=expires_at,
        wire=replace(wire, timeout_s=timeout),
        **wish,
    )
    write_line(run(temporary_url(url, options=options, on_event=say_what_delays())))
    return 0
