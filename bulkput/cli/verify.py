"""`bulkput verify SOURCE... DEST`"""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import click

from bulkput.cli.configured import is_typed
from bulkput.cli.connection import connection_options
from bulkput.cli.flags import in_flags
from bulkput.cli.gzip import gzip_options
from bulkput.cli.help import Verb
from bulkput.cli.output import flush, own_output, say, write_line, write_row
from bulkput.cli.values import OneOf, Url, refuse_odd
from bulkput.cli.walk import split, walk_options
from bulkput.errors import UsageError, printable
from bulkput.events import Emit, Event, Finding, Verdict
from bulkput.options import FileListOptions, GzipOptions, RetryOptions, WalkOptions, WireOptions
from bulkput.report.lines import count_text, counted, event_line
from bulkput.verb_options import ManifestOptions, VerifyOptions
from bulkput.verb_results import Comparison

if TYPE_CHECKING:
    from bulkput.engine.stop import Stop


@click.command(cls=Verb)
@click.argument("paths", metavar="SOURCE... DEST", nargs=-1, type=Url(is_last=True))
@click.option(
    "--journal",
    metavar="FILE",
    help="Strike what is not identical from the upload's journal: the next upload sends it.",
)
@click.option(
    "--manifest",
    type=Url(),
    help="Instead of SOURCE and DEST: compare what the manifest at this URL lists (upload --write-manifest).",
)
@click.option("--quick", "is_quick", is_flag=True, help="Compare sizes only. No file is read.")
@walk_options
@click.option("--literal", is_flag=True, help="Accept //, . and .. in DEST as parts of object names.")
@click.option(
    "--encode-names",
    type=OneOf(["strict", "percent"]),
    default="strict",
    help="As in the upload. percent sorts the names on disk first, in TMPDIR.",
    show_default=True,
)
@click.option("--dir-markers", is_flag=True, help="As in the upload: each directory must have its marker.")
@gzip_options("As in the upload: --gzip-as suffix gives objects other names than the files.")
@connection_options("HEAD requests in flight, for objects that the listing does not decide. auto is 64.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object per name that is not identical, the numbers last.",
)
@click.option("-q", "--quiet", is_flag=True, help="Do not print the numbers on stderr.")
def verify(
    *,
    paths: tuple[str, ...],
    journal: str | None,
    manifest: str | None,
    is_quick: bool,
    walk: WalkOptions,
    files: FileListOptions | None,
    fail_if_empty: bool,
    literal: bool,
    encode_names: Literal["strict", "percent"],
    dir_markers: bool,
    gzip: GzipOptions,
    wire: WireOptions,
    retry: RetryOptions,
    as_json: bool,
    quiet: bool,
) -> int:
    """Compare files and directories with the objects at DEST.

    SOURCE, DEST and the options about names mean what they mean in upload. DEST is listed (plain HTTP has
    no listing), in Swift by one request per 10 000 objects. Each file is read and its MD5 compared. Each name that is
    not identical is a line:

    \b
    missing NAME               not in the store
    extra NAME                 only in the store
    different NAME (why)       other bytes
    not comparable NAME (why)  in the store, but nothing proves its bytes
    unreadable PATH: why       the file could not be read, or changed while it was read

    Where the listing does not decide, a HEAD does: compressed objects are compared by the source's MD5 in their
    metadata, large objects by the MD5s of their segments.
    SOURCE may be a URL: a copy from store to store is compared by two listings (docs/store-to-store.md).

    Filters apply to objects too: what they leave out is neither compared nor extra. A directory claims everything
    below DEST, a single file only its own name.

    With --manifest no file is read: sizes, MD5s and types in it are compared. What it does not name is not extra.

    Exit codes: 0 everything is identical, 1 something is not, 2 usage, 3 the store failed, 130 interrupted.
    """
    if manifest is not None:
        _refuse_others(paths)
        compared = _manifest_compared(manifest, ManifestOptions(wire=wire, retry=retry), as_json=as_json)
        return _ended(compared, manifest, is_quiet=quiet)
    sources, destination = _places(paths, files, is_literal=literal)
    options = VerifyOptions(
        is_quick=is_quick,
        walk=replace(walk, own_output=own_output()),
        files=files,
        encode_names=encode_names,
        dir_markers=dir_markers,
        gzip=gzip,
        journal=journal,
        retry=retry,
        wire=wire,
    )
    compared = _compared(sources, destination, options, as_json=as_json)
    return _ended(compared, destination, is_quiet=quiet, fails_if_empty=fail_if_empty)


def _places(paths: tuple[str, ...], files: FileListOptions | None, *, is_literal: bool) -> tuple[tuple[str, ...], str]:
    """The sources and the destination. Raises UsageError."""
    sources, destination = split(paths, files, verb="verify")
    if not is_literal:
        refuse_odd(destination)
    return sources, destination


