"""Where the files are found, and how they are read: bulkput/config/places.py, files.py."""

import os
from pathlib import Path

import pytest

from bulkput.config.files import read
from bulkput.config.places import paths, user_path
from bulkput.errors import UsageError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Home, with `work/repository/sub` below it. A file above home would be found by a search that goes too far."""
    home = tmp_path / "home"
    (home / "work" / "repository" / "sub").mkdir(parents=True)
    (tmp_path / "bulkput.toml").touch()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.chdir(home / "work" / "repository" / "sub")
    return home


def found() -> dict[str, str]:
    return {str(kind): path for kind, path in paths(os.environ).items()}


@pytest.mark.parametrize(
    ("where", "root", "is_found"),
    [
        ("work/repository/sub", None, True),
        ("work/repository", None, True),
        ("work", None, True),
        (".", None, True),
        ("..", None, False),
        ("work/repository/sub", "work/repository", True),
        ("work/repository", "work/repository", True),
        ("work", "work/repository", False),
        ("work/repository", "work/repository/sub", False),
    ],
)
def test_the_projects_file_is_in_the_directory_or_above_it(
    home: Path, where: str, root: str | None, is_found: bool
) -> None:
    """Up to the root of the repository, or home."""
    (home / where / "bulkput.toml").touch()
    if root is not None:
        (home / root / ".git").write_text("gitdir: ../.git/worktrees/x")
    assert found() == ({"project": str((home / where / "bulkput.toml").resolve())} if is_found else {})


def test_the_nearest_file_is_taken(home: Path) -> None:
    """Only one."""
    (home / "bulkput.toml").touch()
    (home / "work" / "bulkput.toml").touch()
    assert found() == {"project": str(home / "work" / "bulkput.toml")}


def test_outside_of_home_the_search_ends_at_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No repository, no home above: it ends all the same."""
    monkeypatch.chdir("/")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert found() == {}


def test_without_a_current_directory_there_is_no_project(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was removed."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert found() == {}


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        (None, "{home}/.config/bulkput/config.toml"),
        ("", "{home}/.config/bulkput/config.toml"),
        ("relative", "{home}/.config/bulkput/config.toml"),
        ("/etc/xdg", "/etc/xdg/bulkput/config.toml"),
    ],
)
def test_the_users_file_is_in_the_xdg_directory(home: Path, base: str | None, expected: str) -> None:
    """A relative XDG_CONFIG_HOME is ignored, as its specification says."""
    environ = {} if base is None else {"XDG_CONFIG_HOME": base}
    assert user_path(environ) == expected.format(home=home)


def test_both_files_are_found_the_projects_first(home: Path) -> None:
    """`paths` has the stronger one first."""
    (home / ".config" / "bulkput").mkdir(parents=True)
    (home / ".config" / "bulkput" / "config.toml").touch()
    (home / "work" / "repository" / "sub" / "bulkput.toml").touch()
    assert list(found()) == ["project", "user"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a = \n", "{path} is not TOML: Invalid value (at line 1, column 5)"),
        (b'a = "secret\n', "{path} is not TOML: Illegal character '\\n' (at line 1, column 12)"),
        (b"a = '\xff'\n", "{path} is not UTF-8, as TOML has to be"),
        (b"a = " + b"[" * 100_000, "{path}: its values are nested too deeply"),
    ],
)
def test_a_file_that_is_no_toml_is_an_error(tmp_path: Path, content: bytes, message: str) -> None:
    """With the line."""
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read("user", str(path))
    assert str(caught.value) == message.format(path=path)


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """A FIFO without a writer would wait for ever."""
    os.mkfifo(tmp_path / "bulkput.toml")
    with pytest.raises(UsageError, match="is not a file"):
        read("project", str(tmp_path / "bulkput.toml"))
    with pytest.raises(UsageError, match=r"cannot read .*: No such file"):
        read("user", str(tmp_path / "nothing"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize(
    ("owner", "place", "is_read"), [(0, 0, True), (1001, 0, False), (1001, 1002, False), (1001, 1001, True)]
)
def test_a_project_file_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: int, place: int, is_read: bool
) -> None:
    """Except in a directory of that user."""
    path = tmp_path / "bulkput.toml"
    path.write_text("retries = 3")
    (tmp_path / "sub").mkdir()
    os.chown(path, owner, -1)
    os.chown(tmp_path / "sub", place, -1)
    monkeypatch.chdir(tmp_path / "sub")
    if is_read:
        assert read("project", str(path)).table == {"retries": 3}
        return
    with pytest.raises(UsageError, match=r"belongs to another user \(uid 1001\), so it is not read: BULKPUT_NO_CONFIG"):
        read("project", str(path))
