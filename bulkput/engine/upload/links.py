"""Copies links of a source as links, if the destination has links."""

from bulkput import events as ev
from bulkput.engine.upload.sent import Sent
from bulkput.errors import Unsupported
from bulkput.model import RemoteObject, SourceFile, Upload
from bulkput.policy.link_target import LinkTargets
from bulkput.stores.powers import Link


class Links:
    """Puts the links of one run."""

    def __init__(self, link: Link | None, targets: LinkTargets, emit: ev.Emit) -> None:
        """`link` None: the destination has no links."""
        self._link = link
        self._targets = targets
        self._emit = emit
        self._told: set[str] = set()

    def has(self, source: SourceFile, row: RemoteObject) -> bool:
        """Whether the row is that of the link's copy."""
        target = self._target_of(source)
        return target is not None and row.link == target

    def leads_to(self, source: SourceFile) -> str | None:
        """The CONTAINER/OBJECT to which the link leads that is put for the source; None if none is put."""
        return self._target_of(source) if self._link is not None else None

    def takes(self, source: SourceFile) -> bool:
        """Whether the copy of the source is a link. If a link becomes an object, a warning says so, once."""
        if source.remote is None or source.remote.link is None:
            return False
        if self._link is None:
            self._tell("are not kept by the destination")
        elif self._target_of(source) is None:
            self._tell("lead out of what is copied")
        else:
            return True
        return False

    async def put(self, upload: Upload) -> Sent:
        """Put the copy of a link that is taken. Raises Unsupported if the server has no links, StoreError."""
        target = self._target_of(upload.source)
        if self._link is None or target is None:
            raise Unsupported("put", upload.key, "it is not taken")
        stored = await self._link(upload.key, target, upload.headers)
        return Sent(upload, stored, 0, upload.source.mtime_ns, None)

    def give_up(self) -> None:
        """Take no more links: the server has none."""
        self._link = None

    def _target_of(self, source: SourceFile) -> str | None:
        link = source.remote.link if source.remote is not None else None
        return self._targets.of(link) if link is not None else None

    def _tell(self, why: str) -> None:
        if why not in self._told:
            self._told.add(why)
            self._emit(ev.Warned(f"links that {why} become objects with what they lead to"))
