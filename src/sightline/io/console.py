"""Log lines on the console, above a live progress bar, and in a log file."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich import get_console

from sightline.cluster.ranks import rank
from sightline.io.printable import printable
from sightline.io.redaction import redact


@contextmanager
def log_to_console() -> Iterator[None]:
    """Send log lines to the console, inside the context."""
    handler = ConsoleHandler()
    handler.setFormatter(RedactingFormatter("%(message)s"))
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


@contextmanager
def log_to(file: Path) -> Iterator[None]:
    """Send log lines to the console, and with their time to a file; of rank 0 alone."""
    to_console, to_file = ConsoleHandler(), LogFile(file, encoding="utf-8")
    to_console.setFormatter(RedactingFormatter("%(message)s"))
    to_file.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.INFO)
    for handler in (to_console, to_file):
        handler.addFilter(lambda _: rank() == 0)  # one process writes for all
        root.addHandler(handler)
    try:
        yield
    finally:
        root.setLevel(level)
        for handler in (to_console, to_file):
            root.removeHandler(handler)
        to_file.close()


class RedactingFormatter(logging.Formatter):
    """A formatter of log lines, tracebacks included, without secrets and control characters."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        return printable(redact(super().format(record)))


class LogFile(logging.FileHandler):
    """A log file that a full disk truncates, without a stack trace for each line."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Drop the line: the writer of the results reports the full disk."""


class ConsoleHandler(logging.Handler):
    """Log lines on standard output through rich, which keeps a live progress bar below them."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record: not wrapped, and coloured only where it is a warning."""
        style = "yellow" if record.levelno == logging.WARNING else None
        get_console().print(
            self.format(record), style=style, markup=False, highlight=False, soft_wrap=True
        )
