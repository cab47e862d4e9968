"""A value of TOML or of the environment becomes what would be typed. Later the flag's own type checks it."""

import os
from enum import Enum
from typing import Any

from bulkput.config.tables import said
from bulkput.record import frozen

Typed = bool | str | tuple[str, ...]

_YES = frozenset(("1", "true", "t", "yes", "y", "on"))
_NO = frozenset(("0", "false", "f", "no", "n", "off"))
"""The words that click takes for a flag."""


class Shape(Enum):
    """What an option takes."""

    FLAG = "true or false"
    LIST = "a list of strings"
    TEXT = "a string, in quotes"
    NUMBER = "a number, or a string"


@frozen
class Key:
    """An option, as a file names it. `is_path`: its value names a file or directory."""

    shape: Shape
    is_path: bool = False


def from_toml(value: Any, shape: Shape) -> Typed:
    """Raises ValueError: what the value is, and what to write."""
    match shape, value:
        case Shape.FLAG, bool():
            return value
        case Shape.LIST, list() if all(isinstance(each, str) for each in value):
            return tuple(value)
        case Shape.LIST, str():
            raise ValueError('is a string: write a list, ["..."]')
        case ((Shape.TEXT | Shape.NUMBER), str()):
            return value
        case Shape.NUMBER, int() | float() if not isinstance(value, bool):
            return str(value)
    found = "a list that holds something else" if shape is Shape.LIST and isinstance(value, list) else said(value)
    raise ValueError(f"is {found}: write {shape.value}")


def from_variable(text: str, shape: Shape) -> Typed:
    """A list has one item a line. Raises ValueError."""
    if shape is Shape.LIST:
        return tuple(line for line in text.split("\n") if line)
    if shape is not Shape.FLAG:
        return text
    word = text.strip().lower()
    if word not in _YES | _NO:
        raise ValueError("is neither true nor false: write 1 or 0")
    return word in _YES


def of_user(path: str) -> str:
    """A path in the user's file: `~/` is home, and a relative one counts from the current directory, as a typed one."""
    return os.path.expanduser(path) if path.startswith("~/") else path


def of_project(path: str, file: str) -> str:
    """A path in a project's file counts from that file. Raises ValueError if it leaves the file's directory, also by a
    symlink: a clone may hold one."""
    base = os.path.realpath(os.path.dirname(file))
    placed = os.path.join(os.path.dirname(file), path)
    if not os.path.realpath(placed).startswith(os.path.join(base, "")):
        raise ValueError("leads out of the project: name a file in it, relative to this one")
    return placed
