"""Containers of objects and segments on a real Swift, and a relay in front of it that changes or delays answers."""

import asyncio
import json
import time
import uuid
from collections.abc import Callable
from urllib.parse import urlsplit

import bulkput as library
from bulkput import events as ev
from bulkput.options import RetryOptions
from bulkput.verb_options import SegmentOptions
from bulkput.verb_results import UnreadSegments
from tests.e2e.changes_relay import Asked, Meddle, PassOn, Said, relay
from tests.servers.judge import SwiftJudge
from tests.servers.swift import RealSwift

OURS = "s/k/bulkput/v1/"
"""Where the segments of `c/k` lie."""


def passing(asked: Asked, pass_on: PassOn) -> Said:
    return pass_on(asked)


class World:
    """Three containers: `c` for objects, `s` for their segments, and `o`, another one. Names are written `c/NAME`.

    The account has containers of other tests as well, which a relay leaves out of its listing.
    """

    def __init__(self, swift: RealSwift) -> None:
        self.judge = SwiftJudge(swift.auth_url, swift.user, swift.key)
        self.environ = swift.environment
        self.name = f"s-{uuid.uuid4().hex[:8]}"
        self.containers = {"c": self.name, "s": f"{self.name}_segments", "o": f"{self.name}-o"}
        for container in self.containers.values():
            self.judge.put(container, "", b"")
        self.events: list[ev.Event] = []

    def place(self, path: str) -> tuple[str, str]:
        container, _, name = path.partition("/")
        return self.containers.get(container, container), name

    def put(self, path: str, content: bytes = b"", **fields: str) -> None:
        container, name = self.place(path)
        self.judge.put(container, name, content, fields={key.replace("_", "-"): value for key, value in fields.items()})
        self._wait_for_row(container, name)

    def link(self, path: str, to: str) -> None:
        self.put(path, X_Symlink_Target="/".join(self.place(to)))

    def dynamic(self, path: str, below: str, content: bytes = b"") -> None:
        self.put(path, content, X_Object_Manifest="/".join(self.place(below)))

    def static(self, path: str, *segments: str, range_: str | None = None) -> None:
        container, name = self.place(path)
        more = {} if range_ is None else {"range": range_}
        manifest = [{"path": "/" + "/".join(self.place(segment)), **more} for segment in segments]
        self.judge.put(container, name, json.dumps(manifest).encode(), query="?multipart-manifest=put")
        self._wait_for_row(container, name)

    def _wait_for_row(self, container: str, name: str) -> None:
        """Under load Swift's listings lag behind, and a test of what a listing shows would find nothing."""
        for _ in range(1_000):
            if name in self.judge.names(container):
                return
            time.sleep(0.01)
        raise AssertionError(f"{name} is not listed after ten seconds")

    def parts(self, group: str, count: int = 3) -> list[str]:
        """Stores segments below a path that ends in a slash."""
        made = [f"{group}{number:08d}" for number in range(1, count + 1)]
        for path in made:
            self.put(path, path[-1].encode())
        return made

    def left(self, path: str) -> list[bytes | None]:
        """The contents of the objects below a path."""
        container, below = self.place(path)
        names = [name for name in self.judge.names(container) if name.startswith(below)]
        return [self.judge.content(container, name) for name in names]

    def read(self, path: str) -> bytes | None:
        return self.judge.content(*self.place(path))

    def look(
        self,
        meddle: Meddle = passing,
        *,
        reap: bool = True,
        older_than_s: int = 0,
        container: str | None = None,
        below: str = "",
        dry: bool = False,
        search_again_s: float = 60.0,
        stop: library.Stop | None = None,
        on_event: Callable[[ev.Event], None] = lambda _event: None,
    ) -> UnreadSegments:
        options = SegmentOptions(
            reap=reap,
            older_than_s=older_than_s,
            segment_container=None if container is None else self.containers.get(container, container),
            dry_run=dry,
            search_again_s=search_again_s,
            retry=RetryOptions(retries=0),
        )
        self.events = []

        def note(event: ev.Event) -> None:
            self.events.append(event)
            on_event(event)

        with relay(self.environ["ST_AUTH"], lambda asked, pass_on: meddle(asked, self.alone(pass_on))) as relayed:
            environ = {**self.environ, "ST_AUTH": relayed.auth_url}
            url = f"swift://{self.name}{below}"
            return asyncio.run(library.segments(url, options=options, environ=environ, stop=stop, on_event=note))

    def alone(self, pass_on: PassOn) -> PassOn:
        """Leaves the containers of other tests out of the account's listing."""

        def passed(asked: Asked) -> Said:
            said = pass_on(asked)
            if is_of_account(asked) and said.status == 200:
                rows = [row for row in json.loads(said.body) if row["name"].startswith(self.name)]
                said.body = json.dumps(rows).encode()
            return said

        return passed

    @property
    def kept(self) -> list[str]:
        return [event.why for event in self.events if isinstance(event, ev.SegmentsKept)]

    @property
    def found(self) -> dict[str, int]:
        """Groups, with the name of the container left out: number of segments."""
        groups = [event for event in self.events if isinstance(event, ev.SegmentsFound)]
        return {event.path.partition("/")[2]: event.count for event in groups}

    @property
    def removed(self) -> list[str]:
        changes = [event for event in self.events if isinstance(event, ev.Change)]
        return sorted(change.name.partition("/")[2] for change in changes if change.done is ev.Done.REMOVED)


def is_of_account(asked: Asked) -> bool:
    """Whether the request is for the listing of the account."""
    return asked.method == "GET" and urlsplit(asked.path).path.count("/") == 2 and "format=json" in asked.path


def refusing(method: str, ending: str, status: int = 403) -> Callable[[World], Meddle]:
    """Answers requests for the path with that status. `ending` may name a container of the world."""

    def made(world: World) -> Meddle:
        end = "/".join(world.place(ending)).rstrip("/")

        def meddle(asked: Asked, pass_on: PassOn) -> Said:
            path = urlsplit(asked.path).path
            return Said(status) if asked.method == method and path.endswith("/" + end) else pass_on(asked)

        return meddle

    return made


def at(is_moment: Callable[[Asked], bool], number: int, act: Callable[[], None]) -> Meddle:
    """Calls `act` before the request that is the `number`th, from 1, of its kind."""
    seen: list[Asked] = []

    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        if is_moment(asked):
            seen.append(asked)
            if len(seen) == number:
                act()
        return pass_on(asked)

    return meddle


def is_head_of_segment(asked: Asked) -> bool:
    return asked.method == "HEAD" and "_segments/" in asked.path
