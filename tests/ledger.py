"""The ledger of the fault tests: what each fault cost, kept with the reports, and a table at the end of a run."""

from collections.abc import Collection, Mapping
from dataclasses import astuple, dataclass

import pytest


@dataclass(frozen=True, slots=True)
class Row:
    """The effect of one fault on one upload. Its numbers are counted at the store or on the wire."""

    fault: str
    server: str
    objects: int
    uploaded: int
    """Objects that bulkput reports as uploaded."""
    lost: int
    """Objects that are reported as uploaded but are not in the store."""
    wrong: int
    """Objects in the store whose bytes differ from the file."""
    sent_twice: int
    """PUTs of objects beyond one for each object that was tried."""
    exit_code: int

    @property
    def is_whole(self) -> bool:
        """True if every object is stored and bulkput reports success."""
        return (self.uploaded, self.lost, self.wrong, self.exit_code) == (self.objects, 0, 0, 0)

    @property
    def is_honest(self) -> bool:
        """True if every object reported as uploaded is stored with the right bytes."""
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
        """Adds a row. `source` and `stored` map names to contents; `puts` requests tried `tried` objects."""
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
    """Writes the table of all reports if there are any rows."""
    reports = [report for outcome in ("passed", "failed") for report in terminal.getreports(outcome)]
    rows = [
        value
        for report in reports
        if report.when == "call"
        for name, value in report.user_properties
        if name == _PROPERTY
    ]
    if not rows:
        return
    head = ("fault", "server", "objects", "uploaded", "lost", "wrong", "sent twice", "exit code")
    table = [head, *(tuple(map(str, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    terminal.section("what faults cost")
    for words in table:
        texts, numbers = words[:2], words[2:]
        line = [word.ljust(width) for word, width in zip(texts, widths, strict=False)]
        line += [word.rjust(width) for word, width in zip(numbers, widths[2:], strict=True)]
        terminal.write_line("  ".join(line))
