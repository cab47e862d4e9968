"""The man pages against the code that they are made from."""

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bulkput.cli.environment import FILES, VARIABLES
from bulkput.cli.main import bulkput
from scripts import man_pages

ROOT = Path(__file__).parents[2]
PAGES = man_pages.pages()
VERBS = bulkput.list_commands(click.Context(bulkput))
NAMED = {name for names, _ in VARIABLES for name in names.split(", ")}
VARIABLE = re.compile(r"(?:ST|OS|BULKPUT|GITHUB|GITLAB)_[A-Z0-9_]+")
NOT_READ = {"BULKPUT_DEVSERVER_USER", "BULKPUT_DEVSERVER_KEY", "BULKPUT_TEMPURL_", "BULKPUT_HTTP_"}
"""Named only to say that they stand for no option."""
OF_OTHERS = {"HOME", "SNAP_REAL_HOME", "XDG_CONFIG_DIRS"}
"""Asked for as openstacksdk asks for them."""
FAMILIES = tuple(name.partition("<")[0] for name in NAMED if "<" in name)


def verb_named(name: str) -> click.Command:
    verb = bulkput.get_command(click.Context(bulkput), name)
    assert verb is not None
    return verb


def as_read(page: str) -> str:
    """The text without its markup."""
    return re.sub(r"\\f[BIR]", "", page).replace("\\-", "-").replace("\\(aq", "'").replace("\\(ti", "~")


def test_the_man_pages_are_current() -> None:
    """scripts/man_pages.py makes them; a page of a verb that is gone is gone."""
    assert {path.name: path.read_text() for path in man_pages.FOLDER.iterdir()} == PAGES


@pytest.mark.parametrize("name", VERBS)
def test_every_flag_of_a_verb_is_on_its_page(name: str) -> None:
    """With its help text, which is that of --help."""
    page = as_read(PAGES[f"bulkput-{name}.1"])
    for option in verb_named(name).params:
        if isinstance(option, click.Option):
            assert re.search(rf"^(-\S+, )?{option.opts[-1]}( |$)", page, re.MULTILINE), option.opts
            assert " ".join((option.help or "").split()) in page, option.opts


def test_every_page_names_all_others() -> None:
    """SEE ALSO"""
    for file, page in PAGES.items():
        others = {match.replace("\\-", "-") for match in re.findall(r"^\.BR (\S+) \(1\),?$", page, re.MULTILINE)}
        assert others == {name.removesuffix(".1") for name in PAGES} - {file.removesuffix(".1")}


def test_a_page_has_examples_and_exit_codes_under_their_headings() -> None:
    """And the description no longer has them."""
    page = as_read(PAGES["bulkput-cp.1"])
    order = re.findall(r"^\.SH (.*)$", page, re.MULTILINE)
    assert order == [
        "NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO",
    ]  # fmt: skip
    assert ".TP\n1\nan object failed or does not exist\n.TP\n2\nusage\n" in page
    assert "Exit codes:" not in page
    assert page.index(".EX\nbulkput cp swift://a/report.html") > page.index(".SH EXAMPLES")


def test_a_verb_without_a_store_has_no_credentials_on_its_page() -> None:
    """status reads a file."""
    assert "ENVIRONMENT" not in PAGES["bulkput-status.1"]
    assert "ENVIRONMENT" in PAGES["bulkput-ls.1"]
    assert "FILE-wal" in as_read(PAGES["bulkput-upload.1"]) and "FILE-wal" not in as_read(PAGES["bulkput-ls.1"])


@pytest.mark.parametrize(
    ("text", "made"),
    [
        (".hidden and --flag, -x", r"\&.hidden and \fB\-\-flag\fR, \fB\-x\fR"),
        ("find -print0, a-b and it's", r"find \-print0, a\-b and it\(aqs"),
        ("a\\b ~ ^ `c`", r"a\eb \(ti \(ha \(gac\(ga"),
        ("two\n   lines", "two lines"),
    ],
)
def test_running_text_is_escaped(text: str, made: str) -> None:
    """No character of it becomes a request or another character."""
    assert man_pages.marked(text) == made


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed: scripts/tools installs it")
@pytest.mark.parametrize("file", PAGES)
def test_groff_formats_a_page_without_a_warning(file: str) -> None:
    """groff -man -ww, which is what `man` runs"""
    ran = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", man_pages.FOLDER / file], capture_output=True, text=True, check=True
    )
    assert ran.stderr == ""
    assert "SEE ALSO" in re.sub(r"\x1b\[\d*m|.\x08", "", ran.stdout)


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc, the other reader of man pages, is not installed")
def test_mandoc_has_nothing_to_say_except_that_there_is_no_date() -> None:
    """mandoc -Tlint"""
    files = sorted(man_pages.FOLDER.iterdir())
    ran = subprocess.run(["mandoc", "-Tlint", "-Wwarning", *files], capture_output=True, text=True, check=False)
    assert [line for line in ran.stdout.splitlines() if "missing date" not in line] == []


def asked_for() -> Iterator[tuple[str, str]]:
    """Where, and what: each variable of the environment that the code names, except that of the servers for demos."""
    for path in sorted((ROOT / "bulkput").rglob("*.py")):
        name = path.relative_to(ROOT / "bulkput").as_posix()
        if name.startswith(("devserver/", "testing/", "demo/")) or name == "cli/environment.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Constant(value=str(text)) if VARIABLE.fullmatch(text):
                    yield name, text
                case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(text)), *_]):
                    if ast.unparse(node.func).endswith("environ.get"):
                        yield name, text


def test_every_variable_that_the_code_asks_for_is_in_the_table() -> None:
    """Names that are made of parts (BULKPUT_HTTP_TOKEN_<HOST>, the proxies') are not found by this."""
    found = {
        (path, name.upper()) for path, name in asked_for() if name not in NOT_READ | OF_OTHERS
    }  # no_proxy is NO_PROXY
    assert {"ST_KEY", "OS_CACERT", "NETRC"} <= {variable for _, variable in found}
    families = tuple(family for family in FAMILIES if family != "BULKPUT_")
    assert [each for each in sorted(found) if each[1] not in NAMED and not each[1].startswith(families)] == []


def test_help_and_the_options_page_have_each_variable() -> None:
    """`--help` has the first sentence of each."""
    page, text = (ROOT / "docs" / "options.md").read_text(), bulkput.get_help(click.Context(bulkput))
    for name in NAMED:
        assert f"`{name}`" in page
        assert name in text
    assert {flag for _, flag, _ in FILES} <= {"--insecure", "--journal", "--cloud", "--profile"}
