"""The ledger of the fault tests: what each fault cost, kept with the reports, and a table at the end of a run."""

from collections.abc import Collection, Mapping
from dataclasses import astuple, dataclass

import pytest


@dataclass(frozen=True, slots=True)
class Row:
    """What one fault did to one upload. Everything but the exit code is counted at the store or on the wire."""

    fault: str
    server: str
    objects: int
    uploaded: int
    """Of them, as bulkput says."""
    lost: int
    """Said to be uploaded, and not in the store."""
    wrong: int
    """In the store, but not with the bytes of the file."""
    sent_twice: int
    """Object PUTs beyond one for each object that was tried."""
    exit_code: int

    @property
    def is_whole(self) -> bool:
        """All of it is there, and bulkput says so."""
        return (self.uploaded, self.lost, self.wrong, self.exit_code) == (self.objects, 0, 0, 0)

    @property
    def is_honest(self) -> bool:
        """Whatever is missing, nothing is said that is not so."""
        return (self.lost, self.wrong) == (0, 0)


class Ledger:
    """One row for each upload that met a fault, kept with the test's own report: so it comes through from a worker of
    pytest-xdist as well."""

    def __init__(self, properties: list[tuple[str, object]]) -> None:
        self._properties = properties

    def note(
        self,
        fault: str,
        server: str,
        *,
        source: Mapping[str, bytes],
        stored: Mapping[str, bytes],
        uploaded: Collection[str],
        tried: int,
        puts: int,
        exit_code: int,
    ) -> Row:
        """`source` and `stored` are contents by name; `tried` is how many objects were, by `puts` requests."""
        row = Row(
            fault,
            server,
            objects=len(source),
            uploaded=len(uploaded),
            lost=len(set(uploaded) - stored.keys()),
            wrong=sum(source.get(name) != content for name, content in stored.items()),
            sent_twice=max(0, puts - tried),
            exit_code=exit_code,
        )
        self._properties.append((_PROPERTY, astuple(row)))
        return row


_PROPERTY = "fault"


def write_table(terminal: pytest.TerminalReporter) -> None:
    """The table of all reports, where there is something to show."""
    reports = [report for outcome in ("passed", "failed") for report in terminal.getreports(outcome)]
    told = [
        value
        for report in reports
        if report.when == "call"
        for name, value in report.user_properties
        if name == _PROPERTY
    ]
    if not told:
        return
    head = ("fault", "server", "objects", "uploaded", "lost", "wrong", "sent twice", "exit code")
    table = [head, *(tuple(map(str, row)) for row in told)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    terminal.section("what faults cost")
    for words in table:
        texts, numbers = words[:2], words[2:]
        line = [word.ljust(width) for word, width in zip(texts, widths, strict=False)]
        line += [word.rjust(width) for word, width in zip(numbers, widths[2:], strict=True)]
        terminal.write_line("  ".join(line))
