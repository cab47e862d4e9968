"""Lines that a runner of GitHub Actions reads: annotations, and lines that are no command."""

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkput.report.github import MOST, Trouble, annotation, annotations, file_of, harmless

TEXTS = st.text(st.one_of(st.sampled_from("::##[] \t\r\nerrocmd=%,"), st.characters()), max_size=60)


def commands(output: str) -> list[str]:
    """The lines that the runner takes for commands: it reads lines as .NET does, and trims blanks in front."""
    lines = re.split(r"\r\n|\r|\n", output)
    return [line for line in lines if line.lstrip().startswith("::") or "##[" in line]


def unescaped(text: str) -> str:
    """As the runner reads the data of a command (ActionCommand.cs): %25 comes last."""
    for escape, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(escape, character)
    return text


@given(TEXTS)
@example("::error::x")
@example(" \u2003::error::x")
@example("a\r::error::x")
@example("###[error]x")
@example("##[##[a]]")
@example(":::::error::")
def test_no_text_holds_a_command_once_it_is_made_harmless(text: str) -> None:
    """What holds none before stays as it is."""
    assert commands(harmless(text)) == []
    if not commands(text):
        assert harmless(text) == text


@given(st.dictionaries(TEXTS, TEXTS, max_size=3))
@example({"path": "##[error]x", "\\##[": "::"})
def test_a_json_object_means_the_same_once_it_is_harmless(row: dict[str, str]) -> None:
    """Scripts read what they read elsewhere."""
    assert json.loads(harmless(json.dumps(row))) == row


@given(TEXTS, TEXTS)
def test_an_annotation_is_one_command_with_its_file_and_message(message: str, file: str) -> None:
    """The runner reads both as they were given."""
    line = annotation("error", message, file=file)
    assert "\n" not in line and "\r" not in line
    head, data = re.fullmatch(r"::error (.*?)::(.*)", line, re.DOTALL).groups()  # type: ignore[union-attr]
    properties = dict(part.split("=", 1) for part in head.split(","))
    assert unescaped(data) == message
    assert (unescaped(properties.get("file", "")), properties["title"]) == (file, "bulkput")


@pytest.mark.parametrize(
    ("stopped", "failed", "shown", "last"),
    [
        (None, 0, 0, None),
        (None, 10, 10, "::error file=9,title=bulkput::no 9"),
        (None, 11, 10, "::error title=bulkput::and 2 more failed"),
        (None, 12_009, 10, "::error title=bulkput::and 12 000 more failed"),
        ("denied", 0, 1, "::error title=bulkput::stopped: denied"),
        ("denied", 9, 10, "::error file=8,title=bulkput::no 8"),
        ("denied", 10, 10, "::error title=bulkput::and 2 more failed"),
    ],
)
def test_ten_errors_are_shown_and_the_last_counts_the_rest(
    stopped: str | None, failed: int, shown: int, last: str | None
) -> None:
    """GitHub shows ten; a stop comes first."""
    failures = [(str(number), f"no {number}") for number in range(min(failed, MOST))]
    lines = annotations(Trouble(stopped=stopped, failures=failures, failed=failed))
    assert len(lines) == shown
    assert (lines[-1] if lines else None) == last


def test_ten_warnings_are_shown_and_the_last_counts_the_rest() -> None:
    """Beside the errors."""
    lines = annotations(Trouble(failures=[("a", "no")], failed=1, warnings=[f"w{n}" for n in range(10)], warned=25))
    assert lines[:2] == ["::error file=a,title=bulkput::no", "::warning title=bulkput::w0"]
    assert (len(lines), lines[-1]) == (11, "::warning title=bulkput::and 16 more warnings")


@pytest.mark.parametrize(
    ("path", "workspace", "file"),
    [
        (b"dist/a.html", b"/w/repo", "sub/dist/a.html"),
        (b"dist/a.html", None, "dist/a.html"),
        (b"/w/repo/./x//y/../a.html", b"/w/repo/", "x/a.html"),
        (b"/w/repo-2/a", b"/w/repo", "/w/repo-2/a"),
        (b"../../out/a", b"/w/repo", "/w/out/a"),
        (b"/w/repo/sub/a", b"/elsewhere", "a"),
        (b"/a", b"/", "a"),
        (b"bad-\xff\n", None, "bad-\\xff\\n"),
        (b"-", b"/w/repo", None),
    ],
)
def test_the_file_of_an_annotation_is_relative_to_the_repository(
    path: bytes, workspace: bytes | None, file: str | None
) -> None:
    """Or to the working directory, /w/repo/sub here; stdin is no file."""
    assert file_of(path, working=b"/w/repo/sub", workspace=workspace) == file


def test_no_text_of_an_annotation_is_another_command() -> None:
    """The runner reads the old form of a command anywhere in a line."""
    assert annotation("error", "a ##[add-mask]b", file="##[x]c") == (
        "::error file=##\\u005bx]c,title=bulkput::a ##\\u005badd-mask]b"
    )
