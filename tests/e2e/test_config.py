"""Options from files and variables, and aliases: the real command against the devserver."""

import json
import re
from pathlib import Path

import pytest

from tests.e2e.config_place import Place


@pytest.fixture
def place(tmp_path: Path, environ: dict[str, str]) -> Place:
    return Place(tmp_path, environ)


@pytest.fixture
def container(request: pytest.FixtureRequest) -> str:
    """A name for the containers of one test."""
    return re.sub(r"\W", "-", request.node.name.removeprefix("test_"))[:60]


@pytest.mark.parametrize(
    ("flag", "variable", "project", "user", "expected"),
    [
        ("text/flag", "text/variable", "text/project", "text/user", "text/flag"),
        (None, "text/variable", "text/project", "text/user", "text/variable"),
        (None, None, "text/project", "text/user", "text/project"),
        (None, None, None, "text/user", "text/user"),
        (None, None, None, None, "text/html"),
    ],
    ids=["flag", "variable", "project", "user", "nothing"],
)
def test_the_strongest_source_of_an_option_counts(
    place: Place,
    container: str,
    flag: str | None,
    variable: str | None,
    project: str | None,
    user: str | None,
    expected: str,
) -> None:
    """bulkput upload --content-type, BULKPUT_CONTENT_TYPE, bulkput.toml, config.toml"""
    files = {"project": project, "user": user}
    place.write(**{kind: f'content-type = "{value}"\n' for kind, value in files.items() if value})
    flags = ["--content-type", flag] if flag else []
    place.succeed(
        "upload", *flags, "dist", f"swift://{container}", **({"BULKPUT_CONTENT_TYPE": variable} if variable else {})
    )
    assert json.loads(place.succeed("ls", "--json", f"swift://{container}"))["content_type"] == expected


def test_an_alias_stands_where_a_url_stands(place: Place, container: str) -> None:
    """In all verbs that take one."""
    place.write(user=f'[profile.w]\ndestination = "swift://{container}/builds"\n')
    place.succeed("upload", "dist", "w:1")
    assert place.succeed("ls", "-r", f"swift://{container}") == "builds/1/index.html\n"
    assert place.succeed("ls", "-r", "w:") == "builds/1/index.html\n"
    place.succeed("verify", "dist", "w:1")
    place.succeed("cp", "w:1/index.html", "w:2/index.html")
    place.succeed("cp", "w:1/index.html", f"swift://{container}/3")
    place.succeed("mv", "w:1/index.html", "w:4.html")
    place.succeed("rm", "w:2/index.html")
    place.succeed("segments", "w:")
    assert place.succeed("ls", "-r", f"swift://{container}").split() == ["3", "builds/4.html"]


def test_an_alias_may_stand_for_all_containers(place: Place, container: str) -> None:
    """destination = "swift://" """
    place.write(user='[profile.all]\ndestination = "swift://"\n')
    place.succeed("upload", "dist", f"all:{container}/x")
    assert place.succeed("ls", "-r", f"all:{container}") == "x/index.html\n"


def test_a_source_is_a_path_and_no_alias(place: Place, container: str) -> None:
    """bulkput upload w:x w:y, or with the same words twice"""
    place.write(user=f'[profile.w]\ndestination = "swift://{container}"\n')
    (place.here / "w:x").write_text("a file")
    place.succeed("upload", "w:x", "w:y")
    assert place.succeed("ls", "w:") == "y\n"
    place.succeed("verify", "w:x", "w:y")
    place.succeed("upload", "w:x", "w:x")


def test_logs_reads_aliases_and_paths(place: Place, container: str) -> None:
    """bulkput logs w: ./w:log"""
    place.write(user=f'[profile.w]\ndestination = "swift://{container}"\n')
    line = '192.0.2.1 - - [14/Feb/2010:04:01:00 +0000] "GET /v1/A/c/{} HTTP/1.1" 200 1 "-" "-"\n'
    (place.here / "w:log").write_text(line.format("local"))
    (place.here / "stored.log").write_text(line.format("stored"))
    place.succeed("upload", "stored.log", "w:")
    said = place.succeed("logs", "w:stored.log", "./w:log")
    assert "local\n" in said and "stored\n" in said


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [(["w:1"], {}), (["--profile", "w", "{url}/1"], {}), (["{url}/1"], {"BULKPUT_PROFILE": "w"})],
    ids=["alias", "flag", "variable"],
)
def test_a_profile_brings_its_options(
    place: Place, container: str, arguments: list[str], variables: dict[str, str]
) -> None:
    """By its alias, by --profile and by BULKPUT_PROFILE; those of the verb's own table, too."""
    url = f"swift://{container}"
    place.write(user=f'[profile.w]\ndestination = "{url}"\n[profile.w.upload]\ncontent-type = "text/w"\n')
    place.succeed("upload", "dist", *(each.format(url=url) for each in arguments), **variables)
    assert json.loads(place.succeed("ls", "--json", "-r", url))["content_type"] == "text/w"
    place.succeed("upload", "dist", f"{url}/2", "--no-profile", **variables)
    assert json.loads(place.succeed("ls", "--json", "-r", f"{url}/2"))["content_type"] == "text/html"


