"""Events and summaries as lines of text and as JSON."""

from collections.abc import Sequence

from bulkput import events as ev
from bulkput.errors import printable
from bulkput.model import Pacing, Reason
from bulkput.results import Summary

_HINTS = {
    Reason.LINK_OUTSIDE.value: " (`walk.follow_symlinks=True` takes it)",
    Reason.LINK_TO_DIRECTORY.value: " (`walk.follow_symlinks=True` takes it)",
}
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def size_text(size: float) -> str:
    """`1536` -> `1.5 KiB`."""
    for unit in _UNITS:
        if round(size, 1) < 1024 or unit == _UNITS[-1]:
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"


def count_text(count: int) -> str:
    """`1234567` -> `1 234 567`, readable in every country."""
    return f"{count:,}".replace(",", " ")


def counted(count: int, noun: str, nouns: str | None = None) -> str:
    """`1, "part"` -> `1 part`; 2 000 of them are `2 000 parts`. `nouns` is the plural if it is not `noun` and an s."""
    return f"{count_text(count)} {noun if count == 1 else nouns or noun + 's'}"


def rate_text(per_s: float) -> str:
    """`200.0` -> `200/s`, `0.5` -> `30/min`."""
    if per_s < 1:
        return f"{per_s * 60:.3g}/min"
    return f"{per_s:.1f}/s" if per_s < 10 and per_s % 1 else f"{per_s:.0f}/s"


def event_line(event: ev.Event, *, verbose: bool) -> str | None:  # noqa: C901, PLR0912 - one arm for each kind of event
    """The line that an event prints; None if a person need not read it."""
    match event:
        case ev.Failed():
            return f"failed: {event.what}"
        case ev.Stopping():
            return f"stopped: {printable(event.why)}"
        case ev.Skipped() if verbose:
            to = f" -> {printable(event.skip.key)}" if event.skip.key else ""
            return f"skipped: {printable(event.skip.path)}{to}: {event.skip.reason.value}"
        case ev.Removed() | ev.Kept() | ev.KeptYoung() | ev.Expiring():
            from bulkput.report.mirror_lines import mirror_line  # noqa: PLC0415 - only mirrors tell this

            return mirror_line(event, verbose=verbose)
        case ev.EmptyDirectory() if verbose:
            return f"left out: {printable(event.path)}: empty directory"
        case ev.Warned():
            return f"warning: {printable(event.why)}"
        case ev.NothingFound():
            return f"{'failed' if event.is_failure else 'warning'}: no file was found in {printable(event.where)}"
        case ev.Snapshot() if verbose:
            return f"snapshot: {printable(event.path)}: it is being written to; it is taken up to byte {event.size}"
        case ev.SegmentsLeft() | ev.SegmentsKept() | ev.UnfinishedKept():
            return _line_of_what_stays(event)
        case ev.Retrying():
            return event.line
        case ev.Stalled():
            from bulkput.report.stalled_lines import stalled_line  # noqa: PLC0415 - it imports this

            return stalled_line(event)
        case ev.WorkerLost():
            had = f"{counted(event.files, 'file')} of it are sent again" if event.files else "it had no file"
            return f"lost {printable(event.worker)}: {had}: {printable(event.why)}"
        case ev.Moving():
            return f"moving again, after {seconds_text(event.idle_s)} s"
        case ev.ReadingChosen(may_hang=str(kind)) if verbose:
            return f"reading files in threads: {printable(kind)} may hang"
        case ev.ReadingChosen() if verbose:
            where = "on the event loop" if event.is_on_loop else "in threads"
            return f"reading small files {where}: {event.average_s * 1000:.2g} ms each on average"
        case ev.Relaying():
            return "no copy by the store between these two: the bytes pass through this machine"
        case ev.Tuned() if verbose:
            return f"requests in flight: {event.limit}: {event.why}"
        case ev.Uploaded() if verbose:
            line = f"uploaded: {printable(event.upload.source.path)} -> {printable(event.stored.key)}"
            return line + _parts_text(event) + _compression_text(event)
        case ev.PartStored(part=part) if verbose:
            how = "sent" if event.is_new else "is there"
            return f"part {part.number} {how}: {printable(event.upload.key)} ({size_text(part.size)})"
        case ev.PartsLeft():
            return _line_of_parts(event)
    return None


