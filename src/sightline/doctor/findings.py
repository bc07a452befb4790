"""Findings of the checks, as a table in the terminal and as JSON."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeVar

from rich import get_console
from rich.markup import escape
from rich.table import Table

from sightline.errors import UserError

T = TypeVar("T")
Level = Literal["ok", "warning", "error"]
MARKS = {"ok": "[green]ok[/]", "warning": "[yellow]warning[/]", "error": "[red]error[/]"}
MAX_SHOWN = 1000  # examples that the JSON report lists of each finding


@dataclass(frozen=True)
class Finding:
    """One result of a check.

    Attributes:
        check: name of the check, in a word or two.
        level: `error` where a training would fail or its numbers would be wrong, `warning` where
            they may.
        message: the finding and what to do, in one or two sentences.
        details: names and numbers that the message is based on.
    """

    check: str
    level: Level
    message: str
    details: list[Any] = field(default_factory=list)


class Report:
    """The findings, in the order of the checks."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def add(self, check: str, level: Level, message: str, details: Any = ()) -> None:
        """Add a finding; of `details` the first MAX_SHOWN are stored."""
        self.findings.append(Finding(check, level, message, list(details)[:MAX_SHOWN]))

    def attempt(self, check: str, action: Callable[[], T]) -> T | None:
        """The result of an action; None where it raised a UserError, which is then a finding."""
        try:
            return action()
        except UserError as error:
            self.add(check, "error", str(error))
            return None

    @property
    def failed(self) -> bool:
        """Whether a finding is an error."""
        return any(finding.level == "error" for finding in self.findings)

    def print(self) -> None:
        """Print the findings as a table."""
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for finding in self.findings:
            table.add_row(MARKS[finding.level], finding.check, escape(finding.message))
        get_console().print(table)

    def to_dict(self) -> dict[str, Any]:
        """The JSON report: the number of errors and warnings, and each finding."""
        levels = [finding.level for finding in self.findings]
        return {
            "errors": levels.count("error"),
            "warnings": levels.count("warning"),
            "findings": [asdict(finding) for finding in self.findings],
        }
