"""Commands whose options may also come from files and from the environment (`bulkput/config/`).

The values arrive as click's defaults, so that click checks them as it checks what is typed. Without a file and without
a variable, nothing but the search for them happens: `chosen.py` does the rest, and is imported when there is something.

Each option NAME gets a hidden `--no-NAME`, which leaves out what is set elsewhere. `--no-config` leaves out the files.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import click
from click.core import ParameterSource

from bulkput.cli.flags import in_flags
from bulkput.cli.values import Url
from bulkput.config import places
from bulkput.config.names import HTTP_PREFIX, PREFIX
from bulkput.errors import UsageError

if TYPE_CHECKING:
    from bulkput.cli.chosen import Chosen

PROFILE = "profile"
NO_CONFIG = "no config"
"""The name of `--no-config` among what is typed. No parameter can have it."""
NOT_CONFIGURED = frozenset(("completion", "config", "rate"))
"""Verbs that take nothing from files. In a file `rate` is that of each run, not what `bulkput rate` shares."""
_CHOSEN = "bulkput.chosen"


class Configured(click.Command):
    """A command with options from files and variables. If it takes a URL, it takes the aliases of profiles, too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if any(isinstance(param.type, Url) for param in self.params):
            about = "Use the options of [profile.NAME] in bulkput.toml or your config.toml."
            self.params.append(click.Option([f"--{PROFILE}"], metavar="NAME", expose_value=False, help=about))

    @property
    def options(self) -> dict[str, click.Option]:
        """The options by their names in files: the long flags without dashes in front."""
        return {key_of(param): param for param in self.params if isinstance(param, click.Option)}

    def make_parser(self, ctx: click.Context) -> Any:
        """click's parser, with `--no-NAME` for each option."""
        parser = super().make_parser(ctx)
        options = self.options
        for key, option in options.items():
            if f"no-{key}" not in options:
                # A flag is off then. Of another option, what is set elsewhere is left out: see `is_left_out`.
                name, const = (option.name, False) if option.is_bool_flag else (_left_out(option), True)
                parser.add_option(option, [f"--no-{key}"], name, action="store_const", const=const)
        for option in list(options.values())[:1]:  # click notes the order of options: any one will do
            parser.add_option(option, ["--no-config"], NO_CONFIG, action="store_const", const=True)
        return parser

    def typed(self, ctx: click.Context, args: Sequence[str]) -> dict[str, Any]:
        """What stands on the command line, by the names of the parameters, as it is written there."""
        with self._own_suggestions():
            return cast(dict[str, Any], self.make_parser(ctx).parse_args(list(args))[0])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        chosen = None if ctx.resilient_parsing else self._chosen(ctx, args)
        if chosen is not None:
            ctx.default_map = chosen.defaults
            ctx.meta[_CHOSEN] = chosen
        with self._own_suggestions():
            rest = super().parse_args(ctx, args)
        if chosen is not None:
            for param in self.params:
                if isinstance(param.type, Url) and param.name in ctx.params:
                    ctx.params[param.name] = chosen.expanded(ctx.params[param.name], is_last=param.type.is_last)
        return rest

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UsageError as error:
            chosen: Chosen | None = ctx.meta.get(_CHOSEN)
            if chosen is None or not (notes := chosen.notes_on(in_flags(str(error)))):
                raise
            raise UsageError(f"{error} ({notes})") from None

    def _chosen(self, ctx: click.Context, args: list[str]) -> "Chosen | None":
        """What is set elsewhere; None if nothing is, or if the command only prints its help."""
        found = places.paths(os.environ)
        if not (found or _has_variables(os.environ) or any(arg.startswith(f"--{PROFILE}") for arg in args)):
            return None
        typed = self.typed(ctx, args)
        if (asked := self.get_help_option(ctx)) is not None and asked.name in typed:
            return None
        from bulkput.cli.chosen import choose, configs_of  # noqa: PLC0415 - they bring the rest of `bulkput/config/`

        return choose(self, ctx, typed, configs_of(found, typed))

    @contextmanager
    def _own_suggestions(self) -> Iterator[None]:
        """Takes the hidden flags out of the suggestions for a misspelt one, unless it is spelt like a hidden one."""
        try:
            yield
        except click.NoSuchOption as error:
            if error.option_name.startswith("--no-"):
                raise
            from difflib import get_close_matches  # noqa: PLC0415 - only a mistake needs it

            own = [name for param in self.params if isinstance(param, click.Option) for name in param.opts]
            meant = get_close_matches(error.option_name, own)
            raise click.NoSuchOption(error.option_name, possibilities=meant, ctx=error.ctx) from None


def key_of(option: click.Option) -> str:
    """The option's name in files, such as `max-errors`."""
    return max(option.opts, key=len).lstrip("-")


def is_left_out(option: click.Option, typed: Mapping[str, Any]) -> bool:
    """Whether `--no-NAME` is typed for this option, which is no flag."""
    return _left_out(option) in typed


def is_typed(*names: str) -> bool:
    """Whether one of these parameters of the current command is typed.

    An option that needs another one is an error only then: in a file it waits for commands that have use for it.
    """
    ctx = click.get_current_context()
    return any(ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in names)


def _left_out(option: click.Option) -> str:
    return f"no {option.name}"


def _has_variables(environ: Mapping[str, str]) -> bool:
    return any(name.startswith(PREFIX) and not name.startswith(HTTP_PREFIX) for name in environ)
