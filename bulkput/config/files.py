"""Reads a file."""

import codecs
import os
import stat
from collections.abc import Mapping
from typing import Any

from bulkput.config.places import FileKind
from bulkput.errors import UsageError, printable
from bulkput.record import frozen


@frozen
class ConfigFile:
    """One file, as TOML has it. `kind` says who has written it: a project's file comes with a clone."""

    kind: FileKind
    path: str
    table: Mapping[str, Any]


def read(kind: FileKind, path: str) -> ConfigFile:
    """Raises UsageError if it is no readable TOML, or a project's file that is another user's."""
    import tomllib  # noqa: PLC0415 - 2 ms, which only a command with a file has to pay

    try:
        with open(path, "rb", opener=_at_once) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UsageError(f"{printable(path)} is not a file")
            if kind == "project":
                _check_owner(path, status.st_uid)
            text = file.read().removeprefix(codecs.BOM_UTF8).decode()  # editors on Windows write the mark
            return ConfigFile(kind, path, tomllib.loads(text))
    except OSError as error:
        raise UsageError(f"cannot read {printable(path)}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{printable(path)} is not UTF-8, as TOML has to be") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{printable(path)} is not TOML: {printable(str(error))}") from None
    except RecursionError:
        raise UsageError(f"{printable(path)}: its values are nested too deeply") from None


def _at_once(path: str, flags: int) -> int:
    """Opens a FIFO without waiting for its writer."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _check_owner(path: str, owner: int) -> None:
    """Raises UsageError for a file that another user has put above the current directory, in /tmp for example.

    The owner of the current directory may have one: in a CI's container, a checkout often belongs to another user.
    """
    if hasattr(os, "geteuid") and owner not in (os.geteuid(), 0, os.stat(".").st_uid):
        raise UsageError(
            f"{printable(path)} belongs to another user (uid {owner}), so it is not read: BULKPUT_NO_CONFIG=1 goes"
            " without it"
        )
