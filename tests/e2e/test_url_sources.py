"""Sources that are URLs: what a list below one names, and what is said of one that cannot be read. Between a real
nginx and the devserver; docstrings begin with the command."""

from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import pytest

from tests.e2e.cli import bulkput
from tests.servers.nginx import NginxDav

pytestmark = pytest.mark.nginx


@pytest.fixture
def container() -> str:
    return f"c-{uuid4().hex[:8]}"


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