def test_of_two_aliases_the_options_of_the_destination_are_stronger(place: Place, container: str) -> None:
    """bulkput cp a:x b:y"""
    options = 'destination = "swift://{}"\n[profile.{}.cp]\ncontent-type = "text/{}"\n'
    place.write(user="".join(f"[profile.{name}]\n" + options.format(container, name, name) for name in "ab"))
    place.succeed("upload", "dist", "a:")
    place.succeed("cp", "a:index.html", "b:copy")
    rows = map(json.loads, place.succeed("ls", "--json", "a:").splitlines())
    assert {row["name"]: row["content_type"] for row in rows} == {"copy": "text/b", "index.html": "text/html"}


def test_two_aliases_with_different_connections_are_refused(place: Place) -> None:
    """bulkput cp a:x b:y, unless the command line says how."""
    place.write(
        user='[profile.a]\ndestination = "swift://a"\n[profile.b]\ndestination = "swift://b"\ninsecure = true\n'
    )
    differ = "these profiles differ in insecure, and one command has one login: b has True and a has none"
    assert place.refused("cp", "a:x", "b:y") == differ
    assert place.run("cp", "--no-insecure", "a:x", "b:y").exit_code == 1, "there is no a:x"


def test_a_path_in_a_projects_file_counts_from_there(place: Place, container: str) -> None:
    """exclude-from = [".gitignore"], and a command in another directory"""
    (place.project / ".gitignore").write_text("*.tmp\n")
    (place.here / "dist" / "a.tmp").touch()
    place.write(project='[upload]\nexclude-from = [".gitignore"]\n')
    place.succeed("upload", "dist", f"swift://{container}")
    assert place.succeed("ls", f"swift://{container}") == "index.html\n"
    place.succeed("upload", "--no-exclude-from", "dist", f"swift://{container}")
    assert place.succeed("ls", f"swift://{container}") == "a.tmp\nindex.html\n"


def test_a_path_in_the_users_file_is_as_typed(place: Place, container: str) -> None:
    """From the current directory, or from home with ~/. --no-journal leaves it out."""
    for path, file in (("up.db", place.here / "up.db"), ("~/up.db", place.project.parent / "up.db")):
        place.write(user=f'[upload]\njournal = "{path}"\n')
        place.succeed("upload", "--no-journal", "dist", f"swift://{container}")
        assert not file.exists()
        place.succeed("upload", "dist", f"swift://{container}")
        assert file.exists()


@pytest.mark.parametrize("option", ["--no-config", "BULKPUT_NO_CONFIG"])
def test_files_can_be_left_out(place: Place, option: str) -> None:
    """With --no-config and BULKPUT_NO_CONFIG=1; a broken file is no error then."""
    place.write(project="broken", user="broken")
    flags, variables = ([option], {}) if option.startswith("-") else ([], {option: "1"})
    assert place.run("ls", *flags, "swift://nothing-there", **variables).exit_code == 1
    assert "broken" not in place.refused("ls", *flags, "w:x", **variables)


def test_help_needs_no_valid_file_and_shows_the_built_in_defaults(place: Place) -> None:
    """bulkput upload --help, -h"""
    place.write(project="broken")
    assert place.succeed("upload", "--help") == place.succeed("upload", "-h")
    place.write(project='skip = "identical"\n')
    assert "MD5. [default: none]" in " ".join(place.succeed("upload", "-h").split())


