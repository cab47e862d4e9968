"""Aliases and the profiles in use: bulkput/config/aliases.py, and what a project may do there (trust.py)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.config.aliases import check_agreement, check_known, destination_of, in_use, joined, split_alias
from bulkput.config.files import ConfigFile
from bulkput.config.places import FileKind
from bulkput.config.tables import PROFILE_NAME, Config, take_apart
from bulkput.errors import UsageError

SWIFT, HTTP = {"destination": "swift://a"}, {"destination": "https://dav.example.org/x"}


def config(kind: FileKind, **profiles: Any) -> Config:
    return take_apart(ConfigFile(kind, f"/{kind}.toml", {"profile": profiles}), ("upload", "cp"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("work:build-42", ("work", "build-42")),
        ("work:", ("work", "")),
        ("work:a:b/c", ("work", "a:b/c")),
        ("work:/a", ("work", "/a")),
        ("work:a\nb", ("work", "a\nb")),
        ("swift://c/p", None),
        ("work://x", None),
        ("./work:x", None),
        ("a/work:x", None),
        ("-:x", None),
        (":x", None),
        ("work", None),
        ("wörk:x", None),
    ],
)
def test_what_looks_like_an_alias(text: str, expected: tuple[str, str] | None) -> None:
    """A name, a colon, and no two slashes: `./` in front makes it a path."""
    assert split_alias(text) == expected


@given(st.from_regex(PROFILE_NAME, fullmatch=True), st.text().filter(lambda rest: not rest.startswith("//")))
def test_an_alias_splits_at_its_first_colon(name: str, rest: str) -> None:
    """For every name of a profile, and whatever follows."""
    assert split_alias(f"{name}:{rest}") == (name, rest)


@pytest.mark.parametrize(
    ("destination", "rest", "expected"),
    [
        ("swift://artifacts/builds", "build-42", "swift://artifacts/builds/build-42"),
        ("swift://artifacts/builds/", "build-42", "swift://artifacts/builds/build-42"),
        ("swift://artifacts/builds", "", "swift://artifacts/builds/"),
        ("swift://artifacts/builds/", "", "swift://artifacts/builds/"),
        ("swift://artifacts", "a/b/", "swift://artifacts/a/b/"),
        ("swift://", "artifacts/x", "swift://artifacts/x"),
        ("https://h", "x", "https://h/x"),
        ("swift://c", "/x", "swift://c//x"),
    ],
)
def test_what_follows_is_put_below_the_destination(destination: str, rest: str, expected: str) -> None:
    """With one slash between them. A slash of one's own is kept: an object's name may begin with it."""
    assert joined(destination, rest) == expected


@pytest.mark.parametrize(
    ("chosen", "aliases", "variable", "expected"),
    [
        (None, (), None, []),
        (None, (), "v", ["v"]),
        ("c", (), "v", ["c"]),
        (None, ("dest", "source"), "v", ["dest", "source"]),
        ("c", ("dest", "source"), "v", ["c", "dest", "source"]),
        ("dest", ("dest",), None, ["dest"]),
        (None, (), "", []),
    ],
)
def test_the_profiles_in_use(
    chosen: str | None, aliases: tuple[str, ...], variable: str | None, expected: list[str]
) -> None:
    """That of --profile, then the destination's, then the source's; the variable's only without any of these."""
    assert in_use(chosen, aliases, variable) == expected


@pytest.mark.parametrize(
    ("project", "user", "environ", "expected"),
    [
        ({}, {"w": SWIFT}, {}, "swift://a"),
        ({"w": SWIFT}, {}, {}, "swift://a"),
        ({"w": SWIFT}, {"w": {}}, {}, "swift://a"),
        ({}, {}, {}, None),
        ({"w": {}}, {}, {}, None),
        ({"w": SWIFT}, {"w": SWIFT}, {}, "swift://a"),
        ({"w": HTTP}, {}, {}, HTTP["destination"]),
        ({"w": HTTP}, {}, {"BULKPUT_HTTP_TOKEN_OTHER_EXAMPLE_ORG": "t"}, HTTP["destination"]),
        ({}, {"w": HTTP}, {"BULKPUT_HTTP_TOKEN": "t"}, HTTP["destination"]),
        ({"w": HTTP}, {"w": HTTP}, {"BULKPUT_HTTP_TOKEN": "t"}, HTTP["destination"]),
    ],
)
def test_the_destination_of_a_profile(
    project: dict[str, Any], user: dict[str, Any], environ: dict[str, str], expected: str | None
) -> None:
    """Of either file; the user vouches for what his own file has, too."""
    configs = [config("project", **project), config("user", **user)]
    assert destination_of("w", configs, {"NETRC": "/dev/null", **environ}) == expected


