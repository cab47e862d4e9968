"""The flags about when a run with failures stops."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from bulkput.cli.values import Count
from bulkput.options import StopRules


def stop_options(verb: Callable[..., int]) -> Callable[..., int]:
    """Gives a verb --max-errors and --fail-fast, as one argument, `stop`."""

    @click.option("--max-errors", type=Count(1), metavar="N", help="Stop after N failed files. Default: never.")
    @click.option("--fail-fast", is_flag=True, help="Stop after the first failed file: --max-errors 1.")
    @wraps(verb)
    def with_stop(*, max_errors: int | None, fail_fast: bool, **flags: Any) -> int:
        return verb(stop=StopRules(max_errors=1 if fail_fast else max_errors), **flags)

    return with_stop
