"""The local store without HTTP: which of two writes wins, and which bytes a range has."""

from bulkput.devserver.record import StoredObject
from bulkput.devserver.store import ContainerStore


def stored(timestamp: float, *pieces: bytes) -> StoredObject:
    return StoredObject("o", sum(map(len, pieces)), "", "x/y", timestamp, (), pieces)


def test_a_put_to_a_deleted_container_is_not_kept() -> None:
    """The container was deleted, and perhaps created again, during the body; the caller answers 404."""
    store = ContainerStore()
    store.create("c", ())
    container = store.containers["c"]
    assert store.drop(container)
    assert not store.keep(container, stored(store.now()))
    store.create("c", ())
    assert not store.keep(container, stored(store.now()))
    assert store.containers["c"].objects == {}


def test_the_write_that_began_later_wins() -> None:
    """This holds even if it ends first; the totals count only the winner."""
    store = ContainerStore()
    store.create("c", ())
    container = store.containers["c"]
    early, late = stored(store.now(), b"early"), stored(store.now(), b"la")
    assert store.keep(container, late) and store.keep(container, early)
    assert (container.objects["o"], container.bytes_used) == (late, 2)
    assert container.delete("o")
    assert (container.objects, container.bytes_used, store.drop(container)) == ({}, 0, True)


def test_a_stored_body_reads_every_range() -> None:
    """The body is stored in three pieces."""
    one = stored(1, b"abc", b"d", b"efgh")
    for start in range(9):
        for stop in range(start, 9):
            assert b"".join(one.read(start, stop)) == b"abcdefgh"[start:stop]
