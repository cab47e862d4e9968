"""A mirror and the links that its own run puts, on the store of `tests/servers/parted.py` with links."""

from dataclasses import replace

import pytest

from bulkput.engine.stop import Stop
from bulkput.engine.upload.links import Links
from bulkput.engine.upload.mirror import Mirror
from bulkput.events import Event, Kept
from bulkput.model import ObjectHeaders, RemoteObject, SourceFile, Stored
from bulkput.options import SkipOptions, UploadOptions
from bulkput.policy.link_target import LinkTargets
from bulkput.stores.base import Destination, StoreContext
from tests.servers.parted import BUCKETS, Bucket, PartedStore


class LinkedStore(PartedStore):
    """Shows a link as one, besides the object to which it leads."""

    def __init__(self, destination: Destination, context: StoreContext) -> None:
        super().__init__(destination, context)
        self.powers = replace(self.powers, stat_itself=self._itself)

    async def _itself(self, key: str, container: str | None = None) -> RemoteObject | None:
        assert container is None
        return await self.stat(key)


async def put(key: str, target: str, headers: ObjectHeaders) -> Stored:
    raise AssertionError(f"only where it leads is asked: {key}, {target}, {headers}")


def source(link: str) -> SourceFile:
    return SourceFile(b"l", b"l", 0, 0, remote=RemoteObject("x/l", 0, None, None, None, link=link))


def test_a_link_leads_to_its_copy_unless_links_are_given_up() -> None:
    """Then it becomes an object, which reads nothing."""
    targets = LinkTargets(below="a/x/", to="b/p/", takes=lambda _name: True, is_one_account=True)
    links = Links(put, targets, lambda _event: None)
    assert (links.leads_to(source("a/x/n")), links.leads_to(source("b/p/old"))) == ("b/p/n", "b/p/old")
    links.give_up()
    assert links.leads_to(source("a/x/n")) is None


async def test_a_mirror_keeps_what_a_link_of_the_same_run_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what it reads through another extra, and if the link is not in the store: a dry run, or an old listing."""
    bucket = Bucket()
    monkeypatch.setitem(BUCKETS, "b", bucket)
    for key in ("p/gone", "p/old", "p/second"):
        bucket.sent(key, b"some")
    row = bucket.objects["p/second"][0]
    bucket.objects["p/second"] = replace(row, link="b/p/old"), b"", ()
    events: list[Event] = []

    async def room() -> None: ...

    options = UploadOptions(skip=SkipOptions(mode="identical", delete_extra=True))
    store = LinkedStore(Destination(scheme="parted", root="b", prefix="p/"), None)  # type: ignore[arg-type]
    mirror = Mirror(store, options, Stop(), [], emit=events.append, room=room, container="b", prefix="p/")
    await mirror.note_link("p/l", "b/p/second")
    for key in ("p/gone", "p/old", "p/second"):
        await mirror.note_extra(bucket.objects[key][0])
    await mirror.remove(0)
    mirror.close()
    assert set(bucket.objects) == {"p/old", "p/second"}, events
    assert {event.key for event in events if isinstance(event, Kept)} == {"p/old", "p/second"}