@pytest.mark.parametrize(
    ("project", "user", "environ", "message"),
    [
        (
            {"w": HTTP},
            {"w": SWIFT},
            {},
            "w: means two destinations, in /project.toml and /user.toml: a project cannot redirect a profile of yours, "
            "so rename one",
        ),
        (
            {"w": {"destination": "ftp://h/"}},
            {},
            {},
            "/project.toml: profile.w.destination is ftp://: in a project's file, it is swift://, s3:// or http(s)://",
        ),
        *(
            (
                {"w": HTTP},
                {},
                variables,
                "/project.toml: profile.w.destination is https://dav.example.org/x, and credentials of BULKPUT_HTTP_* "
                "would be sent there, though only the project names that server: put them into ~/.netrc, or type the "
                "URL",
            )
            for variables in (
                {"BULKPUT_HTTP_TOKEN": "secret"},
                {"BULKPUT_HTTP_USER": "me", "BULKPUT_HTTP_PASSWORD": "secret"},
                {"BULKPUT_HTTP_TOKEN": "secret", "BULKPUT_HTTP_TOKEN_OTHER_EXAMPLE_ORG": "t"},
                {"BULKPUT_HTTP_TOKEN_DAV_EXAMPLE_ORG": "secret"},  # perhaps meant for dav-example.org
            )
        ),
    ],
)
def test_a_project_cannot_send_credentials_elsewhere(
    project: Mapping[str, Any], user: Mapping[str, Any], environ: dict[str, str], message: str
) -> None:
    """Neither by a profile of the user's name, nor from variables, whose names may mean another host."""
    with pytest.raises(UsageError) as caught:
        destination_of("w", [config("project", **project), config("user", **user)], {"NETRC": "/dev/null", **environ})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("url", "is_sent"),
    [
        ("https://dav.example.org/x", True),
        ("https://dav.example.org:8443/x", True),
        ("http://dav.example.org/x", False),
        ("HTTP://dav.example.org/x", False),
        ("http://127.0.0.1:8080/", True),
        ("http://localhost/", True),
        ("http://[::1]/", True),
        ("http://other.example.org/", True),  # netrc has nothing for it
    ],
)
def test_a_project_sends_no_login_of_netrc_unencrypted(tmp_path: Path, url: str, is_sent: bool) -> None:
    """netrc names hosts, and no schemes."""
    netrc = tmp_path / "netrc"
    hosts = ("dav.example.org", "127.0.0.1", "localhost", "::1")
    netrc.write_text("".join(f"machine {host} login me password secret\n" for host in hosts))
    configs, environ = [config("project", w={"destination": url})], {"NETRC": str(netrc)}
    if is_sent:
        assert destination_of("w", configs, environ) == url
        return
    with pytest.raises(UsageError, match="your login of netrc would be sent there unencrypted"):
        destination_of("w", configs, environ)
    assert destination_of("w", [config("user", w={"destination": url})], environ) == url


@pytest.mark.parametrize(
    ("name", "is_alias", "message"),
    [
        ("work", True, None),
        ("fast", False, None),
        ("wrok", True, "there is no profile wrok: did you mean work?"),
        ("zzz", True, "there is no profile zzz: known are work"),
        ("zzz", False, "there is no profile zzz: known are fast, work; AWS_PROFILE chooses one of ~/.aws"),
        ("fast", True, "the profile fast has no destination, so fast: is no alias"),
    ],
)
def test_a_profile_that_is_not_there_is_an_error(name: str, is_alias: bool, message: str | None) -> None:
    """The known ones are told: as aliases, only those with a destination."""
    configs = [config("user", work=SWIFT, fast={})]
    if message is None:
        check_known(name, configs, is_alias=is_alias)
        return
    with pytest.raises(UsageError) as caught:
        check_known(name, configs, is_alias=is_alias)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("chosen", "aliases", "typed", "conflict"),
    [
        (None, ("a", "a2"), (), None),
        (None, ("a", "b"), (), "cloud, and one command has one login: a has one and b has two"),
        (None, ("a", "none"), (), "cloud, and one command has one login: a has one and none has none"),
        (None, ("a", "b"), ("cloud",), None),
        (None, ("a", "lab"), ("cloud",), "insecure, and one command has one login: a has none and lab has True"),
        (None, ("lab", "lab0"), (), "insecure, and one command has one login: lab has True and lab0 has none"),
        (None, ("none", "lab0"), (), None),
        ("none", ("a",), (), None),
        ("a", ("none",), (), None),
        ("a", ("a2", "none"), (), None),
        ("a", ("a2",), (), None),
        ("b", ("a",), (), "cloud, and one command has one login: a has one and b has two"),
        ("a", (), (), None),
    ],
)
def test_profiles_of_one_command_agree_on_the_login(
    chosen: str | None, aliases: tuple[str, ...], typed: tuple[str, ...], conflict: str | None
) -> None:
    """Unless the command line says it: then that holds for both URLs."""
    table = {"a": {"cloud": "one"}, "a2": {"cloud": "one"}, "b": {"cp": {"cloud": "two"}}, "none": {}}
    configs = [config("user", **table, lab={"insecure": True}, lab0={"insecure": False})]
    if conflict is None:
        check_agreement("cp", configs, chosen=chosen, aliases=aliases, typed=typed)
        return
    with pytest.raises(UsageError, match=f"differ in {conflict}"):
        check_agreement("cp", configs, chosen=chosen, aliases=aliases, typed=typed)
