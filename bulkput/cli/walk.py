"""The flags about what of the sources is taken, which are several verbs'."""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import click

from bulkput.cli.configured import is_typed
from bulkput.cli.values import Duration, Size
from bulkput.errors import UsageError
from bulkput.options import FileListOptions, WalkOptions


def walk_options(verb: Callable[..., int]) -> Callable[..., int]:
    """Give a verb the options about what is taken: those of filters as `walk`, those of a list as `files`."""
    return _filter_options(_list_options(verb))


def _filter_options(verb: Callable[..., int]) -> Callable[..., int]:
    @click.option(
        "--include", multiple=True, metavar="GLOB", help="Take only files that match. Gitignore syntax, repeatable."
    )
    @click.option(
        "--exclude", multiple=True, metavar="GLOB", help="Leave out files that match. Repeatable, wins over --include."
    )
    @click.option(
        "--include-from", multiple=True, metavar="FILE", help="Read --include patterns from FILE, one a line."
    )
    @click.option(
        "--exclude-from",
        multiple=True,
        metavar="FILE",
        help="Read --exclude patterns from FILE, for example .gitignore.",
    )
    @click.option(
        "--min-age",
        type=Duration(),
        help="Take only files last written this long ago or longer: 90 (seconds), 12h, 7d.",
    )
    @click.option("--max-age", type=Duration(), help="Take only files last written this long ago or less.")
    @click.option("--min-size", type=Size(), help="Take only files of this size or larger: 4096 (bytes), 64K, 32M, 1G.")
    @click.option("--max-size", type=Size(), help="Take only files of this size or smaller.")
    @click.option("--one-file-system", is_flag=True, help="Do not enter directories that are mounted into SOURCE.")
    @click.option("--follow-symlinks", is_flag=True, help="Follow all links: also out of SOURCE and to directories.")
    @wraps(verb)
    def with_filters(
        *,
        include: tuple[str, ...],
        exclude: tuple[str, ...],
        include_from: tuple[str, ...],
        exclude_from: tuple[str, ...],
        min_age: int | None,
        max_age: int | None,
        min_size: int | None,
        max_size: int | None,
        one_file_system: bool,
        follow_symlinks: bool,
        **others: Any,
    ) -> int:
        walk = WalkOptions(
            include=(*include, *_patterns("--include-from", include_from)),
            exclude=(*exclude, *_patterns("--exclude-from", exclude_from)),
            min_age_s=min_age,
            max_age_s=max_age,
            min_size=min_size,
            max_size=max_size,
            one_file_system=one_file_system,
            follow_symlinks=follow_symlinks,
        )
        return verb(walk=walk, **others)

    return with_filters


def _list_options(verb: Callable[..., int]) -> Callable[..., int]:
    @click.option(
        "--files-from",
        metavar="FILE",
        help="Upload the files named in FILE, one a line, instead of SOURCE. - is stdin.",
    )
    @click.option(
        "--null", "is_null", is_flag=True, help="Names in --files-from end with NUL, as find -print0 writes them."
    )
    @click.option(
        "--base", metavar="DIR", help="Names in --files-from are relative to DIR. Default: the current directory."
    )
    @click.option(
        "--fail-if-empty", is_flag=True, help="Exit with 1 when no file is found. Without it that is a warning."
    )
    @wraps(verb)
    def with_list(*, files_from: str | None, is_null: bool, base: str | None, **others: Any) -> int:
        if files_from is None and (is_null or base is not None) and is_typed("is_null", "base"):
            raise UsageError("--null and --base need --files-from")
        files = FileListOptions(path=files_from, base=base or ".", is_null=is_null) if files_from is not None else None
        return verb(files=files, **others)

    return with_list


def split(paths: tuple[str, ...], files: FileListOptions | None, *, verb: str) -> tuple[tuple[str, ...], str]:
    """The sources and the destination. Raises UsageError when one of them is missing, or when DEST comes first."""
    if len(paths) >= (2 if files is None else 1):
        if "://" in paths[0] and "://" not in paths[-1]:
            from bulkput.cli.mistakes import dest_comes_last  # noqa: PLC0415 - for mistakes only

            raise dest_comes_last(verb, paths)
        return paths[:-1], paths[-1]
    if files is not None:
        raise UsageError(
            f"{verb} wants a DEST: bulkput {verb} --files-from list --base ./dist swift://container/prefix"
        )
    raise UsageError(f"{verb} wants one SOURCE or more, and a DEST: bulkput {verb} ./dist swift://container/prefix")


def _patterns(flag: str, paths: tuple[str, ...]) -> Iterator[str]:
    """The lines of these files, without comments and empty ones. Raises UsageError."""
    for path in paths:
        try:
            with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
                for line in file:
                    pattern = line.rstrip("\n")
                    if pattern.strip() and not pattern.startswith("#"):
                        yield pattern
        except OSError as error:
            raise UsageError(f"{flag} {path}: {error.strerror}") from None
