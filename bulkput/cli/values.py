"""Values as people write them on the command line."""

import re
from typing import Any

import click

_DURATION = re.compile(r"(\d+)([smhdw]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class Duration(click.ParamType[int]):
    """Whole seconds, written `90`, `30m`, `12h`, `7d` or `2w`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = _DURATION.fullmatch(str(value).strip().lower())
        if match is None or int(match[1]) == 0:
            self.fail(f"{value!r} is no duration: write seconds, or 30m, 12h, 7d", param, ctx)
        return int(match[1]) * _SECONDS[match[2]]
