"""Help for a command line that has no verb of ours: the verb that was meant, or the one that does it here.

The words are those of other tools; docs/coming-from.md has whole commands. A test says that each verb and flag named
here exists.
"""

import os
import re
import shlex
from collections.abc import Collection, Sequence
from itertools import takewhile

import click

from bulkput.errors import UsageError, printable
from bulkput.policy.nearest import did_you_mean

_FLAGS = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")
_WORDS = (
    ("put push send store copyto add", "bulkput upload sends files and directories"),
    (
        "sync mirror rsync bisync",
        "bulkput upload --skip unchanged sends what has changed; with --delete-extra it also removes what has no file",
    ),
    ("copy", "bulkput upload sends files; bulkput cp copies objects within the store"),
    ("move moveto rename ren", "bulkput mv moves and renames objects within the store"),
    ("delete del remove erase unlink deletefile", "bulkput rm removes an object, bulkput rm -r all below a prefix"),
    ("purge rmdir rmdirs rb", "bulkput rm -r removes all below a prefix; the container itself stays"),
    ("list dir ll la lsf lsl lsd lsjson tree find", "bulkput ls lists one level, bulkput ls -r everything"),
    ("stat head info size du ncdu", "bulkput ls -l shows sizes, times and types, bulkput ls -r --json all of them"),
    (
        "check diff cmp compare checksum hashsum md5sum cryptcheck",
        "bulkput verify compares files with objects by MD5, bulkput verify --quick by size",
    ),
    (
        "mb mkdir make create mkcontainer post",
        "bulkput upload makes the container if it does not exist, and with --make-bucket a bucket",
    ),
    ("get download fetch pull cat save restore", "bulkput does not download; rclone copy and swift download do"),
    (
        "presign signurl sign link",
        "bulkput tempurl makes a URL of Swift's, with which others upload or download for a while; aws s3 presign makes"
        " one of S3's",
    ),
    ("pipe rcat", "bulkput upload - DEST sends what it reads from stdin"),
    ("resume continue retry", "bulkput upload --journal FILE; the same command again sends only the rest"),
    (
        "cleanup dedupe backend",
        "bulkput segments --reap removes segments that no large object reads, and unfinished uploads",
    ),
    ("benchmark speedtest perf", "bulkput bench measures an upload to your own store"),
    ("server run", "bulkput serve runs a small local Swift"),
    ("help usage", "bulkput --help lists the verbs, bulkput VERB --help explains one"),
    ("version about", "bulkput --version prints it"),
    ("complete autocomplete bash_completion", "bulkput completion SHELL prints the completion script"),
)
ELSEWHERE = {word: here for words, here in _WORDS for word in words.split()}
"""What other tools call a verb, and what does it here."""

FLAGS_ELSEWHERE = {
    "--transfers": "--concurrency N",
    "--checkers": "--concurrency N",
    "--numworkers": "--concurrency N",
    "--object-threads": "--concurrency N",
    "--parallel": "--concurrency N",
    "--jobs": "--concurrency N",
    "--tpslimit": "--rate 50/s",
    "--bwlimit": "--bandwidth 10M/s",
    "--limit-rate": "--bandwidth 10M/s",
    "--traffic-control-url": "--rate-shared SERVICE",
    "--skip-identical": "--skip identical",
    "--changed": "--skip unchanged",
    "--update": "--skip unchanged",
    "--size-only": "--skip unchanged",
    "--if-size-differ": "--skip unchanged",
    "--ignore-existing": "--skip existing",
    "--no-clobber": "--skip existing",
    "--no-overwrite": "--if-exists skip",
    "--immutable": "--if-exists differs",
    "--content-encoding": "--header 'Content-Encoding: ...', or --gzip auto, which compresses",
    "--expires": "--header 'Expires: ...', or --expires-in TIME in Swift, which then deletes the object",
    "--content-disposition": "--header 'Content-Disposition: ...', or --rules FILE",
    "--backup-dir": "--delete-extra --keep-for TIME, or --expire-extra TIME",
    "--max-delete": "--yes, without which --delete-extra takes 1000 objects at most; no flag sets another number",
    "--object-name": "DEST without a / at its end",
    "--metadata": "--meta NAME:VALUE",
    "--files-from-raw": "--files-from FILE",
    "--files-from0": "--files-from FILE --null",
    "--expected-size": "--expect-size SIZE",
    "--no-check-certificate": "--insecure",
    "--no-verify-ssl": "--insecure",
    "--only-show-errors": "-q",
    "--log-level": "-v for more, or -q for failures alone",
    "--stats": "--progress plain",
    "--part-size": "--segment-size SIZE",
    "--s3-chunk-size": "--segment-size SIZE",
    "--abort": "--reap",
    "--use-slo": "--large slo",
    "--acl": "--header 'x-amz-acl: public-read'",
    "--storage-class": "--header 'x-amz-storage-class: STANDARD_IA', or --rules FILE",
    "--sse": "--header 'x-amz-server-side-encryption: AES256', or aws:kms",
    "--sse-kms-key-id": "--header 'x-amz-server-side-encryption-aws-kms-key-id: KEY'",
    "--tags": "--header 'x-amz-tagging: NAME=VALUE'",
    "--tagging": "--header 'x-amz-tagging: NAME=VALUE'",
    "--checksum-algorithm": "--checksum sha256",
    "-n": "--dry-run, or --skip existing",
    "-r": "a directory as SOURCE, which is taken with all below it",
    "--recursive": "a directory as SOURCE, which is taken with all below it",
}
"""What other tools call a flag of upload or segments, and what does it here.

If it is only spelt otherwise, click finds it."""

