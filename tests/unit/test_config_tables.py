"""A file taken apart, and its values: bulkput/config/tables.py, values.py, names.py."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.config.files import ConfigFile
from bulkput.config.names import is_other_variable, variable
from bulkput.config.tables import Config, Profile, Section, take_apart
from bulkput.config.values import Shape, from_toml, from_variable, of_project, of_user
from bulkput.errors import UsageError

VERBS = ("upload", "ls", "segments")


def apart(table: dict[str, Any]) -> Config:
    return take_apart(ConfigFile("user", "/f", table), VERBS)


def test_a_file_has_options_for_all_verbs_for_single_ones_and_for_profiles() -> None:
    """The shape of docs/config.md."""
    work = {"destination": "swift://a/b", "skip": "identical", "upload": {"journal": "up.db"}}
    found = apart({"concurrency": 32, "upload": {"gzip": "auto"}, "profile": {"work": work, "bare": {}}})
    assert found.options == Section({"concurrency": 32}, {"upload": {"gzip": "auto"}})
    assert found.profiles == {
        "work": Profile("swift://a/b", Section({"skip": "identical"}, {"upload": {"journal": "up.db"}})),
        "bare": Profile(None, Section({}, {})),
    }


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"uplaod": {}}, "[uplaod] is no table that bulkput knows: did you mean [upload]?"),
        ({"profil": {"work": {}}}, "[profil] is no table that bulkput knows: did you mean [profile]?"),
        ({"zzz": {}}, "[zzz] is no table that bulkput knows"),
        ({"upload": 3}, "upload is the number 3, but upload is a verb: write [upload] and its options"),
        ({"profile": "x"}, "profile is a string: write a table for each profile, [profile.NAME]"),
        ({"profile": [{}]}, "profile is a list: write a table for each profile, [profile.NAME]"),
        ({"profile": {"skip": "x"}}, "profile.skip is a string: write a table, [profile.NAME]"),
        (
            {"profile": {"w:x": {}}},
            "'w:x' cannot name a profile: use letters without accents, digits, _ and -",
        ),
        ({"profile": {"Swift": {}}}, "Swift cannot name a profile: URLs begin with swift://"),
        (
            {"profile": {"w": {"segmnts": {}}}},
            "[profile.w.segmnts] is no table that bulkput knows: did you mean [profile.w.segments]?",
        ),
        (
            {"profile": {"w": {"ls": True}}},
            "profile.w.ls is true, but ls is a verb: write [profile.w.ls] and its options",
        ),
        (
            {"profile": {"w": {"destination": 3}}},
            'profile.w.destination is the number 3: write a URL, "swift://CONTAINER/PREFIX"',
        ),
        (
            {"profile": {"w": {"destination": "c/p"}}},
            'profile.w.destination is no URL: write "swift://CONTAINER[/PREFIX]", "s3://BUCKET[/PREFIX]" or "https://HOST/PATH/"',
        ),
        (
            {"profile": {"w": {"destination": "https://me:secret@h/"}}},
            "profile.w.destination has a login in it: put that into ~/.netrc, or into BULKPUT_HTTP_USER and "
            "BULKPUT_HTTP_PASSWORD",
        ),
        (
            {"profile": {"w": {"destination": "https://h/?temp_url_sig=secret"}}},
            "profile.w.destination has a query or fragment, and names could not follow it",
        ),
    ],
)
def test_a_table_that_is_none_is_an_error(table: dict[str, Any], message: str) -> None:
    """The message has the file, what is wrong, and what to write. It has no secret."""
    with pytest.raises(UsageError) as caught:
        apart(table)
    assert str(caught.value) == f"/f: {message}"


@pytest.mark.parametrize("url", ["swift://c/a@b?c#d", "swift://", "https://h/a@b", "ftp://me@h/"])
def test_a_destination_is_taken_as_it_is(url: str) -> None:
    """In swift://, @ and ? are ordinary. What other packages' URLs may be is not known."""
    assert apart({"profile": {"w": {"destination": url}}}).profiles["w"].destination == url


