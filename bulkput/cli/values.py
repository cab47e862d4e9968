"""Values as people write them on the command line."""

import math
import re
from typing import TYPE_CHECKING, Any

import click

from bulkput.errors import UsageError, printable
from bulkput.policy.naming import meant_by

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_SIZE = r"([0-9]{1,12})([kmgt]?)(i?b)?"
_RATE = r"([0-9]{1,12}(?:\.[0-9]{1,12})?)(?:/([smh]))?"
_BANDWIDTH = r"([0-9]{1,12}(?:\.[0-9]{1,12})?)([kmgt]?)(?:i?b)?(?:/s)?"
_BYTES = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_MOST = 10_000
_PER = {"s": 1, "m": 60, "h": 3600}


class Duration(click.ParamType[int]):
    """Whole seconds, written `90`, `30m`, `12h`, `7d` or `2w`."""

    name = "duration"

    def __init__(self, *, least: int = 1) -> None:
        """`least` is 0 or 1."""
        self._least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from bulkput.policy.duration import seconds_of  # noqa: PLC0415 - few options are durations

        try:
            return seconds_of(str(value), least=self._least)
        except UsageError as error:
            self.fail(str(error), param, ctx)


class Moment(click.ParamType[int]):
    """A Unix time, from one or from ISO 8601 in UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from bulkput.policy.temp_url import moment  # noqa: PLC0415 - few options are times

        try:
            return moment(str(value).strip(), what=repr(value))
        except UsageError as error:
            self.fail(str(error), param, ctx)


class Size(click.ParamType[int]):
    """Bytes, in powers of 1024: `4096`, `64K`, `32M`, `1G`."""

    name = "size"

    def __init__(self, *, may_be_zero: bool = False) -> None:
        self._may_be_zero = may_be_zero

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = re.fullmatch(_SIZE, str(value).strip().lower())
        if match is None:
            self.fail(f"{value!r} is not a size: write whole bytes, or 64K, 32M, 1G", param, ctx)
        if int(match[1]) == 0 and not self._may_be_zero:
            self.fail(f"{value!r} is too small: the smallest size is 1, one byte", param, ctx)
        return int(match[1]) * _BYTES[match[2]]


class Rate(click.ParamType[float]):
    """Objects per second, written `500`, `500/s`, `30/m` or `1000/h`."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = re.fullmatch(_RATE, str(value).strip().lower())
        if match is None or float(match[1]) == 0:
            self.fail(f"{value!r} is not a rate above 0: write 500/s, 30/m or 1000/h", param, ctx)
        return float(match[1]) / _PER[match[2] or "s"]


class Bandwidth(click.ParamType[float]):
    """Bytes per second, in powers of 1024 as for `Size`: `100M/s`, `1.5G/s`, `512K`."""

    name = "bytes/s"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "SIZE/s"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = re.fullmatch(_BANDWIDTH, str(value).strip().lower())
        if match is None or float(match[1]) == 0:
            self.fail(f"{value!r} is not a bandwidth above 0: write 512K/s, 100M/s or 1.5G/s", param, ctx)
        return float(match[1]) * _BYTES[match[2]]


class Concurrency(click.ParamType[int | None]):
    """A number of requests in flight, or `auto`: None."""

    name = "N|auto"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return self.name  # click would write it in capitals

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem[Any]]":
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - for a TAB only

        return [CompletionItem("auto")] if "auto".startswith(incomplete) else []

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        text = str(value).strip().lower()
        if text == "auto":
            return None
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST):
            self.fail(f"{value!r} is not auto or a number from 1 to {_MOST}", param, ctx)
        return int(text)


class Seconds(click.ParamType[float]):
    """A number of seconds between two bounds. NaN lies between any bounds, and is refused."""

    name = "seconds"  # click's own range would be called FLOAT RANGE in --help

    def __init__(self, least: float, most: float) -> None:
        self._range = click.FloatRange(least, most)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = float(self._range.convert(value, param, ctx))
        if math.isnan(seconds):
            self.fail(f"{value!r} is not a number of seconds", param, ctx)
        return seconds


class Count(click.ParamType[int]):
    """A whole number between two bounds."""

    name = "n"  # click's own range would be called INTEGER RANGE in --help

    def __init__(self, least: int, most: int | None = None) -> None:
        self._range = click.IntRange(least, most)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        return int(self._range.convert(value, param, ctx))


class OneOf(click.Choice[str]):
    """One of these words. The error for another one has the nearest."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        from bulkput.policy.nearest import did_you_mean  # noqa: PLC0415 - for mistakes only

        near = did_you_mean(str(value), self.choices)
        told = super().get_invalid_choice_message(value, ctx)
        return told.rstrip(".") + near if near else told


class Url(click.ParamType[str]):
    """A URL, or the alias of one: `cli/configured.py` puts the URL in its place.

    `is_last`: of several values only the last is a URL, the others are paths. `may_be_path`: each may be a path, too.
    """

    name = "url"

    def __init__(self, *, is_last: bool = False, may_be_path: bool = False) -> None:
        self.is_last = is_last
        self.may_be_path = may_be_path


def refuse_odd(url: str) -> None:
    """Raises UsageError for a destination like swift://c//x, and names the one that was probably meant.

    For verbs that make objects. What is stored under such a name can still be listed, copied and removed.
    """
    if (meant := meant_by(url)) is not None:
        from bulkput.stores.base import Destination  # noqa: PLC0415 - for mistakes only

        Destination.parse(url)  # refuses a URL that must not be shown
        raise UsageError(
            f"destination {printable(url)} would put //, . or .. into the objects' names: did you mean"
            f" {printable(meant)}? --literal takes it as it is"
        )