VARIABLES_ELSEWHERE = {
    "--endpoint-url": "AWS_ENDPOINT_URL=https://HOST",
    "--endpoint": "AWS_ENDPOINT_URL=https://HOST",
    "--region": "AWS_REGION=NAME, or OS_REGION_NAME=NAME",
    "--no-sign-request": "AWS_SKIP_SIGNATURE=true",
    "--aws-profile": "AWS_PROFILE=NAME",
    "--credentials-file": "AWS_SHARED_CREDENTIALS_FILE=FILE",
    "--ca-bundle": "AWS_CA_BUNDLE=FILE, or OS_CACERT=FILE",
    "--cacert": "OS_CACERT=FILE, or AWS_CA_BUNDLE=FILE",
    "--sse-c": "BULKPUT_S3_SSE_C_KEY=KEY",
    "--sse-c-key": "BULKPUT_S3_SSE_C_KEY=KEY",
    "--sse-customer-key": "BULKPUT_S3_SSE_C_KEY=KEY",
}
"""Flags of other tools for any command, in whose place bulkput has a variable of the environment."""


def no_such_verb(words: Sequence[str], verbs: Collection[str]) -> UsageError:
    """The error for a command line whose first word is no verb."""
    word = words[0]
    if word == "-" or "/" in word:
        return UsageError(f"the verb is missing: {_with_verb(words)}")
    if (here := ELSEWHERE.get(word.lower())) is not None:
        return UsageError(f"no such verb {word!r}: {here}")
    if os.path.exists(word):
        return UsageError(f"the verb is missing: {_with_verb(words)}")
    near = did_you_mean(word, verbs)
    return UsageError(f"no such verb {word!r}{near or ': bulkput --help lists the verbs'}")


def _with_verb(words: Sequence[str]) -> str:
    """The command that probably was meant. It ends before the first flag, because values of flags may be secret."""
    names = list(takewhile(lambda word: word == "-" or not word.startswith("-"), words))
    is_url = ["://" in name for name in names]
    if all(is_url):
        verb, missing = ("ls", []) if len(names) == 1 else ("cp", [])
    else:
        verb, missing = "upload", [] if any(is_url) else ["DEST"]
        names.sort(key=lambda name: "://" in name)  # DEST comes last
    rest = ["..."] if len(names) < len(words) else missing
    return " ".join(["bulkput", verb, *map(_shown, names), *rest])


def _shown(name: str) -> str:
    """A word to paste into a shell; of a URL that may hold a password or a signature, only its scheme."""
    scheme, separator, rest = name.partition("://")
    return f"{scheme}://..." if separator and ("@" in rest or "?" in rest) else shlex.quote(printable(name))


def explained(error: click.ClickException, words: Sequence[str]) -> click.ClickException:
    """The same error, or a clearer one: for a flag before its verb, and for a flag of another tool.

    `words` is the command line.
    """
    if not isinstance(error, click.NoSuchOption) or error.ctx is None:
        return error
    flag, ctx = error.option_name, error.ctx
    if isinstance(ctx.command, click.Group):
        verb = next((word for word in words if word in ctx.command.list_commands(ctx)), "upload")
        command = ctx.command.get_command(ctx, verb)
        if command is not None and any(flag in each.opts for each in command.params):
            return click.UsageError(f"{flag} goes after the verb: bulkput {verb} {flag} ...", ctx)
    elif flag in VARIABLES_ELSEWHERE:
        return click.UsageError(f"No such option {flag!r}: here it is a variable, {VARIABLES_ELSEWHERE[flag]}", ctx)
    elif (here := FLAGS_ELSEWHERE.get(flag)) is not None and _has(ctx.command, here):
        return click.UsageError(f"No such option {flag!r}: here it is {here}", ctx)
    return error


def _has(command: click.Command, here: str) -> bool:
    """Whether all that is pointed to is of this verb, too."""
    flags = {flag for each in command.params for flag in each.opts}
    takes_sources = command.name in ("upload", "verify")
    return set(_FLAGS.findall(here)) <= flags and (takes_sources or not ("SOURCE" in here or "DEST" in here))


def dest_comes_last(verb: str, paths: Sequence[str]) -> UsageError:
    """The error for a DEST before the sources."""
    note = " (which sends files: bulkput does not download)" if verb == "upload" else ""
    return UsageError(f"DEST comes last: bulkput {verb} {' '.join(map(_shown, (*paths[1:], paths[0])))}{note}")


def refuse_local(verb: str, source: str, dest: str) -> None:
    """Raises UsageError if a copy within the store is given a path of this machine."""
    if _is_local(source):
        raise UsageError(f"{printable(source)} is a file here, and {verb} takes objects: bulkput upload sends files")
    if _is_local(dest):
        raise UsageError(
            f"{printable(dest)} is a path here, and {verb} stays within the store: bulkput does not download"
        )


def _is_local(name: str) -> bool:
    return "://" not in name and (name.startswith(("/", "./", "../")) or os.path.exists(name))
