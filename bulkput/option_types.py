"""Checks what a caller passes against the annotations: a wrong type becomes one sentence that says what is expected.

A type checker finds the same mistakes. Callers without one would meet an AttributeError deep inside a run, or patterns
taken letter by letter. Numbers are checked too: a run with 0 requests in flight would wait for ever.
"""

import math
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from bulkput.errors import UsageError
from bulkput.record import annotations_of, is_record

T = TypeVar("T")

_WORDS: dict[Any, str] = {
    NoneType: "None",
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a str",
    tuple[str, ...]: "a tuple of str",
    tuple[tuple[str, str], ...]: "a tuple of pairs of str",
}


_AT_LEAST_1 = frozenset(
    (
        "walk.entries_in_memory", "body.chunk_size", "body.readers", "body.max_stuck", "wire.concurrency",
        "wire.first_concurrency", "wire.max_concurrency", "wire.min_rate", "stop.max_errors", "stop.store_gone_after",
        "stop.in_vain_after", "headers.expires_in_s", "skip.keep_for_s", "skip.expire_extra_s", "large.part_size",
        "large.parts_at_once", "looked_at_once", "rules.expires_in_s",
    )
)  # fmt: skip
_ABOVE_0 = frozenset(
    (
        "wire.timeout_s", "wire.connect_timeout_s", "wire.idle_timeout_s", "wire.objects_per_s", "wire.bytes_per_s",
        "body.read_timeout_s", "stall_s",
    )
)  # fmt: skip
"""No other number is below 0."""


def checked(options: T | None, kind: type[T]) -> T:
    """The options of a verb, by default those of an empty `kind()`.

    Raises UsageError if they are no `kind`, or a field of theirs, in whatever group, does not have its type.
    """
    if options is None:
        return kind()
    require(options, kind, "options")
    check_fields(options)
    return options


def check_fields(options: Any, path: str = "") -> None:
    """Raises UsageError for the first field of a wrong type. `path` names the group of options, with a dot."""
    kinds, known = annotations_of(type(options)), options.__record__
    for name, kind in kinds.items():
        value = getattr(options, name)
        if value is known[name].default:  # a test proves the defaults; without this, each run would check them all
            continue
        require(value, kind, path + name)
        if isinstance(value, int | float) and path != "gzip.":  # those have bounds of their own
            _check_number(value, path + name)
        if is_record(value):
            check_fields(value, f"{path}{name}.")


def _check_number(value: float, name: str) -> None:
    least = 1 if name in _AT_LEAST_1 else 0
    if math.isnan(value) or value < least or (value == 0 and name in _ABOVE_0):
        wanted = "a number above 0" if name in _ABOVE_0 else f"{least} or more"
        raise UsageError(f"`{name}` is {wanted}, not {value!r}")


def require(value: object, kind: Any, name: str) -> None:
    """Raises UsageError if `value` is no `kind`: a class, or one of the annotations that options have."""
    if _fits(value, kind):
        return
    if kind == tuple[str, ...] and isinstance(value, str):
        raise UsageError(f"`{name}` is a tuple of str: write ({value!r},), not {value!r}")
    shown = repr(value) if isinstance(value, str) and _is_choice(kind) else type(value).__name__
    raise UsageError(f"`{name}` is {_words(kind)}, not {shown}")


def _fits(value: object, kind: Any) -> bool:
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is Literal:
        return value in parts
    if origin is tuple:
        if not isinstance(value, tuple | list):
            return False
        if parts[-1] is Ellipsis:
            return all(_fits(each, parts[0]) for each in value)
        return len(value) == len(parts) and all(map(_fits, value, parts))
    if kind in (int, float):  # a bool is an int to Python
        return not isinstance(value, bool) and isinstance(value, int | kind)
    return isinstance(value, origin or kind)


def _is_choice(kind: Any) -> bool:
    return get_origin(kind) is Literal


def _words(kind: Any) -> str:
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(map(_words, get_args(kind)))
    if _is_choice(kind):
        return "one of " + ", ".join(map(str, get_args(kind)))
    if get_args(kind)[1:] == (Ellipsis,) and kind not in _WORDS:
        return f"a tuple of {get_args(kind)[0].__name__}"
    return _WORDS.get(kind) or str(getattr(kind, "__name__", kind))
