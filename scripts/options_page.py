"""Write docs/options.md from the code: what each option does, its default, and the reason.

    .venv/bin/python scripts/options_page.py

The help text in `bulkput/cli/` says what a flag does. Headings and order are those of `bulkput upload --help`. The
reason is the rest of the docstring below the field in `bulkput/options.py` or `verb_options.py`, after its first
sentence.
`FLAGS` in `bulkput/cli/flags.py` says which field a flag sets.
"""

import ast
import dataclasses
import re
import textwrap
from pathlib import Path
from typing import Any

import click

from bulkput import options, verb_options
from bulkput.cli.environment import VARIABLES
from bulkput.cli.flags import FLAGS
from bulkput.cli.help import SECTIONS
from bulkput.cli.main import bulkput

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "options.md"
FILES = ("options", "large_options", "rule_options", "s3_options", "share_options", "wire_options", "verb_options")
"""The modules of the package that define options."""
GROUPS = {
    "walk": options.WalkOptions,
    "files": options.FileListOptions,
    "headers": options.HeaderOptions,
    "body": options.BodyOptions,
    "gzip": options.GzipOptions,
    "retry": options.RetryOptions,
    "wire": options.WireOptions,
    "stop": options.StopRules,
    "skip": options.SkipOptions,
    "large": options.LargeOptions,
    "s3": options.S3Options,
    "share": options.ShareOptions,
}
"""The groups of an upload, by the field of `UploadOptions` that holds them."""
FLAG = re.compile(r"(?<![\w`-])(--[a-z][a-z-]+)")
OTHERS = (
    verb_options.VerifyOptions,
    verb_options.CopyOptions,
    verb_options.RemoveOptions,
    verb_options.SegmentOptions,
    verb_options.ListOptions,
    verb_options.TempUrlOptions,
    verb_options.StoreOptions,
)
"""The options of the other functions. The page shows only fields that `UploadOptions` does not have."""
BYTES = ("_size", "_rate", "above", "held")
HEAD = """\
# Options

<!-- Made by scripts/options_page.py from bulkput/cli/ and bulkput/options.py. Do not edit. -->

Every option with its default and the reason for it. In brackets: the field of
`bulkput.UploadOptions` that does the same from Python. In a configuration file, the key is the flag
without the dashes in front: `max-errors = 5` ([config.md](config.md)).
"""
ENVIRONMENT = """\
## Environment

More on credentials and proxies: [ci.md](ci.md#credentials).
"""
PYTHON = """\
## From Python only

These fields have no flag. This sets one:
`bulkput.UploadOptions(retry=bulkput.RetryOptions(total_s=60))`.
"""


def page() -> str:
    """The text of the page."""
    told: set[str] = set()
    parts = [HEAD, "## `bulkput upload`\n", *_sections("upload", told)]
    for verb in bulkput.list_commands(click.Context(bulkput)):
        if verb != "upload" and (items := _items(verb, told)):
            parts += [f"## `bulkput {verb}`\n", *_note(verb), "\n".join(items) + "\n"]
    parts += [ENVIRONMENT, "\n".join(_variable(names, text) for names, text in VARIABLES) + "\n"]
    parts += [PYTHON, *_without_flag()]
    return "\n".join(parts)


def _variable(names: str, text: str) -> str:
    shown = re.sub(r"<[A-Z]+>", r"`\g<0>`", text)  # else it would be a tag of HTML
    return _wrapped(f"* **{', '.join(f'`{name}`' for name in names.split(', '))}**: {shown}")


def _note(verb: str) -> list[str]:
    if verb == "verify":
        return ["Options that are not here mean what they mean in `upload`.\n"]
    return []


def _sections(verb: str, told: set[str]) -> list[str]:
    by_flag = {option.opts[-1]: option for option in options_of(verb)}
    parts = []
    for heading, flags in SECTIONS.items():
        items = [_item(by_flag[flag], told, is_upload=True) for flag in flags if flag in by_flag]
        parts += [f"### {heading}\n", "\n".join(items) + "\n"]
    return parts


def _items(verb: str, told: set[str]) -> list[str]:
    """A line for each option of a verb, except those that an earlier verb has with the same text."""
    return [_item(option, told) for option in options_of(verb) if f"{option.opts[-1]} {option.help}" not in told]


