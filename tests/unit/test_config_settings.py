"""Which of several values counts: bulkput/config/settings.py."""

from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.config.files import ConfigFile
from bulkput.config.places import FileKind
from bulkput.config.settings import Layer, Origin, Setting, check, layers, resolve
from bulkput.config.tables import Config, take_apart
from bulkput.config.values import Key, Shape
from bulkput.errors import UsageError

VERBS = ("upload", "ls")
KEYS = {
    "journal": Key(Shape.TEXT, is_path=True),
    "gzip": Key(Shape.TEXT),
    "retries": Key(Shape.NUMBER),
    "quiet": Key(Shape.FLAG),
    "verbose": Key(Shape.FLAG),
    "fail-fast": Key(Shape.FLAG),
    "max-errors": Key(Shape.NUMBER),
    "url-expires-in": Key(Shape.NUMBER),
    "expires-at": Key(Shape.NUMBER),
    "exclude": Key(Shape.LIST),
    "exclude-from": Key(Shape.LIST, is_path=True),
    "yes": Key(Shape.FLAG),
    "cloud": Key(Shape.TEXT),
}
PLACES = list(product(("strong", "weak", None), ("project", "user"), ("upload", None)))
"""Profile, file and verb of each table that an upload reads with two profiles in use, the strongest first."""


def config(kind: FileKind, table: Mapping[str, Any]) -> Config:
    return take_apart(ConfigFile(kind, f"/{kind}.toml", table), VERBS)


