"""The `judge` command: one file per noun, put together here. Commands parse, call one function of the package, print.

Nothing heavy is imported before a command runs, so that `judge --help` stays fast; every error of the package ends in one
line on stderr and the exit code of its branch of the error tree.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from judge.errors import JudgeError

if TYPE_CHECKING:
    import typer

ABOUT = "Grade transcripts of AI agents for misaligned conduct, and say how far the verdicts may be trusted."

# Each command: where it lives, and its help in a line. Only the one that is asked for is imported, and for this list none.
COMMANDS = {
    "demo": ("demo:demo", "The whole product on packaged transcripts, offline, without a key."),
    "init": ("init:init", "Make a workspace: judge.toml, rubrics/, gold/ and calibration/."),
    "read": ("read:read", "What would be graded: id, harness, messages, tokens, warnings."),
    "grade": ("grade:grade", "Verdicts with verified quotes, kept in the ledger."),
    "verdicts": ("verdicts:verdicts", "List the verdicts in the ledger, the latest of each."),
    "show": ("verdicts:show", "One verdict: its findings, and its quotes in the transcript."),
    "calibrate": ("calibrate:calibrate", "Judges against labels: every figure; certify, verify."),
    "rates": ("calibrate:rates", "How often: naive, corrected for the judge's errors, bounded."),
    "compare": ("compare:compare", "By how much two judges or groups differ, and how surely."),
    "report": ("report:report", "One file: what was judged, what is missing, rates, cases."),
    "audit": ("audit:audit", "The page on this machine: read verdicts, label blind."),
    "gold": ("gold:app", "The gold set: labels, raters, splits, checks, imports."),
    "rubrics": ("rubrics:app", "What is judged: rubrics, clauses, lint, changes."),
    "ledger": ("ledger:app", "The record of every call and verdict: verify, export, import."),
    "doctor": ("doctor:doctor", "What is installed, which keys are set, what would fail."),
}


def print_help() -> None:
    """Print what `judge --help` says: every command with its line."""
    print(f"Usage: judge [OPTIONS] COMMAND [ARGS]...\n\n  {ABOUT}\n\nOptions:")
    print("  --version   Print the version.\n  -h, --help  Show this message and exit.\n\nCommands:")
    for name, (_, text) in COMMANDS.items():
        print(f"  {name:<10} {text}")
    print("\n  More on each: judge COMMAND --help. Begin with: judge demo")


def make_app(only: str | None = None) -> typer.Typer:
    """Put the command line together: every command, or one alone."""
    os.environ.setdefault("TYPER_USE_RICH", "0")
    import typer

    app = typer.Typer(
        name="judge",
        help=ABOUT,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    # Also keeps typer from taking a single command for the whole program.
    @app.callback()
    def top(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
        del version

    for name in [only] if only else COMMANDS:
        module, _, attribute = COMMANDS[name][0].partition(":")
        command = getattr(import_module(f"judge.cli.{module}"), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def __getattr__(name: str) -> Any:
    # `app`, for those who drive the command line from Python: all of it.
    if name == "app":
        return make_app()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def run(arguments: list[str]) -> None:
    """Do what the arguments ask for."""
    first = arguments[0] if arguments else "--help"
    if first in ("-h", "--help"):
        print_help()
    elif first == "--version":
        from importlib.metadata import version

        print(f"judge {version('transcript-judge')}")
    else:
        make_app(first if first in COMMANDS else None)(arguments)


def main() -> None:
    """Run the command line; every failure that the package knows ends in one message and its exit code."""
    # The matrices of a bootstrap are too small to be divided: a second thread of the linear algebra only spins.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        run(sys.argv[1:])
    except SystemExit as ended:
        _close_output()
        if not isinstance(ended.__context__, BrokenPipeError):  # which typer takes for a failure
            raise
    except JudgeError as error:
        print(f"judge: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        _close_output()
    except OSError as error:
        # What no command foresaw: a folder that is not there, a disk that is full. The place is all that a user can act on.
        where = f"{error.filename}: " if error.filename is not None else ""
        reason = error.strerror or error
        print(f"judge: {where}{reason}; name a file or folder that can be read or written", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("judge: stopped; what was done is kept, run the same command again to go on", file=sys.stderr)
        sys.exit(130)
    else:
        _close_output()


def _close_output() -> None:
    """Write out what is left. That its reader went away (`| head`) is no error, and Python must not complain at exit."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