def options_of(verb: str) -> list[click.Option]:
    command = bulkput.get_command(click.Context(bulkput), verb)
    if command is None:
        raise ValueError(verb)
    return [each for each in command.params if isinstance(each, click.Option)]


def _item(option: click.Option, told: set[str], *, is_upload: bool = False) -> str:
    """The line of one option. Only options of an upload get a field and a reason."""
    told.add(f"{option.opts[-1]} {option.help}")
    flag = option.opts[-1]
    metavar = "" if option.is_flag else f" {option.make_metavar(click.Context(click.Command('x')))}"
    field, default = _field(flag) if is_upload else "", _default(option)
    about = ", ".join(filter(None, (f"`{field}`" if field else "", f"default {default}" if default else "")))
    name = ", ".join(f"`{each}`" for each in [*option.opts[:-1], flag + metavar])
    why = _docs()[field].partition(". ")[2] if field else ""
    head = f"{name} ({about})" if about else name
    return _wrapped(f"* **{head}**: {_plain(option.help)} {why}".rstrip())


def _plain(text: str | None) -> str:
    """The help text without its default, which the line has already."""
    return FLAG.sub(r"`\1`", (text or "").partition(" Default: ")[0])


def _field(flag: str) -> str:
    """The field that a flag sets. If several fields have that flag, the most precise one."""
    return max((field for field, name in FLAGS.items() if name == flag and field in _docs()), default="")


def _default(option: click.Option) -> str:
    if option.is_flag:
        return "off"
    if option.default is not None and isinstance(option.default, str | int | float):
        return f"`{option.default:g}`" if isinstance(option.default, float) else f"`{option.default}`"
    return (option.help or "").partition("Default: ")[2].rstrip(".")


def _docs() -> dict[str, str]:
    """The text below each field, by the path of the field in `UploadOptions`."""
    found = {}
    names = {group.__name__: f"{name}." for name, group in GROUPS.items()} | {"UploadOptions": "", "SharedOptions": ""}
    files = (ROOT / "bulkput" / f"{name}.py" for name in FILES)
    for node in (node for file in files for node in ast.parse(file.read_text()).body):
        if not isinstance(node, ast.ClassDef):
            continue
        for field, text in zip(node.body, node.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                assert isinstance(field.target, ast.Name)  # noqa: S101 - what a class body can hold
                found[names.get(node.name, f"{node.name}.") + field.target.id] = " ".join(str(text.value.value).split())
    return found


def _without_flag() -> list[str]:
    flags = set(FLAGS)
    parts = []
    for name, group in {**GROUPS, "": options.UploadOptions}.items():
        paths = {field.name: f"{name}.{field.name}".lstrip(".") for field in dataclasses.fields(group)}
        items = [
            _wrapped(f"* **`{paths[field.name]}`** (default {_value(field)}): {_docs()[paths[field.name]]}")
            for field in dataclasses.fields(group)
            if paths[field.name] not in flags | set(GROUPS)
        ]
        if items:
            about = (group.__doc__ or "").splitlines()[0]
            parts += [f"### `{group.__name__}`\n", _wrapped(about, indent="") + "\n", "\n".join(items) + "\n"]
    for group in OTHERS:
        named = {field.name for field in dataclasses.fields(options.UploadOptions)} - {"headers", "dry_run"}
        items = [
            _wrapped(f"* **`{field.name}`** (default {_value(field)}): {_docs()[f'{group.__name__}.{field.name}']}")
            for field in dataclasses.fields(group)
            if field.name not in named and f"{group.__name__}.{field.name}" in _docs()
        ]
        about = (group.__doc__ or "").splitlines()[0]
        parts += [f"### `{group.__name__}`\n", _wrapped(about, indent="") + "\n", "\n".join(items) + "\n"]
    return parts


def _value(field: "dataclasses.Field[Any]") -> str:
    match field.default:
        case int() as number if field.name.endswith(BYTES) and number % 1024 == 0:
            return f"{number // 1024**2} MiB" if number % 1024**2 == 0 else f"{number // 1024} KiB"
        case frozenset():
            return "none"
        case dataclasses.MISSING:  # made by a factory: a group of options
            return "none"
        case value:
            return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _wrapped(text: str, *, indent: str = "  ") -> str:
    return "\n".join(textwrap.wrap(text, 100, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False))


if __name__ == "__main__":
    PAGE.write_text(page())