_FIT_MANIFEST = frozenset(
    (
        "manifest",
        "concurrency",
        "retries",
        "first_retries",
        "timeout",
        "cloud",
        "insecure",
        "profile",
        "as_json",
        "quiet",
    )
)


def _refuse_others(paths: tuple[str, ...]) -> None:
    """Raises UsageError for what is typed beside --manifest and would change nothing."""
    if paths:
        raise UsageError("--manifest takes the place of SOURCE and DEST: bulkput verify --manifest swift://c/NAME")
    for param in click.get_current_context().command.params:
        if param.name is not None and param.name not in _FIT_MANIFEST and is_typed(param.name):
            flag = max(param.opts, key=len)
            raise UsageError(f"{flag} and --manifest exclude each other: no file is read or named. Leave out {flag}")


def _ended(comparison: Comparison, destination: str, *, is_quiet: bool, fails_if_empty: bool = False) -> int:
    """Print the outcome and the numbers on stderr. Returns the exit code."""
    from bulkput.stores.base import Destination  # noqa: PLC0415 - asyncio, which `_shown` has imported

    if not comparison.is_container_there:
        where = Destination.parse(destination)
        say(f"bulkput: there is no {where.noun} {printable(where.root)}: nothing is stored at {printable(destination)}")
    if comparison.is_empty:
        left_out = " but those that are left out" if comparison.skipped or comparison.ignored else ""
        say(f"bulkput: nothing was compared: there are no files and no objects with these names{left_out}")
    for line in [] if is_quiet else _summary_lines(comparison):
        say(line)
    if fails_if_empty and comparison.is_empty:
        say("failed: no file was found")
        return 1
    return comparison.exit_code


def _shown(compare: "Callable[[Emit, Stop], Coroutine[Any, Any, Comparison]]", *, as_json: bool) -> Comparison:
    """Compare, and print findings on stdout as they come."""
    from bulkput.cli.loop import run_stoppable  # noqa: PLC0415 - asyncio, and what follows

    def show(event: Event) -> None:
        if not isinstance(event, Finding):
            _say(event)
        elif as_json:
            write_row(event.as_json())
        else:
            write_line(_line(event))

    comparison = run_stoppable(lambda stop: compare(show, stop), at_exit=_nothing)
    if as_json:
        write_row(comparison.as_json())
    flush()
    return comparison


def _manifest_compared(url: str, options: ManifestOptions, *, as_json: bool) -> Comparison:
    from bulkput.engine.verify.manifest import verify_manifest  # noqa: PLC0415 - brings aiohttp

    return _shown(
        lambda show, stop: verify_manifest(url, options=options, on_event=show, stop=stop),
        as_json=as_json,
    )


def _compared(sources: tuple[str, ...], destination: str, options: VerifyOptions, *, as_json: bool) -> Comparison:
    from bulkput.engine.descriptors import fitting_concurrency  # noqa: PLC0415
    from bulkput.engine.verify.verify import verify as compare  # noqa: PLC0415 - brings aiohttp

    options, advice = fitting_concurrency(options)
    if advice is not None:
        say(advice)
    return _shown(
        lambda show, stop: compare(sources, destination, options=options, on_event=show, stop=stop),
        as_json=as_json,
    )


def _say(event: Event) -> None:
    if (line := event_line(event, verbose=False)) is not None:
        say(line)


def _nothing() -> None:
    """For `at_exit`: nothing to clean up."""


def _line(finding: Finding) -> str:
    what, said = finding.verdict.value.replace("_", " "), printable(in_flags(finding.why))
    if finding.verdict is Verdict.UNREADABLE:
        return f"{what} {printable(finding.path or b'')}: {said}"
    why = f" ({said})" if said else ""
    return f"{what} {printable(finding.name or '')}{why}"


def _summary_lines(comparison: Comparison) -> list[str]:
    counts = (
        (comparison.different, "different"),
        (comparison.missing, "missing"),
        (comparison.extra, "extra"),
        (comparison.not_comparable, "not comparable"),
        (comparison.unreadable, "unreadable"),
    )
    others = "".join(f", {count_text(count)} {what}" for count, what in counts if count)
    requests = sum(comparison.requests.values())
    lines = [
        f"{count_text(comparison.identical)} identical{others}; "
        f"{counted(requests, 'request')} in {comparison.elapsed_s:.1f} s"
    ]
    if comparison.skipped or comparison.ignored:
        here = counted(comparison.skipped, "entry", "entries")
        lines.append(f"  not compared: {here} here, {counted(comparison.ignored, 'object')}")
    return lines