def _line_of_parts(event: ev.PartsLeft) -> str:
    from shlex import quote  # noqa: PLC0415 - few runs tell this

    key, below = printable(event.key), printable(event.below)
    # Parts that are objects of their own lie in another container than the URL that the verb takes.
    lists = f"`bulkput.segments` {quote(below)} lists" if "://" in below else "`bulkput.segments` lists"
    parts = f"{counted(event.count, 'part')} ({size_text(event.size)})"
    if event.is_resumed:
        return f"unfinished: {key}: {parts} kept; the next run sends only the others"
    if event.is_strange:
        uploads = counted(event.uploads, "unfinished upload") + (f" with {parts}" if event.count else "")
        them = _REAP if event.uploads > 1 else _REAP_IT
        return f"not used: {key}: {uploads}, left by an earlier run or still being sent; {lists} {them}"
    what, them = (parts, _REAP) if event.count else ("an upload without parts", _REAP_IT)
    return f"of no use: {key}: {what} left below {below}; {lists} {them}"


def _line_of_what_stays(event: ev.SegmentsLeft | ev.SegmentsKept | ev.UnfinishedKept) -> str:
    match event:
        case ev.SegmentsLeft(why=str(why)) if why:
            of = f" of {printable(event.key)}" if event.key else ""
            return f"not removed: segments{of}: {printable(why)}: {_names_text(event.paths)}"
        case ev.SegmentsLeft():
            return f"overwritten: {printable(event.key)} was a large object: {_left_text(event)}"
        case ev.SegmentsKept():
            where = f"{printable(event.path)}: " if event.path else ""
            return f"not removed: {where}{counted(event.count, 'segment')}: {printable(event.why)}"
    return f"not removed: unfinished upload of {printable(event.path)}: {printable(event.why)}"


_REAP_IT = "it; with `reap` it is removed once nothing has happened in it for a week"
_REAP = "them; with `reap` they are removed once nothing has happened in them for a week"
"""What `reap` keeps by default: see `SegmentOptions.older_than_s`."""
_LISTS = f"`bulkput.segments` lists {_REAP}"
_MOST_NAMES = 3
"""Segments that a line names; events and summaries name all."""


def _left_text(event: ev.SegmentsLeft) -> str:
    """Which segments of the overwritten large object stay in the store."""
    if event.below is not None:
        return f"its segments stay, below {printable(event.below)}"
    if not event.paths:
        return "its segments stay, and could not be asked for"
    return f"{counted(len(event.paths), 'segment')} left: {_names_text(event.paths)}"


def _names_text(paths: Sequence[str]) -> str:
    names, more = ", ".join(map(printable, paths[:_MOST_NAMES])), len(paths) - _MOST_NAMES
    return names + (f" and {count_text(more)} more" if more > 0 else "")


def _parts_text(event: ev.Uploaded) -> str:
    if not event.parts:
        return ""
    found = f", {size_text(event.found_bytes)} of them were there" if event.found_bytes else ""
    return f" (in {counted(event.parts, 'part')}{found})"


def _compression_text(event: ev.Uploaded) -> str:
    if (compression := event.compression) is None:
        return ""
    sizes = f"{size_text(event.bytes_read)} -> {size_text(event.stored.size)}, gzip"
    return f" ({sizes if compression.is_compressed else 'not compressed'}: {compression.why.value})"


def seconds_text(seconds: float) -> str:
    """Tenths below ten seconds, whole seconds above."""
    return f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}"


def summary_lines(summary: Summary) -> list[str]:
    """The numbers of a finished run, for people."""
    planned = summary.skipped_by_reason.get(Reason.DRY_RUN.value, 0)
    plans, of_a_mirror = _of_a_mirror(summary)
    if planned or summary.would_remove or summary.would_expire:
        others = plans + (f"; {count_text(summary.failed)} would fail" if summary.failed else "")
        line = f"dry run: would upload {counted(planned, 'file')}, {size_text(summary.bytes_planned)}{others}"
        return [line, *of_a_mirror, *_left_out(summary)]
    requests, sent = sum(summary.requests.values()), summary.uploaded + summary.parts_sent
    tag = f"; tag {summary.tag}" if summary.tag else ""
    per_object = f" ({requests / sent:.2f} per object{' and part' if summary.parts_sent else ''})" if sent else ""
    lines = [
        f"{count_text(summary.uploaded)} uploaded, {count_text(summary.skipped)} skipped, "
        f"{count_text(summary.failed)} failed of {count_text(summary.found)} found{tag}",
        f"{_bytes_text(summary)} in {summary.elapsed_s:.1f} s, {summary.objects_per_s:.0f} objects/s; "
        f"{counted(requests, 'request')}{per_object} over {counted(summary.connections, 'connection')}, "
        f"{counted(summary.retries, 'retry', 'retries')}",
    ]
    if summary.pacing is not None:
        lines.append(pacing_text(summary.pacing))
    for reason, count in summary.compressed_by_reason.items():
        lines.append(f"  compressed {count_text(count)}: {reason}")
    for reason, count in summary.left_alone_by_reason.items():
        lines.append(f"  not compressed {count_text(count)}: {reason}")
    for reason, count in summary.skipped_by_reason.items():
        lines.append(f"  skipped {count_text(count)}: {reason}{_HINTS.get(reason, '')}")
    lines += _left_out(summary)
    if summary.snapshots:
        lines.append(f"  snapshots {count_text(summary.snapshots)}: written to while they were read")
    lines += of_a_mirror
    lines += _large_lines(summary)
    if not summary.adds_up:
        lines.append("these numbers do not add up: a bug in bulkput, do not trust this run; please report it")
    return lines


