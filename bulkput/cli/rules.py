"""The flag about rules for single files."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click


def rules_option(verb: Callable[..., int]) -> Callable[..., int]:
    """Gives a verb --rules: as one argument, the rules in the file."""

    @click.option(
        "--rules",
        "rules_file",
        metavar="FILE",
        help="Type, headers and compression of single files, by patterns.",
    )
    @wraps(verb)
    def with_rules(*, rules_file: str | None, **others: Any) -> int:
        if rules_file is None:
            return verb(rules=(), **others)
        from bulkput.config.rules_file import read_rules  # noqa: PLC0415 - tomllib, which few need

        return verb(rules=read_rules(rules_file), **others)

    return with_rules
