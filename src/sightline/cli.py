"""The `sightline` command line: the list of commands, and the exit status of each."""

import io
import os
import select
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from types import TracebackType
from typing import NoReturn

from sightline.commands import command_names, load_command, run_command
from sightline.config.command import SECTIONS
from sightline.errors import Interrupted, UserError, did_you_mean

USAGE = """\
usage: sightline COMMAND [OPTIONS]

Train and compare image classifiers; everything is logged to MLflow.
{commands}

`sightline COMMAND --help` describes a command and its options.

examples:
  sightline train
  sightline train label_mode=multilabel trainer.max_epochs=10
  sightline train -m model=cnn,timm seed=1,2,3
"""


def usage() -> str:
    """The text of `sightline --help`: the commands by section."""
    commands = {name: load_command(name) for name in command_names()}
    wide = max(map(len, commands))
    lines: list[str] = []
    for section in SECTIONS:
        lines += ["", f"{section}:"]
        for name, command in commands.items():
            if command.section == section:
                lines.append(f"  {name:{wide}}  {command.help}")
    return USAGE.format(commands="\n".join(lines))


def main() -> int:
    """Run one command; the exit status is 0, 1 (failed), 2 (usage) or 128 + signal."""
    _adapt_to_environment()
    sys.excepthook = _print_redacted
    try:
        return _command(sys.argv[1:])
    except BrokenPipeError:
        if not _reader_ended():
            raise
        return 128 + signal.SIGPIPE


def _command(arguments: Sequence[str]) -> int:
    """Run the command, or print what there is."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage(), end="")
        return 0 if arguments else 2
    if arguments[0] == "--version":
        from sightline import __version__

        print(f"sightline {__version__}")
        return 0
    name, *words = arguments
    names = command_names()
    if name not in names:
        print(f"sightline: unknown command {name!r}.{did_you_mean(name, names)}\n", usage(),
              sep="\n", end="", file=sys.stderr)  # fmt: skip
        return 2
    return _run(name, words)


def _adapt_to_environment() -> None:
    """Make no error of what a console cannot show, or of a library's warning."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A file's name that is not UTF-8 is shown escaped.
            utf_8 = stream.encoding.lower().replace("-", "") == "utf8"
            stream.reconfigure(errors="backslashreplace" if utf_8 else "replace")
    if any(option.startswith("error") for option in sys.warnoptions):  # PYTHONWARNINGS=error
        os.environ.pop("PYTHONWARNINGS", None)  # for the processes that are started
        warnings.resetwarnings()  # to Python's own filters
        for kind in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", kind)


def _print_redacted(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print an error that nobody expected, with its stack trace, without secrets."""
    print(_shown("".join(traceback.format_exception(kind, error, trace))), end="", file=sys.stderr)


def _shown(text: str) -> str:
    from sightline.io.printable import printable
    from sightline.io.redaction import redact

    return printable(redact(text))


def _run(name: str, words: Sequence[str]) -> int:
    """Run a command; an error that the user can fix is one line on standard error."""
    debug = os.environ.get("SIGHTLINE_DEBUG") == "1"
    try:
        return run_command(name, words)
    except UserError as error:
        message = traceback.format_exc().rstrip() if debug else f"Error: {error}"
        print(_shown(message), file=sys.stderr)
        return 1
    except OSError as error:
        if error.filename is None or debug:
            raise
        message = f"Error: Cannot use {error.filename}: {error.strerror}."
        print(_shown(message), file=sys.stderr)
        return 1
    except Interrupted as interrupt:
        return 128 + interrupt.signum
    except KeyboardInterrupt:
        return 130


def _reader_ended() -> bool:
    """Whether the output goes to a program that has ended, as `head` does."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def program() -> NoReturn:
    """Run one command, and end without taking apart what was imported, which takes a second."""
    from sightline.io.forked import run_main

    run_main(main)


if __name__ == "__main__":
    program()
