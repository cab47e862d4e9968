"""Sends a file, and says what has become of it by one event: in the process that runs the upload, or in another."""

import time

from bulkput.engine.stop import Stop
from bulkput.engine.upload.put import Putter
from bulkput.errors import BulkputError, Stopped
from bulkput.events import Failed, Skipped, Uploaded
from bulkput.model import Reason, Skip, Upload

Outcome = Uploaded | Skipped | Failed
"""What becomes of a file that was submitted."""


class Sender:
    """Sends single files, unless the run is being stopped."""

    def __init__(self, putter: Putter, stop: Stop) -> None:
        self._putter = putter
        self._stop = stop

    async def send(self, upload: Upload) -> Outcome:
        """Send the file. Raises CancelledError, and bugs."""
        started = time.monotonic()
        try:
            self._stop.check()
            sent = await self._putter.put(upload)
        except Stopped:
            return not_sent(upload)
        except BulkputError as error:
            return Failed(upload.source.path, upload.key, error)
        if isinstance(sent, Skip):
            return Skipped(sent)
        return Uploaded(sent.upload, sent.stored, sent.size, sent.mtime_ns, time.monotonic() - started, *sent[4:])


def not_sent(upload: Upload) -> Skipped:
    """The outcome of a file that was submitted to a run that is being stopped."""
    return Skipped(Skip(upload.source.path, upload.source.name, Reason.STOPPED, upload.key))
