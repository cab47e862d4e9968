"""The time of a file as text, for metadata."""

import re


def mtime_text(mtime_ns: int) -> str:
    """Seconds with nine decimal places. rclone compares times to the nanosecond.

    If the time differs by one nanosecond, rclone rewrites the object's metadata and drops the fields it does not know.
    """
    if mtime_ns < 0:
        return "-" + mtime_text(-mtime_ns)
    seconds, nanoseconds = divmod(mtime_ns, 1_000_000_000)
    return f"{seconds}.{nanoseconds:09d}"


def mtime_ns_of(text: str) -> int | None:
    """Nanoseconds from such a text, with any number of decimal places; None if it is none."""
    found = re.fullmatch(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,20}))?", text.strip())
    if found is None:
        return None
    sign, seconds, fraction = found.groups("")
    ns = int(seconds) * 1_000_000_000 + int((fraction + "0" * 9)[:9])
    return -ns if sign else ns


def swiftclient_mtime(mtime_ns: int) -> str:
    """swiftclient's form, `"%f" % os.path.getmtime(path)`, which `swift upload --changed` compares as text.

    It is computed in floats, as Python computes st_mtime. `mtime_ns / 1e9` gives another text for one file in some
    hundred.
    """
    seconds, nanoseconds = divmod(mtime_ns, 1_000_000_000)
    return f"{seconds + 1e-9 * nanoseconds:f}"


MTIME_TEXTS = {"nanoseconds": mtime_text, "swiftclient": swiftclient_mtime}
"""The function for each `HeaderOptions.mtime_format`."""
