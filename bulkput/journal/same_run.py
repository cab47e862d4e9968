"""Whether a run may go on with a journal: it has the settings of the run that has begun it."""

from collections.abc import Mapping

from bulkput.errors import UsageError, printable

_RETIRED = {
    "suffix (auto)": "which is no more, since its objects' names depended on what the files held: name another journal,"
    " and upload with `gzip.mode='always'` and `gzip.store_as='suffix'`, and with `gzip.exclude` for what is compressed"
    " already",
}
"""Settings of earlier versions that no run can have, and what to do with their journals."""


def refuse_other(path: bytes, recorded: Mapping[str, str], settings: Mapping[str, str]) -> None:
    """Raises UsageError if one of the settings is not the recorded one. An empty value equals a missing one."""
    for name, value in settings.items():
        before = recorded.get(name, "")
        if before in _RETIRED:
            raise UsageError(f"journal {printable(path)} is of a run with `{name}` {before}, {_RETIRED[before]}")
        if before != value:
            raise UsageError(
                f"journal {printable(path)} is of a run {printable(_difference(name, before, value))}:"
                " go on with the same, or name another journal for this one"
            )


def _difference(name: str, before: str, now: str) -> str:
    if "sha256:" in before + now:
        return f"with another value of `{name}`"
    if not before:
        return f"without `{name}`"
    return f"with `{name}` {before}, " + (f"not {now}" if now else f"and this one has no `{name}`")
