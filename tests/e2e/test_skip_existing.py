"""`bulkput upload --skip existing`: an object that has appeared since the listing is not overwritten, where the store
refuses that in the PUT itself. Docstrings begin with what happens."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bulkput as library
from bulkput import events as ev
from bulkput.errors import Denied
from bulkput.model import Reason
from bulkput.options import HeaderOptions, IfExists, LargeOptions, SkipOptions, UploadOptions
from bulkput.policy.if_exists import MARK
from bulkput.results import Summary
from bulkput.stores.powers import Refusal
from tests.e2e.changes_relay import Asked, PassOn, Relay, Said, relay
from tests.e2e.test_if_exists import THERE, Container
from tests.faults.target import EAGER
from tests.servers.parted import Bucket, PartedStore
from tests.servers.swift import RealSwift

URL = "parted://b/"
CONDITION = "if-none-match"


@pytest.fixture
def bucket(parted_bucket: Bucket) -> Bucket:
    return parted_bucket


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    for name in ("a", "b", "c"):
        (root / name).write_bytes(f"file {name}".encode())
    return root


@pytest.fixture
def there(swift: RealSwift) -> Container:
    return Container(swift)


def upload(tree: Path, url: str, environ: Any = None, **options: Any) -> tuple[Summary, list[ev.Event]]:
    told: list[ev.Event] = []
    given = UploadOptions(**{"skip": SkipOptions(mode="existing"), "retry": EAGER, **options})
    summary = asyncio.run(library.upload(tree, url, options=given, on_event=told.append, environ=environ or {}))
    assert summary.adds_up
    return summary, told


def warnings(told: list[ev.Event]) -> list[str]:
    return [event.why for event in told if isinstance(event, ev.Warned)]


@pytest.mark.parametrize("refusal", [Refusal.ALWAYS, Refusal.AT_REST])
def test_an_object_that_has_appeared_since_the_listing_is_kept(bucket: Bucket, tree: Path, refusal: Refusal) -> None:
    """Its file is skipped as existing; the others are sent, and nothing is asked about them."""
    bucket.refusal = refusal
    bucket.appears["b"] = THERE
    summary, told = upload(tree, URL)
    assert (summary.uploaded, summary.skipped_by_reason, summary.exit_code) == (2, {Reason.EXISTING.value: 1}, 0)
    assert bucket.objects["b"][1] == THERE
    assert Counter(bucket.asked) == {"list": 1, "refuses existing": 1, "put": 3, "stat": 1}
    assert warnings(told) == []
    assert not any(row.meta for row, _, _ in bucket.objects.values())


def test_a_store_that_never_refuses_is_used_as_before(bucket: Bucket, tree: Path) -> None:
    """It is overwritten, without a warning and without a look before each file."""
    bucket.refusal = Refusal.NEVER
    bucket.appears["b"] = THERE
    summary, told = upload(tree, URL)
    assert (summary.uploaded, warnings(told), bucket.objects["b"][1]) == (3, [], b"file b")
    assert "stat" not in bucket.asked


def test_a_store_that_does_not_tell_is_used_as_before(
    bucket: Bucket, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run needs no permission that it did not need."""

    async def denied(self: PartedStore) -> Refusal:
        raise Denied("info", "", "no", status=403)

    monkeypatch.setattr(PartedStore, "_refuses_existing", denied)
    bucket.appears["b"] = THERE
    summary, _ = upload(tree, URL)
    assert (summary.uploaded, summary.exit_code, bucket.objects["b"][1]) == (3, 0, b"file b")


def test_a_large_file_is_sent_without_a_look_before_it(bucket: Bucket, tree: Path) -> None:
    """The condition is in the request that completes it; what has appeared stays."""
    for name in ("large", "taken"):
        (tree / name).write_bytes(os.urandom(2_000_000))
    bucket.appears["taken"] = THERE
    summary, _ = upload(tree, URL, large=LargeOptions(above=1_500_000, part_size=1_500_000))
    assert (summary.uploaded, summary.large_sent, summary.skipped_by_reason) == (4, 1, {Reason.EXISTING.value: 1})
    assert bucket.objects["taken"][1] == THERE
    assert bucket.asked.count("stat") == 1
    assert len(bucket.objects["large"][2]) == 2


@pytest.mark.parametrize("mode", ["fail", "differs"])
def test_if_exists_is_stronger(bucket: Bucket, tree: Path, mode: IfExists) -> None:
    """An object that has appeared makes its file fail, if that was asked for."""
    bucket.appears["b"] = THERE
    summary, _ = upload(tree, URL, if_exists=mode)
    assert (summary.uploaded, summary.failed, bucket.objects["b"][1]) == (2, 1, THERE)
    assert all(dict(row.meta).get(MARK) for name, (row, _, _) in bucket.objects.items() if name != "b")


