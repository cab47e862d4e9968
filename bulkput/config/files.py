"""Finds and reads the two files: the project's `bulkput.toml`, the user's `config.toml`.

Every command looks for them, so this module imports nothing heavy. Where there is no file, the search costs one stat
for the user's, and up to two for each directory between the current one and its repository's root.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from bulkput.errors import UsageError, printable
from bulkput.record import frozen

PROJECT_FILE = "bulkput.toml"
_ROOT = ".git"
"""A directory that holds it is a repository's root. In a worktree or a submodule it is a file."""

FileKind = Literal["project", "user"]


@frozen
class ConfigFile:
    """One file, as TOML has it. `kind` says who has written it: a project's file comes with a clone."""

    kind: FileKind
    path: str
    table: Mapping[str, Any]


def paths(environ: Mapping[str, str]) -> dict[FileKind, str]:
    """The files that exist, the stronger one first."""
    found: dict[FileKind, str] = {}
    if (project := _project_path()) is not None:
        found["project"] = project
    if os.path.exists(user := user_path(environ)):
        found["user"] = user
    return found


def user_path(environ: Mapping[str, str]) -> str:
    """Where the user's file is, or would be. A relative XDG_CONFIG_HOME is ignored, as its specification says."""
    base = environ.get("XDG_CONFIG_HOME", "")
    return os.path.join(base if os.path.isabs(base) else os.path.expanduser("~/.config"), "bulkput", "config.toml")


def read(kind: FileKind, path: str) -> ConfigFile:
    """Raises UsageError if it is no readable TOML, or a project's file that is another user's."""
    import tomllib  # noqa: PLC0415 - 2 ms, which only a command with a file has to pay

    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{printable(path)} is not a file")
        if kind == "project":
            _check_owner(path, status.st_uid)
        with open(path, "rb") as file:
            return ConfigFile(kind, path, tomllib.load(file))
    except OSError as error:
        raise UsageError(f"cannot read {printable(path)}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{printable(path)} is not UTF-8, as TOML has to be") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{printable(path)} is not TOML: {printable(str(error))}") from None
    except RecursionError:
        raise UsageError(f"{printable(path)}: its values are nested too deeply") from None


def _project_path() -> str | None:
    try:
        here = os.getcwd()
    except OSError:  # it is gone
        return None
    found = (os.path.join(directory, PROJECT_FILE) for directory in _upwards(here))
    return next(filter(os.path.exists, found), None)


def _upwards(here: str) -> Iterator[str]:
    """`here` and the directories above it: up to the root of its repository, or home, or the file system's root."""
    home = os.path.expanduser("~")
    while True:
        yield here
        above = os.path.dirname(here)
        if here in (above, home) or os.path.exists(os.path.join(here, _ROOT)):
            return
        here = above


def _check_owner(path: str, owner: int) -> None:
    """Raises UsageError for a file that another user has put above the current directory, in /tmp for example.

    The owner of the current directory may have one: in a CI's container, a checkout often belongs to another user.
    """
    if hasattr(os, "geteuid") and owner not in (os.geteuid(), 0, os.stat(".").st_uid):
        raise UsageError(
            f"{printable(path)} belongs to another user (uid {owner}), so it is not read: BULKPUT_NO_CONFIG=1 goes"
            " without it"
        )
