"""Copies links of a source as links, if the destination has links."""

from bulkput import events as ev
from bulkput.engine.upload.sent import Sent
from bulkput.errors import Unsupported
from bulkput.model import RemoteObject, SourceFile, Upload
from bulkput.policy.link_target import LinkTargets
from bulkput.stores.powers import Link


class Links:
    """Puts the links of one run."""

    def __init__(self, link: Link, targets: LinkTargets, emit: ev.Emit) -> None:
        self._link: Link | None = link
        self._targets = targets
        self._emit = emit
        self._is_told = False

    def target_of(self, source: SourceFile) -> str | None:
        """Where the copy leads; None if it is to be no link."""
        link = source.remote.link if source.remote is not None else None
        return self._targets.of(link) if link is not None else None

    def has(self, source: SourceFile, row: RemoteObject | None) -> bool:
        """Whether the row is that of the link's copy."""
        target = self.target_of(source)
        return target is not None and row is not None and row.link == target

    async def put(self, upload: Upload) -> Sent | None:
        """Put the copy of a link. None if the object that it leads to has to be copied. Raises StoreError."""
        source = upload.source
        if source.remote is None or source.remote.link is None:
            return None
        target = self.target_of(source)
        if target is None or self._link is None:
            self._tell("lead out of what is copied" if target is None else "are not kept by the destination")
            return None
        try:
            stored = await self._link(upload.key, target, upload.headers)
        except Unsupported:  # the server has none: that is known after the first
            self._link = None
            return await self.put(upload)
        return Sent(upload, stored, 0, source.mtime_ns, None)

    def _tell(self, why: str) -> None:
        if not self._is_told:
            self._is_told = True
            self._emit(ev.Warned(f"links that {why} become objects with what they lead to"))
