"""Who speaks of flags: the command line, and nothing below it."""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from bulkput import events as ev
from bulkput.cli import cp, main, segments, tempurl, upload, verify
from bulkput.cli.files import TraceFile
from bulkput.cli.flags import FLAGS, in_flags, row_in_flags
from bulkput.engine.compare.journal_identity import gzip_identity, header_identity, identity, share_identity
from bulkput.errors import NAMED_OPTION, SourceError, UsageError
from bulkput.journal.schema import MIGRATIONS
from bulkput.options import (
    FileListOptions,
    GzipOptions,
    HeaderOptions,
    NamingOptions,
    ShareOptions,
    SkipOptions,
    UploadOptions,
)
from bulkput.policy.listed import check_upload
from bulkput.stores.base import Destination
from bulkput.verb_options import SegmentOptions, TempUrlOptions

PACKAGE = Path(__file__).parents[2] / "bulkput"
OWN_COMMAND_LINES = {"devserver/__main__.py", "demo/experiment.py"}
"""`python -m bulkput.devserver` has flags of its own, and the demo starts it."""
PARAMETERS = {"sources", "destination", "is_recursive", "with_segments", "segment_container"}
CALLS = {"bulkput.copy", "bulkput.remove", "bulkput.segments", "bulkput.temporary_url", "bulkput.upload"}
OF_TEMPURL = {"method", "is_object", "expires_in_s", "expires_at_s", "ip_range", "digest"}
"""Options of `temporary_url` alone."""
OF_SEGMENTS = {"reap"}
"""Options of `segments` alone."""
PYTHON_ONLY: set[str] = set()
"""Options that some text names although no flag sets them."""
VERBS_OWN = {
    "--literal", "--progress", "--json", "--summary", "--trace", "--verbose", "--quiet", "--quick",
    "--include-from", "--exclude-from", "--fail-fast", "--profile", "--cloud", "--summary-md", "--print-urls",
    "--manifest", "--processes", "--cluster", "--status-page", "--report",
}  # fmt: skip
"""Flags that no option of the library stands behind, or that are another way to write one."""
OLD_NAMES = MIGRATIONS[1]
"""Has the flags that settings in journals of the first schema are called after."""
FLAG = re.compile(r"(?<![^\s(\"'`])(?<!ulimit )(?<!swift post )--?[a-z]")
VERB = re.compile(rf"\bbulkput ({'|'.join(main.bulkput.list_commands(click.Context(main.bulkput)))})\b")
EXCLUDE = "exclude each other"
NEXT_STEP = re.compile(r"\b(leave|give|run|instead)\b", re.IGNORECASE)
METAVAR = re.compile(r"\b(SOURCE|DEST)\b")


@cache
def texts() -> tuple[tuple[str, str], ...]:
    """Where, and what: each string below the command line that is no docstring; 0 stands for what is filled in."""
    return tuple(all_texts())