def test_a_manifest_replaces_that_of_the_run_before(bucket: Bucket, tree: Path) -> None:
    """The condition is for files."""
    upload(tree, URL, manifest="m")
    (tree / "d").write_bytes(b"new")
    summary, _ = upload(tree, URL, manifest="m")
    assert (summary.uploaded, summary.skipped) == (2, 3)
    names = [json.loads(line)["name"] for line in bucket.objects["m"][1].splitlines()]
    assert names == ["a", "b", "c", "d"]


def relayed(there: Container, meddle: Callable[[Asked, PassOn], Said]) -> Any:
    return relay(there.environ["ST_AUTH"], meddle)


def through(made: Relay, there: Container) -> dict[str, str]:
    return {**there.environ, "ST_AUTH": made.auth_url}


def passing(asked: Asked, pass_on: PassOn) -> Said:
    return pass_on(asked)


@pytest.mark.swift
def test_swift_is_asked_once_what_it_refuses(there: Container, tree: Path) -> None:
    """Three GETs: the login, the listing, and /info; each PUT of a file has the condition, and there is no HEAD."""
    with relayed(there, passing) as made:
        summary, _ = upload(tree, there.url, through(made, there))
        assert summary.uploaded == 3
        assert Counter(summary.requests) == Counter(GET=3, PUT=1 + 3)
        files = [asked for asked in made.asked if asked.method == "PUT" and asked.path.count("/") == 4]
        assert [asked.headers[CONDITION] for asked in files] == ["*"] * 3
        assert MARK.lower() not in " ".join(" ".join(asked.headers) for asked in files)
        again, _ = upload(tree, there.url, through(made, there))
    assert (again.uploaded, again.skipped) == (0, 3)
    assert "PUT" not in again.requests or again.requests["PUT"] == 1
    assert again.requests["GET"] == 2


@pytest.mark.swift
def test_what_appears_in_swift_since_the_listing_is_kept(there: Container, tree: Path) -> None:
    """Somebody stores it just before the PUT."""

    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        if asked.method == "PUT" and asked.path.endswith("/b"):
            there.put("b")
        return pass_on(asked)

    with relayed(there, meddle) as made:
        summary, _ = upload(tree, there.url, through(made, there))
    assert (summary.uploaded, summary.skipped_by_reason, summary.exit_code) == (2, {Reason.EXISTING.value: 1}, 0)
    assert there.content("b") == THERE


@pytest.mark.swift
def test_an_answer_that_is_lost_makes_no_file_a_skipped_one(there: Container, tree: Path) -> None:
    """The next attempt is refused by the object that the first has stored, which holds what the file holds."""
    lost: list[str] = []

    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        said = pass_on(asked)
        if asked.method == "PUT" and asked.path.endswith("/b") and not lost:
            lost.append(asked.path)
            return Said(503)
        return said

    with relayed(there, meddle) as made:
        summary, _ = upload(tree, there.url, through(made, there))
    assert lost
    assert (summary.uploaded, summary.skipped, summary.exit_code) == (3, 0, 0)
    assert there.content("b") == b"file b"


@pytest.mark.swift
def test_what_a_run_with_skip_existing_overwrites_on_purpose_is_overwritten(there: Container, tree: Path) -> None:
    """A directory's marker, a link that leads nowhere, and, with --expires-in, an object that ends too soon."""
    there.judge.put(there.name, "a", b"", fields={"Content-Type": "application/directory"})
    there.judge.put(there.name, "b", b"", fields={"X-Symlink-Target": f"{there.name}/nowhere"})
    there.judge.put(there.name, "c", THERE, fields={"X-Delete-After": "3600"})
    summary, _ = upload(tree, there.url, there.environ, headers=HeaderOptions(expires_in_s=86_400))
    assert (summary.uploaded, summary.skipped, summary.exit_code) == (3, 0, 0)
    assert [there.content(name) for name in "abc"] == [b"file a", b"file b", b"file c"]


@pytest.mark.swift
def test_a_link_that_leads_nowhere_and_has_appeared_is_overwritten(there: Container, tree: Path) -> None:
    """It is no object, whenever it came."""

    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        if asked.method == "PUT" and asked.path.endswith("/b") and CONDITION in asked.headers:
            there.judge.put(there.name, "b", b"", fields={"X-Symlink-Target": f"{there.name}/nowhere"})
        return pass_on(asked)

    with relayed(there, meddle) as made:
        summary, _ = upload(tree, there.url, through(made, there))
    assert (summary.uploaded, summary.skipped) == (3, 0)
    assert there.content("b") == b"file b"


@pytest.mark.rgw
def test_a_gateway_that_ignores_the_condition_gets_none(rgw: RealSwift, tree: Path) -> None:
    """Ceph's gateway: nothing changes, and no warning is told."""
    there = Container(rgw)
    with relayed(there, passing) as made:
        summary, told = upload(tree, there.url, through(made, there))
        files = [asked for asked in made.asked if asked.method == "PUT"]
    assert (summary.uploaded, warnings(told)) == (3, [])
    assert not any(CONDITION in asked.headers for asked in files)
    assert "HEAD" not in summary.requests
