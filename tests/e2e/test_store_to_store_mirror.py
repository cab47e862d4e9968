"""`bulkput upload URL DEST --skip identical --delete-extra` in a real OpenStack Swift: a mirror of a store with links.

Sources are made, and copies read, by the standard library's client.
"""

from __future__ import annotations

import uuid

import pytest

from tests.e2e.cli import Ran
from tests.e2e.cli import bulkput as run
from tests.servers.judge import SwiftJudge
from tests.servers.swift import RealSwift


class Mirrored:
    """A source below `x/` of one container, and its mirror below `y/` of another."""

    def __init__(self, swift: RealSwift) -> None:
        self.judge = SwiftJudge(swift.auth_url, swift.user, swift.key)
        self.source = f"mirrored-{uuid.uuid4().hex[:8]}"
        self.copy = f"{self.source}-copy"
        self._environ = swift.environment
        for container in (self.source, self.copy):
            self.judge.put(container, "")

    def link(self, container: str, name: str, target: str) -> None:
        self.judge.put(container, name, fields={"X-Symlink-Target": target})

    def mirror(self, *, exit_code: int = 0) -> Ran:
        flags = ("--progress", "none", "--skip", "identical", "--delete-extra", "--summary", "-")
        urls = f"swift://{self.source}/x/", f"swift://{self.copy}/y/"
        ran = run("upload", *flags, *urls, environ=self._environ)
        assert ran.exit_code == exit_code, ran.err
        return ran

    def copies(self) -> dict[str, bytes | None]:
        """What a GET gives of each object of the mirror: of a link, what it leads to."""
        return {row["name"]: self.judge.content(self.copy, row["name"]) for row in self.judge.rows(self.copy)}

    def links(self) -> dict[str, str]:
        rows = self.judge.rows(self.copy)
        return {row["name"]: row["symlink_path"].split("/", 3)[-1] for row in rows if "symlink_path" in row}


@pytest.fixture
def mirrored(swift: RealSwift) -> Mirrored:
    return Mirrored(swift)


def test_the_copy_of_a_link_stays_and_extra_objects_go(mirrored: Mirrored) -> None:
    """In the run that puts it, and in the next one, which sends nothing."""
    mirrored.judge.put(mirrored.source, "x/target", b"content")
    mirrored.link(mirrored.source, "x/link", f"{mirrored.source}/x/target")
    for _ in range(2):
        mirrored.judge.put(mirrored.copy, "y/extra", b"extra")
        mirrored.link(mirrored.copy, "y/extra link", f"{mirrored.copy}/y/target")
        ran = mirrored.mirror()
        assert mirrored.copies() == {"y/link": b"content", "y/target": b"content"}
        assert mirrored.links() == {"y/link": f"{mirrored.copy}/y/target"}
        assert ran.summary["removed"] == 2
    assert ran.summary["uploaded"] == 0


def test_an_extra_object_that_the_copy_of_a_link_leads_to_is_kept(mirrored: Mirrored) -> None:
    """And what it reads itself. The listing of the mirror was made before the link. Exit code 1: extras stay."""
    mirrored.judge.put(mirrored.source, "x/a", b"a")
    mirrored.judge.put(mirrored.copy, "y/end", b"end")
    mirrored.link(mirrored.copy, "y/between", f"{mirrored.copy}/y/end")
    mirrored.judge.put(mirrored.copy, "y/extra", b"extra")
    mirrored.link(mirrored.source, "x/link", f"{mirrored.copy}/y/between")
    for removed in (1, 0):
        ran = mirrored.mirror(exit_code=1)
        assert mirrored.copies() == {"y/a": b"a", "y/between": b"end", "y/end": b"end", "y/link": b"end"}
        assert ran.summary["removed"] == removed
        assert "not removed: y/between is read through y/link, which stays" in ran.err
        assert "not removed: y/end is read through y/between, which stays" in ran.err


def test_a_link_that_the_source_has_no_more_is_extra(mirrored: Mirrored) -> None:
    """What it led to stays if the source has it."""
    mirrored.judge.put(mirrored.source, "x/target", b"content")
    mirrored.link(mirrored.source, "x/link", f"{mirrored.source}/x/target")
    mirrored.mirror()
    mirrored.judge.delete(mirrored.source, "x/link")
    mirrored.mirror()
    assert mirrored.copies() == {"y/target": b"content"}
