"""Warnings that reading the data logs, as findings: a training would log the same."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sightline.doctor.findings import Report

READING = "sightline.data"  # the loggers of the room


class _Recorder(logging.Handler):
    def __init__(self, report: Report) -> None:
        super().__init__(logging.WARNING)
        self.report = report

    def emit(self, record: logging.LogRecord) -> None:
        self.report.add("reading", "warning", record.getMessage())


@contextmanager
def warnings_as_findings(report: Report) -> Iterator[None]:
    """Add warnings of reading to the report, instead of to the terminal."""
    logger, recorder = logging.getLogger(READING), _Recorder(report)
    propagate = logger.propagate
    logger.addHandler(recorder)
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = propagate
        logger.removeHandler(recorder)
