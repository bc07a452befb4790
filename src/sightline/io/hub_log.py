"""One log line for the hub's retries, which its client logs twice for each file and attempt."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

CLIENT = "huggingface_hub"
REQUESTS = "_http"  # its module that sends requests and retries them


@contextmanager
def one_line_for_retries() -> Iterator[None]:
    """Log the client's first retry as one line, and its other messages as they are."""
    logger = logging.getLogger(CLIENT)
    handlers, propagate = logger.handlers, logger.propagate
    logger.handlers, logger.propagate = [_FirstRetry()], False
    try:
        yield
    finally:
        logger.handlers, logger.propagate = handlers, propagate


class _FirstRetry(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.logged = False

    def emit(self, record: logging.LogRecord) -> None:
        if record.module != REQUESTS:
            logging.getLogger().handle(record)
        elif not self.logged:
            self.logged = True
            log.warning("hub:     retried for up to a minute: %s", record.getMessage())
