"""`bulkput VERB`: finds the verb, and turns errors into one line and an exit code.

0 all there · 1 some objects failed · 2 usage or configuration · 3 the run stopped · 130 interrupted
"""

import errno
import io
import os
import sys
import traceback
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn, cast

import click

from bulkput import __version__
from bulkput.cli.output import (
    CannotWriteError,
    annotate_error,
    discard_stdout,
    escape_what_does_not_fit,
    flush,
    is_in_github,
    no_command,
    open_missing_streams,
    say,
    write_to_stderr,
)
from bulkput.errors import BulkputError, UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_VERBS = {
    "upload": "Upload files and directories to an object store.",
    "verify": "Compare files and directories with what is stored.",
    "status": "Print what the journal of an upload holds.",
    "ls": "List what is stored: objects, containers, buckets.",
    "cp": "Copy objects within the store.",
    "mv": "Move or rename objects within the store.",
    "rm": "Remove objects.",
    "segments": "List or remove parts of large objects that nothing reads.",
    "tempurl": "Make a temporary URL, with which others upload.",
    "config": "Show the values of options, and where they come from.",
    "logs": "Count the requests in access logs.",
    "doctor": "Look at each step to a store: what is wrong, and what to do?",
    "bench": "Measure your own store: what limits an upload?",
    "rate": "Share one rate among independent runs.",
    "serve": "Run a small local Swift, for trying things out.",
    "completion": "Print the script that completes commands in your shell.",
    "demo": "Upload 1000 files in three ways, and compare.",
}


class _Verbs(click.Group):
    """Imports a verb's module when it is called, so that `bulkput --help` answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        verb = cast(click.Command, getattr(import_module(f"bulkput.cli.{cmd_name}"), cmd_name))
        if not ctx.resilient_parsing:
            return verb
        from bulkput.cli.completion import offering  # noqa: PLC0415 - for a TAB only

        return offering(verb)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in _VERBS and not ctx.resilient_parsing:
            from bulkput.cli.mistakes import no_such_verb  # noqa: PLC0415 - for mistakes only

            raise no_such_verb(args, _VERBS)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem[Any]]":
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - for a TAB only

        # click's own would import the modules of all verbs.
        verbs = [CompletionItem(name, help=text) for name, text in _VERBS.items() if name.startswith(incomplete)]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(_VERBS.items()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from bulkput.cli import environment  # noqa: PLC0415 - for --help only

        with formatter.section("Environment"):
            formatter.write_dl(environment.in_short(), col_max=34)


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="bulkput")
def bulkput() -> None:
    """Put very many files into an object store: fast, cheaply, and with nothing lost.

    \b
    bulkput upload ./dist swift://artifacts/build-42
    bulkput upload ./dist s3://artifacts/build-42
    bulkput ls -l swift://artifacts/build-42/
    bulkput ls s3://

    Destinations: swift://CONTAINER[/PREFIX], s3://BUCKET[/PREFIX], http(s)://HOST/PATH/ (plain PUT). Credentials come
    from the environment.

    Options may also come from BULKPUT_<OPTION>, bulkput.toml and ~/.config/bulkput/config.toml; a profile in these
    makes an alias: work:build-42. bulkput config shows what is set where.

    Exit codes: 0 all there, 1 some objects failed, 2 usage or configuration, 3 the run stopped (denied, quota,
    store gone, journal full), 130 interrupted.
    """


def main() -> NoReturn:
    """Run the command of `sys.argv`. Raises SystemExit with its exit code, always."""
    open_missing_streams()
    escape_what_does_not_fit()
    _prepare_for_a_tab()
    try:
        code = bulkput(prog_name="bulkput", standalone_mode=False)
        flush()
    except click.exceptions.Abort:  # Ctrl-C outside a run
        sys.exit(130)
    except click.ClickException as error:
        from bulkput.cli.mistakes import explained  # noqa: PLC0415 - for mistakes only

        _show(explained(error, sys.argv[1:]))
        sys.exit(error.exit_code)
    except SystemExit as ending:  # 1 is click's: the reader of its own output has gone
        _end(141 if ending.code == 1 else int(ending.code or 0), None)
    except CannotWriteError as error:
        # `| head` has what it wanted; the exit code is a shell's for any program there
        _end(*((141, None) if error.is_reader_gone else (3, str(error))))
    except UsageError as error:
        _end(2, str(error))
    except BulkputError as error:
        _end(3, str(error))
    except BrokenPipeError:
        _end(141, None)
    except OSError as error:  # click's own output; ours are CannotWriteErrors
        if error.errno != errno.ENOSPC:
            raise
        discard_stdout()
        _end(3, f"cannot write: {error.strerror}")
    except Exception:  # noqa: BLE001 - a bug; but exit code 1 would say "some objects failed"
        write_to_stderr(no_command(traceback.format_exc().rstrip("\n")))
        _end(3, "this is a bug in bulkput; please report it with the lines above")
    else:
        sys.exit(code if isinstance(code, int) else 0)


def _prepare_for_a_tab() -> None:
    """If a shell asks what may stand at the cursor, click answers it in our words."""
    if "_BULKPUT_COMPLETE" in os.environ:
        from bulkput.cli.completion import answer_shells  # noqa: PLC0415 - for a TAB only

        answer_shells()


def _end(code: int, message: str | None) -> NoReturn:
    if message is not None:
        say(f"bulkput: {message}")
        annotate_error(message)
    sys.exit(code)


def _show(error: click.ClickException) -> None:
    if not is_in_github():
        error.show()
        return
    shown = io.StringIO()
    error.show(shown)
    write_to_stderr(no_command(shown.getvalue().rstrip("\n")))
    annotate_error(error.format_message())
