"""Times and addresses as people read them."""

from datetime import UTC, datetime

_UNITS = ((86_400, 3_600, "days", "h"), (3_600, 60, "h", "min"), (60, 1, "min", "s"))


def span_text(seconds: float) -> str:
    """`5400` -> `1 h 30 min`, `259200` -> `3 days`: two units, the smaller one rounded."""
    seconds = abs(seconds)
    for size, part, name, part_name in _UNITS:
        count, parts = divmod(round(seconds / part), size // part)
        if count >= (2 if name == "days" else 1):
            return f"{count} {name}" + (f" {parts} {part_name}" if parts else "")
    return f"{seconds:.0f} s"


def days_text(seconds: float) -> str:
    """Whole days if there are two or more of them, else as `span_text`."""
    days = int(abs(seconds) // 86_400)
    return f"{days} days" if days > 1 else span_text(seconds)


def ms_text(seconds: float) -> str:
    """`0.0123` -> `12 ms`, `2.5` -> `2.5 s`, `0.00004` -> `0.04 ms`."""
    ms = seconds * 1000
    if ms >= 1000:
        return f"{seconds:.1f} s"
    return f"{ms:.0f} ms" if ms >= 10 else f"{ms:.1f} ms" if ms >= 0.1 else f"{ms:.2f} ms"


def date_text(seconds: float) -> str:
    """The day, in UTC."""
    try:
        return datetime.fromtimestamp(seconds, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):  # a certificate may say the year 9999 or none at all
        return "a date far away"


def place_text(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
