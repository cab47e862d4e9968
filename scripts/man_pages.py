"""Write man/bulkput.1, and for each verb man/bulkput-VERB.1, from the texts of `--help`.

    .venv/bin/python scripts/man_pages.py

The wheel has them in share/man/man1. The help text of a verb is taken apart: its examples and its exit codes stand
under headings of their own. `bulkput/cli/environment.py` has the variables and the files.
"""

import re
from collections.abc import Iterable, Iterator
from inspect import cleandoc
from pathlib import Path

import click

from bulkput import __version__
from bulkput.cli.environment import FILES, VARIABLES
from bulkput.cli.help import Verb
from bulkput.cli.main import _VERBS as SUMMARIES
from bulkput.cli.main import bulkput

FOLDER = Path(__file__).parents[1] / "man"
HEAD = '.\\" Made by scripts/man_pages.py from bulkput/cli/. Do not edit.\n'
CODES = "Exit codes: "
COMMAND = re.compile(r"^(.* \| )?bulkput ", re.MULTILINE)
FLAG = re.compile(r"(?<![\w./-])(--?[a-z](?:[a-z-]*[a-z])?)(?![\w/])")
AS_TYPED = str.maketrans({"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"})
"""groff prints these characters as others, which no shell understands."""
Item = tuple[str, str]
"""A term, with markup, and its text, without."""


def pages() -> dict[str, str]:
    """The text of each page, by its file name."""
    ctx = click.Context(bulkput, info_name="bulkput", **bulkput.context_settings)
    verbs: list[tuple[click.Command, click.Context]] = [(bulkput, ctx)]
    for name in bulkput.list_commands(ctx):
        if (verb := bulkput.get_command(ctx, name)) is not None:
            verbs.append((verb, click.Context(verb, parent=ctx, info_name=name)))
    titles = [ctx.command_path.replace(" ", "-") for _, ctx in verbs]
    found = {}
    for (verb, ctx), title in zip(verbs, titles, strict=True):
        others = [other for other in titles if other != title]
        parts = [line for heading, lines in _parts(verb, ctx) if lines for line in (f".SH {heading}", *lines)]
        see = ["." + f"BR {typed(other)} (1)," for other in others]
        title_line = f'.TH {typed(title.upper())} 1 "" "bulkput {__version__}" "bulkput"'
        name = [".SH NAME", f"{typed(title)} \\- {marked(_summary(verb, ctx))}"]
        found[f"{title}.1"] = HEAD + "\n".join([title_line, *name, *parts, ".SH SEE ALSO", *see]).rstrip(",") + "\n"
    return found


def _summary(verb: click.Command, ctx: click.Context) -> str:
    text = SUMMARIES.get(ctx.info_name or "") or _blocks(verb)[0]
    return text[0].lower() + text[1:].rstrip(".")


def _parts(verb: click.Command, ctx: click.Context) -> Iterator[tuple[str, list[str]]]:
    """Each heading behind NAME, with the lines below it; none if it does not apply."""
    blocks = _blocks(verb)
    examples = [block for block in blocks if block.startswith("\b") and COMMAND.search(block)]
    codes = [block for block in blocks if block.startswith(CODES)]
    flags = {flag for option in verb.get_params(ctx) for flag in option.opts}
    is_group, has_store = isinstance(verb, click.Group), "--insecure" in flags
    if has_store and not codes:
        codes = [block for block in _blocks(bulkput) if block.startswith(CODES)]
    yield "SYNOPSIS", [f"\\fB{typed(ctx.command_path)}\\fR {' '.join(map(_piece, verb.collect_usage_pieces(ctx)))}"]
    yield "DESCRIPTION", _paragraphs(block for block in blocks if block not in (*examples, *codes))
    if is_group:
        yield "VERBS", _items((f"\\fB{name}\\fR", text) for name, text in SUMMARIES.items())
    yield "OPTIONS", _options(verb, ctx)
    yield "EXIT STATUS", _items((f"\\fB{code}\\fR", text) for block in codes for code, text in _codes(block))
    if is_group or has_store:
        yield "ENVIRONMENT", _items((_variables(names), text) for names, text in VARIABLES)
    yield "FILES", _items((f"\\fI{typed(name)}\\fR", text) for name, flag, text in FILES if is_group or flag in flags)
    yield "EXAMPLES", _paragraphs(examples)


def _blocks(verb: click.Command) -> list[str]:
    """The paragraphs of the help text."""
    return cleandoc(verb.help or "").split("\n\n")


def _options(verb: click.Command, ctx: click.Context) -> list[str]:
    if isinstance(verb, Verb):
        sections = list(verb.sections(ctx))
    else:
        records = (each.get_help_record(ctx) for each in verb.get_params(ctx) if isinstance(each, click.Option))
        sections = [("", [record for record in records if record is not None])]
    lines = []
    for heading, options in sections:
        lines += [f".SS {heading}"] if heading else []
        lines += _items((", ".join(map(_option, names.split(", "))), text) for names, text in options)
    return lines


def _option(name: str) -> str:
    """`--include GLOB`, the first word bold and the other italic."""
    flag, _, value = name.partition(" ")
    return f"\\fB{typed(flag)}\\fR" + (f" {_piece(value)}" if value else "")


def _piece(name: str) -> str:
    return f"\\fI{typed(name)}\\fR"


def _variables(names: str) -> str:
    return ", ".join(f"\\fB{typed(name)}\\fR" for name in names.split(", "))


def _codes(block: str) -> Iterator[Item]:
    """`Exit codes: 0 copied, 1 an object failed, 2 usage.`"""
    text = " ".join(block.split()).removeprefix(CODES).rstrip(".")
    for item in re.split(r"[,;] (?=\d{1,3} )", text):
        code, _, meaning = item.partition(" ")
        yield code, meaning


def _items(items: Iterable[Item]) -> list[str]:
    return [line for term, text in items for line in (".TP", term, marked(text))]


def _paragraphs(blocks: Iterable[str]) -> list[str]:
    """Running text, and after a backspace, as for click, lines as they are."""
    lines = []
    for block in blocks:
        if block.startswith("\b"):
            kept = [typed(line) for line in block.removeprefix("\b\n").splitlines()]
            lines += [".PP", ".RS 4", ".EX", *map(_guarded, kept), ".EE", ".RE"]
        else:
            lines += [".PP", marked(block)]
    return lines[1:] if lines[:1] == [".PP"] else lines


def typed(text: str) -> str:
    """The text as it is typed."""
    return text.translate(AS_TYPED)


def marked(text: str) -> str:
    """Running text on one line, with its flags in bold."""
    words = FLAG.split(" ".join(text.split()))
    return _guarded("".join(f"\\fB{typed(word)}\\fR" if at % 2 else typed(word) for at, word in enumerate(words)))


def _guarded(line: str) -> str:
    """A line that begins with a dot would be a request."""
    return f"\\&{line}" if line.startswith(".") else line


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    made = pages()
    for old in FOLDER.glob("*.1"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
