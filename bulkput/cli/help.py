"""`--help` of a verb with many options: under headings, in the order of this table.

docs/options.md and the man pages have the same headings in the same order.
"""

from collections.abc import Iterator

import click

from bulkput.cli.configured import Configured

SECTIONS = {
    "What is taken": (
        "--recursive", "--with-segments", "--include", "--exclude", "--include-from", "--exclude-from",
        "--min-age", "--max-age", "--min-size", "--max-size", "--one-file-system", "--follow-symlinks",
        "--files-from", "--null", "--base", "--shard", "--shard-by", "--fail-if-empty", "--changing",
    ),
    "Object names": ("--literal", "--encode-names", "--dir-markers"),
    "What is stored with each object": (
        "--rules", "--header", "--meta", "--content-type", "--cache-control", "--expires-in", "--mtime-format",
        "--storage-policy", "--make-bucket", "--checksum", "--checksum-headers",
    ),
    "Compression": ("--gzip", "--gzip-level", "--gzip-as", "--gzip-except"),
    "Large files and pipes": (
        "--segment-size", "--segment-above", "--segment-container", "--large", "--reap-segments", "--expect-size",
        "--expect-md5",
    ),
    "What the store has already": (
        "--skip", "--check-expiry", "--delete-extra", "--keep-for", "--expire-extra", "--yes", "--quick",
    ),
    "Publishing": ("--last", "--if-exists", "--write-manifest", "--manifest", "--tag", "--keep-tag"),
    "Journal": ("--journal", "--retry-failed"),
    "Connections and limits": (
        "--cloud", "--concurrency", "--rate", "--rate-per-container", "--rate-shared", "--bandwidth", "--transport",
        "--retries", "--first-retries", "--timeout", "--processes", "--cluster", "--stalled-after", "--max-errors",
        "--fail-fast", "--insecure", "--profile",
    ),
    "Output": (
        "--dry-run", "--progress", "--json", "--print-urls", "--summary", "--summary-md", "--trace",
        "--status-page", "--report", "--verbose", "--quiet", "--help",
    ),
}  # fmt: skip
"""Each heading with its options, by their long names. A test says that every option of these verbs is here."""


class Verb(Configured):
    """A command whose options are listed under the headings of `SECTIONS`."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, records in self.sections(ctx):
            with formatter.section(heading):
                formatter.write_dl(records, col_max=34)

    def sections(self, ctx: click.Context) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        """Each heading with its options: how they are written, and the help text."""
        options = {max(each.opts, key=len): each for each in self.get_params(ctx) if isinstance(each, click.Option)}
        for heading, flags in SECTIONS.items():
            found = [options.pop(flag).get_help_record(ctx) for flag in flags if flag in options]
            if records := [record for record in found if record is not None]:
                yield heading, records
        # An option that the table has forgotten is shown all the same.
        if rest := [record for option in options.values() if (record := option.get_help_record(ctx)) is not None]:
            yield "Other options", rest
