"""An upload by several processes: the verb `upload`, with an engine."""

import asyncio
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace

from bulkput import events as ev
from bulkput.engine.compare.destination import Pathlike, sources_of
from bulkput.engine.stop import Stop
from bulkput.engine.upload.upload import upload_by
from bulkput.option_types import checked
from bulkput.options import UploadOptions
from bulkput.policy.naming import is_url
from bulkput.recorder import Recorder
from bulkput.results import Summary
from bulkput.scale.engine import Engine
from bulkput.scale.executor import ShardedSending, check_shardable


async def upload_sharded(
    sources: Pathlike | Iterable[Pathlike],
    destination: str,
    *,
    engine: Engine,
    options: UploadOptions | None = None,
    on_event: ev.Emit | None = None,
    recorder: Recorder | None = None,
    stop: Stop | None = None,
    environ: Mapping[str, str] | None = None,
) -> Summary:
    """Upload as `upload` does, by the processes of `engine`: `Processes(4)` of this machine, for example.

    This process walks, decides and keeps the journal; the others read and send. `engine` is closed at the end. Raises
    like `upload`, and UsageError if a process cannot see the sources or has another version.
    """
    chosen = checked(options, UploadOptions)
    roots = sources_of(sources, chosen)
    await asyncio.to_thread(check_shardable, roots)
    if engine.is_elsewhere:
        roots, chosen = await asyncio.to_thread(_absolute, roots, chosen)  # asks for the current directory
        sources = roots if chosen.files is None else ()
    lanes = ShardedSending(
        engine,
        destination,
        sources=roots,
        environ=dict(os.environ if environ is None else environ),
    )
    engine.begin(destination)
    try:
        return await upload_by(
            lanes,
            sources,
            destination,
            options=chosen,
            on_event=on_event,
            recorder=recorder,
            stop=stop,
            environ=environ,
        )
    finally:
        await lanes.aclose()


def _absolute(roots: list[bytes], options: UploadOptions) -> tuple[list[bytes], UploadOptions]:
    """The same with absolute paths: a relative one says nothing on another machine."""
    if options.files is not None:
        base = options.files.base
        if not is_url(os.fsencode(base)):
            options = replace(options, files=replace(options.files, base=os.path.abspath(base)))
    return [root if is_url(root) else os.path.abspath(root) for root in roots], options