def _large_lines(summary: Summary) -> list[str]:
    """What was sent in parts, and what was left of it."""
    lines = []
    if summary.large_sent:
        found = f", {count_text(summary.parts_found)} there already" if summary.parts_found else ""
        lines.append(f"  large {count_text(summary.large_sent)}: {counted(summary.parts_sent, 'part')} sent{found}")
    if summary.large_unfinished:
        parts = f"{counted(summary.parts_left, 'part')} ({size_text(summary.parts_left_bytes)})"
        lines.append(f"  unfinished {count_text(summary.large_unfinished)}: {parts} kept for the same command again")
    if summary.uploads_abandoned:
        uploads = f"{counted(summary.parts_abandoned, 'part')} of {counted(summary.uploads_abandoned, 'upload')}"
        lines.append(f"  not used {uploads}: of pipes, changed files or earlier runs; {_LISTS}")
    if summary.large_overwritten:
        lines.append(
            f"  overwritten {count_text(summary.large_overwritten)}: large objects before, whose segments stay"
            f" (named above, and in the summary); {_LISTS}"
        )
    if summary.segments_removed:
        lines.append(f"  removed {counted(summary.segments_removed, 'segment')} of overwritten large objects")
    if summary.segments_in_doubt:
        lines.append(f"  not removed: {counted(summary.segments_in_doubt, 'segment')} (named above)")
    return lines


def _of_a_mirror(summary: Summary) -> tuple[str, list[str]]:
    if not summary.is_of_mirror:
        return "", []
    from bulkput.report.mirror_lines import mirror_told  # noqa: PLC0415 - only mirrors tell this

    return mirror_told(summary)


def _left_out(summary: Summary) -> list[str]:
    count = summary.empty_directories
    directories = counted(count, "empty directory", "empty directories")
    lines = [f"  left out {directories} (`dir_markers=True` makes an object for each directory)"] if count else []
    if summary.workers_lost:
        whose = "its" if summary.workers_lost == 1 else "their"
        again = f"{whose} files were sent again" if not summary.stopping else "not all of their files are sent"
        lines.append(f"  {counted(summary.workers_lost, 'worker')} lost: {again}")
    if summary.shard is not None:
        others = f"left out {counted(summary.elsewhere, 'file')} of other shards: " if summary.elsewhere else ""
        lines.append(f"  {others}this was shard {summary.shard}")
    return lines


def pacing_text(pacing: Pacing) -> str:
    """What was asked for, what was reached, and whether that was the limit of the run."""
    parts = []
    if (asked := pacing.objects_per_s) is not None:
        parts.append(f"{rate_text(pacing.reached_objects_per_s)} of {rate_text(asked)} requests")
    if (asked := pacing.bytes_per_s) is not None:
        parts.append(f"{size_text(pacing.reached_bytes_per_s)}/s of {size_text(asked)}/s")
    shared = " (shared with other runs)" if pacing.is_shared else ""
    return f"  rates: {', '.join(parts)}{shared}; requests waited for them {pacing.waited_share:.0%} of the time"


def _bytes_text(summary: Summary) -> str:
    """Bytes sent; if files were compressed, the bytes read and stored, and the ratio."""
    sent = size_text(summary.bytes_sent)
    if not summary.compressed_by_reason or summary.ratio is None:
        return sent
    return f"{size_text(summary.bytes_read)} stored as {size_text(summary.bytes_stored)} (ratio {summary.ratio:.2f})"
