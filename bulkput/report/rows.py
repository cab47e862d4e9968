"""Events as the JSON objects of `--json`. Names are text, as `errors.py:name_text` writes them."""

from typing import Any

from bulkput import events as ev
from bulkput.errors import BulkputError, SourceError, StoreError, name_text
from bulkput.model import Compression, Pacing, Skip


def event_json(event: ev.Event) -> dict[str, Any] | None:
    """One object per event, for JSON output; None for events that only count (Discovered, Requested)."""
    match event:
        case ev.Uploaded():
            return _uploaded_json(event)
        case ev.Skipped():
            return _skipped_json(event.skip)
        case ev.Failed():
            return {"event": "failed", "path": name_text(event.path), "key": event.key, **_error_json(event.error)}
        case ev.Removed() | ev.Kept() | ev.KeptYoung() | ev.Expiring():
            from bulkput.report.mirror_lines import mirror_json  # noqa: PLC0415 - only mirrors tell this

            return mirror_json(event)
        case ev.EmptyDirectory():
            return {"event": "empty_directory", "path": name_text(event.path)}
        case ev.Warned():
            return {"event": "warning", "why": event.why}
        case ev.NothingFound():
            return {"event": "nothing_found", "where": event.where, "is_failure": event.is_failure}
        case ev.Snapshot():
            return {"event": "snapshot", "path": name_text(event.path), "bytes": event.size}
        case ev.SegmentsLeft():
            paths = list(event.paths)
            row = {"event": "segments_left", "key": event.key, "segments": paths, "below": event.below}
            return {**row, "why": event.why} if event.why else row
        case ev.PartStored() | ev.PartsLeft() | ev.UploadBegun():
            return _in_parts_json(event)
        case ev.Retrying():
            delay_s = round(event.delay_s, 3)
            told = {"event": "retrying", "key": event.error.key, "attempt": event.attempt, "delay_s": delay_s}
            return told | _error_json(event.error)
    return _of_the_run_json(event)


def _in_parts_json(event: ev.PartStored | ev.PartsLeft | ev.UploadBegun) -> dict[str, Any]:
    match event:
        case ev.PartStored(part=part):
            told = {"event": "part", "key": event.upload.key, "number": part.number, "bytes": part.size}
            return told | {"etag": part.md5, "is_new": event.is_new}
        case ev.PartsLeft():
            told = {"event": "parts_left", "key": event.key, "parts": event.count, "bytes": event.size}
            told |= {"below": event.below, "is_resumed": event.is_resumed}
            return told | ({"uploads": event.uploads, "is_strange": True} if event.is_strange else {})
    return {"event": "upload_begun", "path": name_text(event.path), "key": event.key, "id": event.id}


def _of_the_run_json(event: ev.Event) -> dict[str, Any] | None:
    """Events that are about no single file."""
    match event:
        case ev.Tuned():
            return {"event": "tuned", "concurrency": event.limit, "why": event.why}
        case ev.Paced():
            return _paced_json(event.pacing)
        case ev.Known():
            return {"event": "known", "files": event.count, "bytes": event.size}
        case ev.ScanDone():
            return {"event": "scan_done"}
        case ev.Stalled():
            from bulkput.report.stalled_lines import stalled_json  # noqa: PLC0415 - it imports this

            return stalled_json(event)
        case ev.Moving():
            return {"event": "moving", "idle_s": round(event.idle_s, 3)}
        case ev.Stopping():
            return {"event": "stopping", "cause": event.cause.value, "why": event.why}
        case (
            ev.Finding()
            | ev.Change()
            | ev.SegmentsFound()
            | ev.SegmentsKept()
            | ev.Place()
            | ev.OtherShards()
            | ev.WorkerLost()
        ):
            return event.as_json()
        case ev.UnfinishedFound() | ev.UnfinishedKept():
            return event.as_json()
        case ev.Relaying():
            return {"event": "relaying"}
        case ev.Finished():
            return {"event": "finished", "elapsed_s": round(event.elapsed_s, 3)}
    return None


def _skipped_json(skip: Skip) -> dict[str, Any]:
    row: dict[str, Any] = {
        "event": "skipped",
        "path": name_text(skip.path),
        "key": skip.key,
        "reason": skip.reason.name.lower(),
    }
    if skip.parts is not None:
        row |= {"parts": skip.parts[0], "part_bytes": skip.parts[1]}
    if skip.planned is not None:
        from bulkput.report.planned import fields_json  # noqa: PLC0415 - for dry runs with rules

        row |= fields_json(skip.planned)
    return row if skip.size is None else {**row, "bytes": skip.size}


def _uploaded_json(event: ev.Uploaded) -> dict[str, Any]:
    row = {
        "event": "uploaded",
        "path": name_text(event.upload.source.path),
        "key": event.stored.key,
        "bytes": event.stored.size,
        "etag": event.stored.etag,
        "request_id": event.stored.request_id,
        "elapsed_s": round(event.elapsed_s, 6),
    }
    if event.parts:
        row |= {"parts": event.parts, "bytes_found": event.found_bytes}
    return row if event.compression is None else row | _compression_json(event, event.compression)


def _compression_json(event: ev.Uploaded, compression: Compression) -> dict[str, Any]:
    return {
        "bytes_read": event.bytes_read,
        "is_compressed": compression.is_compressed,
        "why": compression.why.name.lower(),
    }


def _paced_json(pacing: Pacing) -> dict[str, Any]:
    return {
        "event": "paced",
        "objects_per_s": pacing.objects_per_s,
        "bytes_per_s": pacing.bytes_per_s,
        "requests": pacing.requests,
        "bytes": pacing.sent,
        "over_s": round(pacing.over_s, 3),
        "waited_s": round(pacing.waited_s, 3),
        **({"is_shared": True} if pacing.is_shared else {}),
    }


def _error_json(error: BulkputError) -> dict[str, Any]:
    row: dict[str, Any] = {"error": str(error), "kind": type(error).__name__}
    match error:
        case StoreError():
            row |= {"status": error.status, "request_id": error.request_id}
        case SourceError():
            row |= {"problem": error.problem}
    return row
