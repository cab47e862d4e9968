"""A project's file comes with a clone: what a stranger's must not be able to do. And no secret is shown."""

import json
import os
from pathlib import Path

import pytest

from bulkput.cli.chosen import command_of, keys_of, verbs
from bulkput.config.trust import PROJECT_MAY_SET
from bulkput.config.values import Shape
from tests.e2e.cli import Ran, bulkput
from tests.security.echo import leaks, secret
from tests.servers.threads import tcp_server

EXAMPLES = {Shape.FLAG: "true", Shape.LIST: '["x"]', Shape.TEXT: '"x"', Shape.NUMBER: "1"}
HIDDEN = {
    name: secret(name.lower())
    for name in ("ST_KEY", "OS_AUTH_TOKEN", "OS_PASSWORD", "OS_APPLICATION_CREDENTIAL_SECRET", "BULKPUT_HTTP_TOKEN",
                 "BULKPUT_HTTP_PASSWORD_DAV_EXAMPLE_ORG", "BULKPUT_TEMPURL_KEY", "OS_TOKEN", "OS_PASSCODE")
}  # fmt: skip


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository of somebody else, and a home beside it."""
    for directory in ("clone/.git", "clone/tree", "home/.config/bulkput"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "clone" / "tree" / "file").write_text("x")
    return tmp_path / "clone"


def run(clone: Path, *arguments: str, **variables: str) -> Ran:
    home = str(clone.parent / "home")
    environ = {"HOME": home, "XDG_CONFIG_HOME": "", "NETRC": os.devnull, "ST_AUTH": "http://127.0.0.1:1/", **variables}
    return bulkput(*arguments, environ=environ, cwd=clone)


@pytest.mark.parametrize("verb", verbs())
def test_a_project_sets_nothing_but_what_is_known_to_be_harmless(clone: Path, verb: str) -> None:
    """Every other option of every verb is refused, by name; a new one, too."""
    dangerous = {key: about for key, about in keys_of(command_of(verb)).items() if key not in PROJECT_MAY_SET}
    for key, about in dangerous.items():
        for table in ("", f"[{verb}]\n", f"[profile.p]\n[profile.p.{verb}]\n"):
            (clone / "bulkput.toml").write_text(f"{table}{key} = {EXAMPLES[about.shape]}\n")
            ran = run(clone, "config", verb, *(["--profile", "p"] if "profile" in table else []))
            is_refused = (
                "must not be set by a project's file" in ran.err or "only taken from the command line" in ran.err
            )
            assert ran.exit_code == 2 and (is_refused or "--profile" in ran.err), (key, table, ran.err)


@pytest.mark.parametrize("path", ["../home/victim", "{home}/victim", "link/victim", "tree/../../home/victim"])
def test_a_project_names_no_file_outside_of_it(clone: Path, path: str) -> None:
    """A clone may hold a symlink."""
    (clone / "link").symlink_to(clone.parent / "home")
    (clone.parent / "home" / "victim").write_text("secret")
    path = path.format(home=clone.parent / "home")
    (clone / "bulkput.toml").write_text(f"exclude-from = ['{path}']")
    ran = run(clone, "upload", "tree", "swift://c")
    assert ran.exit_code == 2 and "leads out of the project" in ran.err


def test_a_project_cannot_redirect_a_profile_of_the_user(clone: Path) -> None:
    """bulkput upload ~/private work:, in a stranger's repository"""
    (clone.parent / "home" / ".config" / "bulkput" / "config.toml").write_text(
        '[profile.work]\ndestination = "swift://mine"\n'
    )
    (clone / "bulkput.toml").write_text('[profile.work]\ndestination = "https://evil.example.org/"\n')
    ran = run(clone, "upload", "tree", "work:")
    assert ran.exit_code == 2 and "a project cannot redirect a profile of yours" in ran.err


@pytest.mark.parametrize("variable", ["BULKPUT_HTTP_TOKEN", "BULKPUT_HTTP_TOKEN_LOCALHOST"])
def test_a_project_gets_no_credentials_of_variables(clone: Path, variable: str) -> None:
    """They are for the server that the user types: an alias hides which one it is, and a name may mean two hosts."""
    token = secret("token")
    with tcp_server(lambda _: None) as server:
        (clone / "bulkput.toml").write_text(f'[profile.ci]\ndestination = "{server.url}/"\n')
        ran = run(clone, "upload", "--retries", "0", "tree", "ci:", **{variable: token})
    assert ran.exit_code == 2 and "would be sent there" in ran.err and leaks({"token": token}, ran.err) == []
    typed = run(clone, "upload", "--retries", "0", "tree", f"{server.url}/", **{variable: token})
    assert "would be sent there" not in typed.err and typed.exit_code in (1, 3)


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--all"], ["upload", "tree", "temp:x"]])
def test_config_shows_no_secret(clone: Path, arguments: list[str]) -> None:
    """Of the environment, of headers, of proxies."""
    proxy, header = secret("proxy"), secret("header")
    (clone.parent / "home" / ".config" / "bulkput" / "config.toml").write_text(
        f'[upload]\nheader = ["X-Api-Key: {header}"]\n[profile.temp]\ndestination = "swift://c"\n'
    )
    ran = run(clone, "config", *arguments, **HIDDEN, HTTPS_PROXY=f"http://me:{proxy}@proxy.example.org:3128")
    assert ran.exit_code == 0, ran.err
    assert leaks({**HIDDEN, "proxy": proxy, "header": header}, ran.out + ran.err) == []
    assert "***@proxy.example.org:3128" in ran.out and "X-Api-Key: ***" in ran.out
    if "--json" in arguments:
        assert {json.loads(ran.out)["environment"][name] for name in HIDDEN} == {"***"}


@pytest.mark.parametrize("secret_part", ["me:{}@dav.example.org/", "dav.example.org/?temp_url_sig={}"])
def test_a_destination_with_a_secret_is_refused_without_it(clone: Path, secret_part: str) -> None:
    """It would lie in a file."""
    hidden = secret("destination")
    (clone / "bulkput.toml").write_text(f'[profile.p]\ndestination = "https://{secret_part.format(hidden)}"\n')
    for arguments in (["upload", "tree", "p:"], ["config"]):
        ran = run(clone, *arguments)
        assert ran.exit_code == 2 and leaks({"destination": hidden}, ran.err) == []
