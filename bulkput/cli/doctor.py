"""`bulkput doctor URL`"""

import os
import sys
from dataclasses import replace

import click

from bulkput.cli.configured import Configured
from bulkput.cli.connection import server_options
from bulkput.cli.output import write_row
from bulkput.cli.values import Seconds, Url
from bulkput.options import WireOptions

_CONNECT_S = 5.0
"""A server that is there takes a connection much sooner; half a minute of silence at each step helps nobody."""


@click.command(cls=Configured)
@click.argument("url", metavar="URL", type=Url())
@click.option("--read-only", is_flag=True, help="Write no probe: only look.")
@click.option("--timeout", type=Seconds(0.1, 86_400), default=20.0, show_default=True, help="Time limit of a request.")
@server_options
@click.option("-v", "--verbose", is_flag=True, help="Print what each step is judged by, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end instead of the lines.")
def doctor(url: str, *, read_only: bool, timeout: float, verbose: bool, as_json: bool, wire: WireOptions) -> int:
    """Look at each step on the way to a store: what is wrong, and what to type?

    \b
    bulkput doctor swift://artifacts/build-42
    bulkput doctor s3://artifacts/build-42
    bulkput doctor https://dav.example.org/backup/
    bulkput doctor tempurl://                       # the temporary URL in BULKPUT_TEMPURL

    One line for each step, with its time: open files, name, connections, TLS, clock, login, what the store says about
    itself, the container and its quotas, uploads in parts that are unfinished. Then a probe of 4 KiB, with a name that
    nobody guesses, is written below URL, read, listed, copied, composed to large objects, timed and removed.
    Containers, buckets and directories that are not there are not made. Nothing is retried, so that what fails once is
    seen.

    Exit codes: 0 all is well; 1 uploads work (or nothing says that they do not), but something is wrong; 2 usage or
    configuration, nothing was looked at; 3 uploads do not work; 130 interrupted.
    """
    from bulkput.cli.doctor_lines import DoctorView, Target, as_json_object  # noqa: PLC0415 - rich
    from bulkput.cli.loop import run_stoppable  # noqa: PLC0415 - asyncio
    from bulkput.doctor.doctor import Choices, examine  # noqa: PLC0415
    from bulkput.policy.temp_url import from_variable  # noqa: PLC0415

    target = Target.of(url, os.environ.get("OS_CLOUD"))
    wire = replace(wire, timeout_s=timeout, connect_timeout_s=min(timeout, _CONNECT_S))
    view = DoctorView(sys.stdout, verbose=verbose)
    choices = Choices(url=from_variable(url, os.environ), wire=wire, writes=not read_only)
    report = run_stoppable(
        lambda stop: examine(
            choices, tell=(lambda _finding: None) if as_json else view.show, stop=stop, environ=os.environ
        ),
        at_exit=lambda: None,
    )
    if as_json:
        write_row(as_json_object(report, target))
    else:
        view.conclude(report, target)
    return report.exit_code