@pytest.mark.parametrize(
    ("value", "shape", "expected"),
    [
        (True, Shape.FLAG, True),
        (False, Shape.FLAG, False),
        (1, Shape.FLAG, "is the number 1: write true or false"),
        ("true", Shape.FLAG, "is a string: write true or false"),
        (["a", "b"], Shape.LIST, ("a", "b")),
        ([], Shape.LIST, ()),
        ("a", Shape.LIST, 'is a string: write a list, ["..."]'),
        (["a", 1], Shape.LIST, "is a list that holds something else: write a list of strings"),
        (5, Shape.LIST, "is the number 5: write a list of strings"),
        ("auto", Shape.TEXT, "auto"),
        (5, Shape.TEXT, "is the number 5: write a string, in quotes"),
        (["a"], Shape.TEXT, "is a list: write a string, in quotes"),
        ({}, Shape.TEXT, "is a table: write a string, in quotes"),
        (date(2026, 1, 1), Shape.TEXT, "is a date or time: write a string, in quotes"),
        (5, Shape.NUMBER, "5"),
        (0.5, Shape.NUMBER, "0.5"),
        ("64M", Shape.NUMBER, "64M"),
        (True, Shape.NUMBER, "is true: write a number, or a string"),
    ],
)
def test_a_value_of_toml_becomes_what_is_typed(value: object, shape: Shape, expected: object) -> None:
    """Or an error, which does not repeat a string."""
    try:
        assert from_toml(value, shape) == expected
    except ValueError as error:
        assert str(error) == expected


@pytest.mark.parametrize(
    ("text", "shape", "expected"),
    [
        ("1", Shape.FLAG, True),
        ("Yes", Shape.FLAG, True),
        ("off", Shape.FLAG, False),
        ("2", Shape.FLAG, "is neither true nor false: write 1 or 0"),
        ("a b\nc:d\n", Shape.LIST, ("a b", "c:d")),
        ("5", Shape.NUMBER, "5"),
        (" x ", Shape.TEXT, " x "),
    ],
)
def test_a_variable_becomes_what_is_typed(text: str, shape: Shape, expected: object) -> None:
    """A list has one item a line."""
    try:
        assert from_variable(text, shape) == expected
    except ValueError as error:
        assert str(error) == expected


@given(st.text(), st.sampled_from(Shape))
def test_every_string_of_toml_is_a_value_or_an_error(text: str, shape: Shape) -> None:
    """For text and numbers it is taken as it is."""
    if shape in (Shape.FLAG, Shape.LIST):
        with pytest.raises(ValueError, match="is a string: write"):
            from_toml(text, shape)
    else:
        assert from_toml(text, shape) == text


def test_a_path_of_a_project_stays_in_it(tmp_path: Path) -> None:
    """Above, absolute, home, and through a symlink: all are outside."""
    (tmp_path / "project" / "sub").mkdir(parents=True)
    (tmp_path / "project" / "link").symlink_to(tmp_path)
    file = str(tmp_path / "project" / "bulkput.toml")
    assert of_project("sub/../up.db", file) == str(tmp_path / "project" / "sub/../up.db")
    assert of_project(str(tmp_path / "project" / "up.db"), file) == str(tmp_path / "project" / "up.db")
    through = str(tmp_path / "link" / "bulkput.toml")
    (tmp_path / "link").symlink_to("project")
    assert of_project("up.db", through) == str(tmp_path / "link" / "up.db")
    for path in ("../up.db", "sub/../../up.db", "/etc/passwd", "link/up.db", str(tmp_path / "project-2"), "."):
        with pytest.raises(ValueError, match="leads out of the project"):
            of_project(path, file)
    assert of_user("~other/x") == "~other/x" and of_user("-") == "-"


def test_names_of_variables() -> None:
    """BULKPUT_ and the option; some stand for no option."""
    assert variable("max-errors") == "BULKPUT_MAX_ERRORS"
    assert is_other_variable("BULKPUT_HTTP_TOKEN_A_B") and is_other_variable("BULKPUT_PROFILE")
    assert not is_other_variable("BULKPUT_GZIP")
