"""Where the two files are: the project's `bulkput.toml`, the user's `config.toml`.

Every command looks for them, so this module imports nothing. Where there is no file, the search costs one stat for the
user's, and up to two for each directory between the current one and its repository's root.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Literal

PROJECT_FILE = "bulkput.toml"
_ROOT = ".git"
"""A directory that holds it is a repository's root. In a worktree or a submodule it is a file."""

FileKind = Literal["project", "user"]


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