def all_texts() -> Iterator[tuple[str, str]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name.startswith("cli/") or name in OWN_COMMAND_LINES:
            continue
        yield from (
            (f"{name}:{line}", text) for line, text in strings(ast.parse(path.read_text())) if text != OLD_NAMES
        )


def strings(node: ast.AST) -> Iterator[tuple[int, str]]:
    match node:
        case ast.Expr(value=ast.Constant()):  # a docstring
            return
        case ast.Constant(value=str(text)):
            yield node.lineno, text
        case ast.JoinedStr():
            parts = (part.value if isinstance(part, ast.Constant) else "0" for part in node.values)
            yield node.lineno, "".join(map(str, parts))
            for part in node.values:
                if isinstance(part, ast.FormattedValue):
                    yield from strings(part.value)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from strings(child)


def has_field(options: object, path: str) -> bool:
    for name in path.split("."):
        if not hasattr(options, name):
            return False
        options = getattr(options, name)
    return True


def flags_of(*verbs: click.Command) -> set[str]:
    """All spellings."""
    return {spelling for verb in verbs for each in verb.params for spelling in each.opts}


@pytest.mark.parametrize("shape", [FLAG, VERB, METAVAR], ids=["flag", "verb", "metavar"])
def test_texts_below_the_command_line_name_no_flag(shape: re.Pattern[str]) -> None:
    """No string contains `--flag`, `-r`, `bulkput rm` or SOURCE; docstrings may."""
    assert [(where, text) for where, text in texts() if shape.search(text)] == []


def test_a_text_about_options_that_exclude_each_other_says_what_to_do() -> None:
    """Which one to leave out, or what does the same without it."""
    paths = sorted(PACKAGE.rglob("*.py"))
    found = [text for path in paths for _, text in strings(ast.parse(path.read_text())) if EXCLUDE in text]
    assert len(found) > 10
    assert [text for text in found if NEXT_STEP.search(text.partition(EXCLUDE)[2]) is None] == []


def test_every_option_named_in_a_text_has_a_flag() -> None:
    """Some options are known to have none."""
    named = {match[1]: where for where, text in texts() for match in NAMED_OPTION.finditer(text)}
    assert {option: where for option, where in named.items() if option not in FLAGS | dict.fromkeys(PYTHON_ONLY)} == {}
    assert {"skip.delete_extra", "gzip.store_as", "stop.max_errors", "walk.min_age_s"} <= set(named), "texts are read"


def test_every_option_in_the_flag_table_exists() -> None:
    """A field that is renamed is renamed in the table."""
    options = UploadOptions(files=FileListOptions(path="-"), share=ShareOptions(shard=1, of=2))
    unknown = [option for option in FLAGS if not has_field(options, option)]
    assert set(unknown) == PARAMETERS | CALLS | OF_TEMPURL | OF_SEGMENTS
    assert all(has_field(TempUrlOptions(), option) for option in OF_TEMPURL)
    assert all(has_field(SegmentOptions(), option) for option in OF_SEGMENTS)


def test_the_flag_table_and_the_declared_flags_are_equal() -> None:
    """It covers upload and verify; -r belongs to cp, mv and rm."""
    told = {flag for words in FLAGS.values() for flag in re.findall(r"(?<!\S)--?[\w-]+", words)}
    assert told <= flags_of(upload.upload, cp.cp, tempurl.tempurl, segments.segments)
    long = {flag for flag in flags_of(upload.upload, verify.verify) if flag.startswith("--")}
    assert long - told == VERBS_OWN


def test_every_setting_of_a_journal_is_an_option() -> None:
    """A difference between two runs can then be printed as flags."""
    settings = identity([], Destination("swift", "c", ""), "", NamingOptions(), GzipOptions())
    settings |= header_identity(HeaderOptions()) | gzip_identity(GzipOptions(mode="auto"), compresses=True)
    settings |= share_identity(None)
    assert set(settings) <= set(FLAGS)
    assert gzip_identity(GzipOptions(), compresses=False).keys() <= set(settings)


@pytest.mark.parametrize(
    ("library", "command_line"),
    [
        ("`skip.delete_extra` and `journal` exclude each other", "--delete-extra and --journal exclude each other"),
        ("with `gzip.mode='auto'` it does", "with --gzip auto it does"),
        ("2 failed, `stop.max_errors=2`", "2 failed, --max-errors 2"),
        ("`dir_markers=True` makes them", "--dir-markers makes them"),
        ("more than 9: `skip.max_deleted=None` allows that", "more than 9: --yes allows that"),
        ("`skip.keep_for_s` needs `skip.delete_extra`", "--keep-for needs --delete-extra"),
        ("`wire.verify_tls=False`", "--insecure"),
        ("larger than `walk.max_size`", "larger than --max-size"),
        ("a directory in `sources`; `bulkput.remove` does that", "a directory in SOURCE; bulkput rm -r does that"),
        ("`body.readers` has no flag", "`body.readers` has no flag"),
        ("`x.y=1` is no option, and `two words` too", "`x.y=1` is no option, and `two words` too"),
    ],
)
def test_option_names_in_a_text_become_flags(library: str, command_line: str) -> None:
    """The examples are those of the module's table."""
    assert in_flags(library) == command_line


def test_names_in_json_are_not_changed_to_flags() -> None:
    """A file may be called `journal`; only sentences and reasons get flags."""
    failure = {"path": "`journal`", "key": "`journal`", "error": "see `journal`"}
    row = {"skipped_by_reason": {"newer than `walk.min_age_s`": 1}, "failures": [failure], "names": ["`journal`"]}
    assert row_in_flags(row | {"stopped": None, "why": "`dry_run`", "found": 1}) == {
        "skipped_by_reason": {"newer than --min-age": 1},
        "failures": [failure | {"error": "see --journal"}],
        "names": ["`journal`"],
        "stopped": None,
        "why": "--dry-run",
        "found": 1,
    }


def test_errors_in_a_trace_of_the_command_line_name_flags(tmp_path: Path) -> None:
    """`--trace FILE` writes the errors of requests."""
    trace = TraceFile(str(tmp_path / "t"))
    error = SourceError(b"a", "changed", "it grew (`body.changing='snapshot'` takes it)")
    trace(ev.Requested("put", "`journal`", 0.0, 0.1, 1, error))
    trace.close()
    row = json.loads((tmp_path / "t").read_text().splitlines()[1])
    assert (row["error"], row["key"]) == ("read a: changed: it grew (--changing snapshot takes it)", "`journal`")


def test_a_usage_error_lists_the_options_that_it_names() -> None:
    """`options` has each field of the call once, in the order of the text."""
    options = UploadOptions(files=FileListOptions(path="list"), skip=SkipOptions(delete_extra=True))
    with pytest.raises(UsageError) as caught:
        check_upload(options)
    assert caught.value.options == ("files", "skip.delete_extra")
    assert str(caught.value).startswith("`files` and `skip.delete_extra` exclude each other: ")
    assert UsageError("no option").options == ()
    assert UsageError("`journal`, `gzip.mode='auto'`, `journal`").options == ("journal", "gzip.mode")
