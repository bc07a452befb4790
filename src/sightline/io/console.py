"""What a person reads while a run goes on: log lines that get along with a progress bar."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich import get_console

from sightline.cluster.ranks import rank


@contextmanager
def log_to_console() -> Iterator[None]:
    """Inside, log lines go to the console."""
    handler = ConsoleHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
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
    """Inside, log lines go to the console, and with their time to a file; from rank 0 alone."""
    to_console, to_file = ConsoleHandler(), LogFile(file, encoding="utf-8")
    to_console.setFormatter(logging.Formatter("%(message)s"))
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.INFO)
    for handler in (to_console, to_file):
        handler.addFilter(lambda _: rank() == 0)  # of several processes the first speaks
        root.addHandler(handler)
    try:
        yield
    finally:
        root.setLevel(level)
        for handler in (to_console, to_file):
            root.removeHandler(handler)
        to_file.close()


class LogFile(logging.FileHandler):
    """A log file that a full disk cuts short, without a stack trace for each line."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Leave the line out; whoever writes what matters says what is wrong."""


class ConsoleHandler(logging.Handler):
    """Log lines on standard output through rich, so that a live progress bar stays below them."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record, never wrapped or coloured."""
        style = "yellow" if record.levelno == logging.WARNING else None
        get_console().print(
            self.format(record), style=style, markup=False, highlight=False, soft_wrap=True
        )
