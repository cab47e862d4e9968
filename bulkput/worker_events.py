"""What happens to the processes of a run that several share. `events` has all."""

from typing import Any

from bulkput.record import frozen


@frozen
class WorkerLost:
    """A process that sends files has ended, or its machine is gone. The `files` that it had are sent again."""

    worker: str
    files: int
    why: str

    def as_json(self) -> dict[str, Any]:
        return {"event": "worker_lost", "worker": self.worker, "files": self.files, "why": self.why}


@frozen
class WorkerSent:
    """The process `worker` has told the outcomes of `files` more files, without those that a stop has left unsent."""

    worker: str
    files: int
