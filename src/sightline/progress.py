"""What a person reads while a run goes on: log lines that get along with a progress bar."""

import logging

from rich import get_console

from sightline.ranks import rank


class FirstRank(logging.Filter):
    """Of several processes that train together, the first alone speaks."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this process may say it."""
        return rank() == 0


class ConsoleHandler(logging.Handler):
    """Log lines on standard output through rich, so that a live progress bar stays below them."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record, never wrapped or coloured."""
        style = "yellow" if record.levelno == logging.WARNING else None
        get_console().print(
            self.format(record), style=style, markup=False, highlight=False, soft_wrap=True
        )
