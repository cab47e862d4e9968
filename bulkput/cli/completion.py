"""`bulkput completion SHELL`, and the answers to a TAB in that shell.

At a TAB the script in `shells/` runs bulkput with the command line up to the cursor in _BULKPUT_LINE. The answers are
lines of a kind, a value and its help, separated by tabs:

| kind  | what the shell does                                         |
|-------|-------------------------------------------------------------|
| plain | offers the value, and goes on to the next word              |
| open  | offers the value, which the user goes on typing: `swift://` |
| file  | offers its own paths                                        |
| dir   | offers its own directories                                  |

click finds out which option or argument the cursor is at. What is offered there follows from its metavar, so that an
option needs nothing else to be completed.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from copy import copy
from typing import TYPE_CHECKING, Any, Literal

import click
from click.shell_completion import CompletionItem, ShellComplete, add_completion_class, split_arg_string

from bulkput.cli.output import write_as_it_is
from bulkput.cli.values import OneOf
from bulkput.errors import UsageError

if TYPE_CHECKING:
    from bulkput.config.places import FileKind

_LINE = "_BULKPUT_LINE"
_CURSOR = "\0"
"""Marks the end of the line: a word begins there, or goes on. No command line has it."""


@click.command()
@click.argument("shell", type=OneOf(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes verbs, options, their values and local paths in a shell.

    \b
    source <(bulkput completion bash)              # in ~/.bashrc
    source <(bulkput completion zsh)               # in ~/.zshrc, after compinit
    bulkput completion fish | source               # in ~/.config/fish/config.fish

    Containers and objects are not completed: that would need a login for each TAB.
    """
    write_as_it_is(_script(shell).rstrip())


def _script(shell: str) -> str:
    from importlib.resources import files  # noqa: PLC0415 - 7 ms that no TAB has to pay

    return (files("bulkput.cli") / "shells" / f"bulkput.{shell}").read_text("utf-8")


SCHEMES = ("swift://", "s3://", "http://", "https://")


def places() -> tuple[str, ...]:
    """What a URL, or another way to name a place in a store, may begin with."""
    from bulkput.config.places import paths  # noqa: PLC0415 - the script's reader has no use for it

    found = paths(os.environ)
    return (*SCHEMES, *_aliases(found)) if found else SCHEMES


def _aliases(found: "Mapping[FileKind, str]") -> Iterator[str]:
    """The aliases in files of options. None if a file is wrong: a command says so, a TAB says nothing."""
    from bulkput.cli.chosen import configs_of  # noqa: PLC0415 - tomllib, where there is a file

    with suppress(UsageError):
        for config in configs_of(found, {}):
            yield from (f"{name}:" for name, profile in config.profiles.items() if profile.destination is not None)


class _Offer(click.ParamType[str]):
    """Offers URLs, paths, or both."""

    name = "text"

    def __init__(self, *, has_urls: bool = False, paths: Literal["file", "dir"] | None = None) -> None:
        self._has_urls = has_urls
        self._paths = paths

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem[Any]]":
        begun = [place for place in places() if place.startswith(incomplete)] if self._has_urls else []
        items: list[CompletionItem[Any]] = [CompletionItem(place, type="open") for place in begun]
        is_url = "://" in incomplete or (begun and ":" in incomplete)
        return items if is_url or self._paths is None else [*items, CompletionItem(incomplete, type=self._paths)]


_OFFERS = {
    "SOURCE... DEST": _Offer(has_urls=True, paths="file"),
    "[URL|FILE|DIR]...": _Offer(has_urls=True, paths="file"),
    "SOURCE": _Offer(has_urls=True),
    "DEST": _Offer(has_urls=True),
    "URL": _Offer(has_urls=True),
    "FILE": _Offer(paths="file"),
    "FILE...": _Offer(paths="file"),
    "DIR": _Offer(paths="dir"),
}
"""What is offered for an option or an argument with this metavar. For others it is what their type offers."""


def offering(verb: click.Command) -> click.Command:
    """The verb, with types that offer what `_OFFERS` has for them."""
    told, ctx = copy(verb), click.Context(verb)
    told.params = [copy(param) for param in verb.params]
    for param in told.params:
        param.type = _OFFERS.get(param.make_metavar(ctx), param.type)
    return told


class Answers(ShellComplete):
    """Says what may stand at the cursor."""

    def source(self) -> str:
        return _script(self.name)

    def get_completion_args(self) -> tuple[list[str], str]:
        *words, last = split_arg_string(os.environ.get(_LINE, "") + _CURSOR)
        return words[1:], last.rstrip(_CURSOR)

    def get_completions(self, args: list[str], incomplete: str) -> "list[CompletionItem[str]]":
        # click completes the value of --name=value; shells want the whole word.
        name, equals, _ = incomplete.partition("=")
        head = name + equals if equals and name.startswith("--") else ""
        items = super().get_completions(args, incomplete)
        return [item if item.type in ("file", "dir") else _behind(head, item) for item in items]

    def format_completion(self, item: "CompletionItem[str]") -> str:
        help_line = " ".join((item.help or "").split())
        return f"{item.type}\t{item.value}\t{help_line}"


def _behind(head: str, item: "CompletionItem[str]") -> "CompletionItem[str]":
    return CompletionItem(head + item.value, type=item.type, help=item.help)


def answer_shells() -> None:
    """From now on click answers the shells whose scripts are in `shells/`, and prints these scripts for its own way to
    ask for them (`_BULKPUT_COMPLETE=bash_source bulkput`), which packagers use."""
    for shell in ("bash", "zsh", "fish"):
        add_completion_class(type(shell, (Answers,), {"name": shell}))