def resolved(
    project: Mapping[str, Any] | None = None,
    user: Mapping[str, Any] | None = None,
    *,
    profiles: tuple[str, ...] = (),
    environ: Mapping[str, str] | None = None,
    typed: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The values for an upload."""
    configs = [config("project", project or {}), config("user", user or {})]
    found = resolve(layers(configs, "upload", profiles), KEYS, environ or {}, typed)
    return {key: setting.value for key, setting in found.items()}


def placed(places: Mapping[tuple[str | None, str, str | None], str]) -> dict[str, dict[str, Any]]:
    """The tables of both files with `gzip` at each of these places."""
    found: dict[str, dict[str, Any]] = {"project": {}, "user": {}}
    for (profile, kind, verb), value in places.items():
        table = found[kind]
        for name in (*(("profile", profile) if profile else ()), *((verb,) if verb else ())):
            table = table.setdefault(name, {})
        table["gzip"] = value
    return found


@given(st.lists(st.sampled_from(PLACES), unique=True), st.booleans(), st.booleans())
def test_the_strongest_value_counts(
    present: list[tuple[str | None, str, str | None]], in_environment: bool, is_typed: bool
) -> None:
    """Command line, environment, then profiles before no profile, project before user, verb before general."""
    tables = placed({place: str(place) for place in present})
    environ = {"BULKPUT_GZIP": "environment"} if in_environment else {}
    found = resolved(**tables, profiles=("strong", "weak"), environ=environ, typed=("gzip",) if is_typed else ())
    strongest = next((str(place) for place in PLACES if place in present), None)
    expected = None if is_typed else environ.get("BULKPUT_GZIP", strongest)
    assert found.get("gzip") == expected


@given(st.lists(st.sampled_from(PLACES), unique=True, min_size=1))
def test_a_setting_says_where_it_comes_from(present: list[tuple[str | None, str, str | None]]) -> None:
    """`str(origin)` is the file and its table; `of` adds the key."""
    configs = [config(kind, table) for kind, table in placed(dict.fromkeys(present, "auto")).items()]  # type: ignore[arg-type]
    setting = resolve(layers(configs, "upload", ("strong", "weak")), KEYS, {})["gzip"]
    profile, kind, verb = next(place for place in PLACES if place in present)
    table = ".".join(filter(None, ("profile." + profile if profile else "", verb)))
    assert str(setting.origin) == f"/{kind}.toml" + (f" [{table}]" if table else "")
    assert setting.origin.of("gzip") == f"/{kind}.toml: " + (f"{table}." if table else "") + "gzip"


def test_tables_of_other_verbs_and_of_other_profiles_do_not_count() -> None:
    """[ls] and [profile.other] in an upload."""
    table = {"ls": {"gzip": "auto"}, "profile": {"other": {"gzip": "auto"}, "work": {"ls": {"gzip": "auto"}}}}
    assert resolved(table, table, profiles=("work",)) == {}


@pytest.mark.parametrize(
    ("project", "user", "environ", "typed", "expected"),
    [
        ({}, {"quiet": True}, {}, ("verbose",), {}),
        ({}, {"quiet": True}, {"BULKPUT_VERBOSE": "1"}, (), {"verbose": True}),
        ({}, {"quiet": True}, {"BULKPUT_VERBOSE": "0"}, (), {"verbose": False, "quiet": True}),
        ({"verbose": True}, {"quiet": True}, {}, (), {"verbose": True}),
        ({"verbose": False}, {"quiet": True}, {}, (), {"verbose": False, "quiet": True}),
        ({"verbose": True, "quiet": True}, {}, {}, (), {"verbose": True, "quiet": True}),
        ({"quiet": True, "upload": {"verbose": True}}, {}, {}, (), {"verbose": True}),
        ({"fail-fast": True}, {}, {}, ("max-errors",), {}),
        ({"fail-fast": True}, {"max-errors": 3}, {}, (), {"fail-fast": True}),
        ({"max-errors": 3}, {"fail-fast": True}, {}, (), {"max-errors": "3"}),
        ({}, {"url-expires-in": "2h"}, {}, ("expires-at",), {}),
    ],
)
def test_of_options_that_exclude_each_other_the_stronger_counts(
    project: dict[str, Any],
    user: dict[str, Any],
    environ: dict[str, str],
    typed: tuple[str, ...],
    expected: dict[str, Any],
) -> None:
    """Both stay if they stand in one table: the verb says what is wrong with that."""
    assert resolved(project, user, environ=environ, typed=typed) == expected


@pytest.mark.parametrize(
    ("profiles", "environ", "expected"),
    [
        ((), {}, "general"),
        ((), {"BULKPUT_CLOUD": "variable"}, "variable"),
        ((), {"OS_CLOUD": "theirs"}, None),
        ((), {"ST_AUTH": "https://a"}, None),
        ((), {"OS_AUTH_URL": ""}, "general"),
        ((), {"OS_CLOUD": "theirs", "BULKPUT_CLOUD": "variable"}, "variable"),
        (("work",), {}, "work"),
        (("work",), {"BULKPUT_CLOUD": "variable"}, "work"),
        (("work",), {"OS_CLOUD": "theirs"}, "work"),
        (("open",), {"BULKPUT_CLOUD": "variable"}, "variable"),
        (("open",), {"OS_CLOUD": "theirs"}, None),
    ],
)
def test_the_account_of_a_profile_is_not_replaced_by_the_environment(
    profiles: tuple[str, ...], environ: dict[str, str], expected: str | None
) -> None:
    """Its destination would be looked for in another account. Outside of profiles, the environment's login counts."""
    user = {"cloud": "general", "profile": {"work": {"cloud": "work"}, "open": {}}}
    assert resolved(None, user, profiles=profiles, environ=environ).get("cloud") == expected


def test_a_confirmation_does_not_come_from_the_environment() -> None:
    """BULKPUT_YES=1"""
    assert resolved(environ={"BULKPUT_YES": "1", "BULKPUT_QUIET": "1"}) == {"quiet": True}


def test_an_empty_variable_is_not_set() -> None:
    """BULKPUT_RETRIES="" """
    assert resolved(None, {"retries": 3}, environ={"BULKPUT_RETRIES": ""}) == {"retries": "3"}


def test_a_path_counts_from_the_project_file_and_from_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the user's file, `~/` is home, and a relative path stays relative to the current directory."""
    monkeypatch.setenv("HOME", "/home/me")
    project = {"journal": "up.db", "exclude-from": [".gitignore", "sub/list"]}
    assert resolved(project) == {"journal": "/up.db", "exclude-from": ("/.gitignore", "/sub/list")}
    assert resolved(None, {"journal": "~/up.db"}) == {"journal": "/home/me/up.db"}
    assert resolved(None, {"journal": "up.db"}) == {"journal": "up.db"}
    assert resolved(None, {"gzip": "~/up.db"}) == {"gzip": "~/up.db"}, "no path"


@pytest.mark.parametrize(
    ("project", "environ", "message"),
    [
        ({"retries": True}, {}, "/project.toml: retries is true: write a number, or a string"),
        ({"upload": {"exclude": "x"}}, {}, '/project.toml: upload.exclude is a string: write a list, ["..."]'),
        ({}, {"BULKPUT_QUIET": "maybe"}, "BULKPUT_QUIET is neither true nor false: write 1 or 0"),
    ],
)
def test_a_value_of_a_wrong_type_is_named_with_its_place(
    project: dict[str, Any], environ: dict[str, str], message: str
) -> None:
    """File, table, key; or the variable."""
    with pytest.raises(UsageError) as caught:
        resolved(project, environ=environ)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("kind", "table", "key", "message"),
    [
        ("user", "", "gzip", None),
        ("user", "", "older-than", None),
        ("user", "upload", "older-than", "/f: upload.older-than is no option of this verb"),
        ("user", "", "max_errors", "/f: max_errors is no option: did you mean max-errors?"),
        ("user", "upload", "Max_Errors", "/f: upload.Max_Errors is no option of this verb: did you mean max-errors?"),
        ("user", "", "oldr-than", "/f: oldr-than is no option: did you mean older-than?"),
        ("user", "", "zzz", "/f: zzz is no option"),
        ("user", "", "a\x1bb", "/f: a\\x1bb is no option"),
        ("user", "", "yes", "/f: yes is only taken from the command line: it confirms one command"),
    ],
)
def test_a_key_is_an_option_or_an_error(kind: FileKind, table: str, key: str, message: str | None) -> None:
    """In a general table it may be another verb's. The nearest known name is told."""
    layer = Layer(origin=Origin(kind, "/f", table), values={key: 1}, is_for_all=not table)
    every = [*KEYS, "older-than"]
    if message is None:
        check(layer, KEYS, every)
        return
    with pytest.raises(UsageError) as caught:
        check(layer, KEYS, every)
    assert str(caught.value) == message


def test_a_flag_and_a_default_have_origins_too() -> None:
    """For `bulkput config`."""
    assert [str(Origin("flag")), str(Origin("default")), str(Origin("environment", "BULKPUT_X"))] == [
        "flag",
        "default",
        "BULKPUT_X",
    ]
    assert Setting("x", Origin("flag")).origin.kind == "flag"