@pytest.mark.parametrize(
    ("user", "arguments", "message"),
    [
        ("max_errors = 3", "ls swift://c", "max_errors is no option: did you mean max-errors?"),
        ("[ls]\ngzip = 'auto'", "ls swift://c", "ls.gzip is no option of this verb"),
        ("concurrency = 'many'", "upload . swift://c", "concurrency: 'many' is not auto or a number from 1 to 10000"),
        (
            "[upload]\ngzip = 'sometimes'",
            "upload . swift://c",
            "upload.gzip: 'sometimes' is not one of 'auto', 'always', 'never'.",
        ),
        (
            "[profile.w]\nrate = 0",
            "upload --profile w . swift://c",
            "profile.w.rate: '0' is not a rate above 0: write 500/s, 30/m or 1000/h",
        ),
        ("yes = true", "ls swift://c", "yes is only taken from the command line: it confirms one command"),
    ],
)
def test_a_wrong_key_or_value_is_named_with_file_and_key(place: Place, user: str, arguments: str, message: str) -> None:
    """Exit code 2."""
    place.write(user=user)
    assert place.refused(*arguments.split()) == f"/xdg/bulkput/config.toml: {message}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("ls wrok:x", "there is no profile wrok: did you mean work?"),
        ("ls work", "work is a profile: its alias is work:, and work:NAME is below it"),
        ("ls fast:x", "the profile fast has no destination, so fast: is no alias"),
        ("ls --profile x swift://c", "there is no profile x: known are fast, work; AWS_PROFILE chooses one of ~/.aws"),
        ("upload . wrok:x", "there is no profile wrok: did you mean work?"),
        ("config uplod", "uplod is no verb that takes options from files: did you mean upload?"),
    ],
)
def test_a_misspelt_profile_gets_a_suggestion(place: Place, arguments: str, message: str) -> None:
    """Exit code 2."""
    place.write(user='[profile.work]\ndestination = "swift://c"\n[profile.fast]\n')
    assert place.refused(*arguments.split()) == message


def test_without_profiles_nothing_is_an_alias(place: Place) -> None:
    """The message is that of a wrong URL, or that there is no file."""
    assert (
        place.refused("ls", "w:x")
        == "destination 'w:x' is no URL: write swift://CONTAINER[/PREFIX], s3://BUCKET[/PREFIX] or https://HOST/PATH/"
    )
    said = "there is no profile w: no file defines one; AWS_PROFILE chooses one of ~/.aws"
    assert place.refused("ls", "--profile", "w", "swift://c") == said


def test_an_error_about_an_option_that_is_not_typed_says_where_it_is_set(place: Place) -> None:
    """bulkput upload --delete-extra, and a journal in a file"""
    place.write(user='journal = "up.db"\n')
    said = place.refused("upload", "--skip", "identical", "--delete-extra", "dist", "swift://c")
    assert said == (
        "--delete-extra and --journal exclude each other: what the journal knows is not looked at. Leave out --journal:"
        " --skip unchanged skips what the store has already (--journal is set by"
        " /xdg/bulkput/config.toml, and --no-journal leaves it out)"
    )


@pytest.mark.parametrize(
    ("user", "arguments"),
    [
        ("quiet = true", ["-v"]),
        ("gzip = 'auto'\ngzip-level = 9\ngzip-except = ['*.html']", ["--gzip", "never"]),
        ("skip = 'identical'\ncheck-expiry = true", ["--skip", "none"]),
        ("null = true\nbase = '/nowhere'", []),
        ("fail-fast = true", ["--no-fail-fast", "--max-errors", "3"]),
    ],
    ids=["quiet", "gzip", "skip", "files-from", "fail-fast"],
)
def test_an_option_in_a_file_does_not_contradict_what_is_typed(
    place: Place, container: str, user: str, arguments: list[str]
) -> None:
    """What excludes it, or what it needs, is typed: it waits for other commands."""
    place.write(user=user)
    place.succeed("upload", *arguments, "dist", f"swift://{container}")


def test_a_number_of_errors_that_is_typed_is_stronger_than_the_first(place: Place, container: str) -> None:
    """fail-fast = true, and --max-errors 3"""
    place.write(user="fail-fast = true")
    for number in range(3):
        (place.here / "dist" / str(number)).symlink_to("nowhere")
        (place.here / "dist" / f"{number}\udcff").write_text("not UTF-8")
    few = place.run("upload", "--summary", "-", "dist", f"swift://{container}")
    more = place.run("upload", "--max-errors", "3", "--summary", "-", "dist", f"swift://{container}")
    assert (few.summary["failed"], more.summary["failed"]) == (1, 3)
