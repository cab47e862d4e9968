"""The libraries that compress and unpack faster than zlib. They have no wheel on some platforms: None there."""

from typing import Any


def isal() -> Any:
    """`isal.isal_zlib`, imported when something is compressed or unpacked for the first time."""
    try:
        from isal import isal_zlib  # noqa: PLC0415
    except ImportError:
        return None
    return isal_zlib


def zlib_ng() -> Any:
    """`zlib_ng.zlib_ng`, imported when a level is asked for that it serves."""
    try:
        from zlib_ng import zlib_ng as library  # noqa: PLC0415
    except ImportError:
        return None
    return library
