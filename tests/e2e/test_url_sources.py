"""Sources that are URLs: what a list below one names, and what is said of one that cannot be read. Between a real
nginx and the devserver; docstrings begin with the command."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import pytest

from tests.e2e.cli import bulkput
from tests.servers.nginx import NginxDav, nginx_dav

pytestmark = pytest.mark.nginx
ODD_ANSWERS = """
    location = /secret { return 401; }
    location = /forbidden { return 403; }
    location = /gone { return 410; }
    location = /broken { return 500; }
"""


@pytest.fixture(scope="module")
def odd() -> Iterator[NginxDav]:
    """An nginx that answers as the names say."""
    with nginx_dav(locations=ODD_ANSWERS) as running:
        yield running


@pytest.fixture
def container() -> str:
    return f"c-{uuid4().hex[:8]}"


def test_a_url_with_nothing_behind_it_says_so(environ: Mapping[str, str], nginx: NginxDav, container: str) -> None:
    """bulkput upload http://HOST/none.bin swift://C/: exit code 2, and nothing is made"""
    ran = bulkput("upload", f"{nginx.url}/none.bin", f"swift://{container}/", environ=environ)
    assert (ran.exit_code, ran.err) == (
        2,
        f"bulkput: source {nginx.url}/none.bin: there is nothing at this URL (404): check its spelling, and whether it"
        " needs a login\n",
    )
    assert "there is no container" in bulkput("ls", f"swift://{container}", environ=environ).err


def test_a_directory_of_a_web_server_is_given_as_a_list(
    environ: Mapping[str, str], nginx: NginxDav, container: str
) -> None:
    """bulkput upload http://HOST/ swift://C/: exit code 2"""
    ran = bulkput("upload", f"{nginx.url}/", f"swift://{container}/", environ=environ)
    assert (ran.exit_code, ran.err) == (
        2,
        f"bulkput: source {nginx.url}/: plain HTTP has no listing; name a single object, or a list of those below it"
        " by --files-from and --base\n",
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("secret", "401 Unauthorized, and no credentials are given: set BULKPUT_HTTP_TOKEN, or BULKPUT_HTTP_USER"),
        ("forbidden", "403 Forbidden"),
        ("gone", "410 Gone"),
        ("broken", "500 Internal Server Error"),
    ],
)
def test_any_other_answer_to_the_first_look_is_told_with_the_url(
    environ: Mapping[str, str], odd: NginxDav, container: str, name: str, said: str
) -> None:
    """bulkput upload http://HOST/forbidden swift://C/: exit code 3, not what a missing listing would say"""
    ran = bulkput("upload", "--retries", "0", f"{odd.url}/{name}", f"swift://{container}/", environ=environ)
    assert ran.exit_code == 3
    assert ran.err.startswith(f"stopped: get {odd.url}/{name}: {said}")


def test_a_source_whose_server_is_not_there_is_told_with_the_url(environ: Mapping[str, str], container: str) -> None:
    """bulkput upload http://127.0.0.1:9/a swift://C/: exit code 3"""
    arguments = ("--first-retries", "0", "--retries", "0", "http://127.0.0.1:9/a", f"swift://{container}/")
    ran = bulkput("upload", *arguments, environ=environ)
    assert ran.exit_code == 3
    assert ran.err.startswith("stopped: get http://127.0.0.1:9/a: cannot connect to 127.0.0.1:9: connection refused\n")


def test_names_in_a_list_below_a_url_may_begin_with_a_dot(
    environ: Mapping[str, str], nginx: NginxDav, container: str, tmp_path: Path
) -> None:
    """find . | bulkput upload --files-from LIST --base http://HOST/DIR/ swift://C/p/: ./a is a, and given once"""
    place = nginx.root / uuid4().hex
    (place / "d").mkdir(parents=True)
    for name in ("a", "d/b"):
        (place / name).write_text(name)
    listed, base = tmp_path / "list", f"{nginx.url}/{place.name}/"
    listed.write_text("./\n./a\na\n./d/b\n./none\n")
    command = ("--files-from", listed, "--base", base, f"swift://{container}/p/", "--summary", "-")
    ran = bulkput("upload", *command, environ=environ)
    assert (ran.exit_code, ran.summary["uploaded"], ran.summary["failed"]) == (1, 2, 1), ran.err
    assert f"{base}none" in ran.err
    assert bulkput("ls", "-r", f"swift://{container}", environ=environ).out.split() == ["p/a", "p/d/b"]


def test_a_list_names_urls_below_a_whole_container(environ: Mapping[str, str], container: str, tmp_path: Path) -> None:
    """bulkput upload --files-from LIST --base swift://C swift://TO/: a container whose name begins so is another one"""
    for name in (container, f"{container}2"):
        (tmp_path / "a").write_text(name)
        assert bulkput("upload", tmp_path / "a", f"swift://{name}/d/", environ=environ).exit_code == 0
    listed = tmp_path / "list"
    listed.write_text(f"swift://{container}/d/a\nswift://{container}2/d/a\n")
    for base in (f"swift://{container}", f"swift://{container}/"):
        command = ("--files-from", listed, "--base", base, f"swift://{container}-copy/", "--summary", "-")
        ran = bulkput("upload", *command, environ=environ)
        assert (ran.exit_code, ran.summary["uploaded"], ran.summary["failed"]) == (1, 1, 1), ran.err
        assert f"swift://{container}2/d/a" in ran.err and "it is not below the base" in ran.err
    assert bulkput("ls", "-r", f"swift://{container}-copy", environ=environ).out.split() == ["d/a"]
