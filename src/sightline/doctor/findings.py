"""What the checks found, for the terminal and as JSON."""

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
    """One result of one check.

    Attributes:
        check: what was looked at, in a word or two.
        level: an error fails a training or makes its numbers wrong; a warning may.
        message: what was found and what to do, in one sentence or two.
        details: names and numbers behind it.
    """

    check: str
    level: Level
    message: str
    details: list[Any] = field(default_factory=list)


class Report:
    """Findings in the order in which they were made."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def add(self, check: str, level: Level, message: str, details: Any = ()) -> None:
        """Note one finding."""
        self.findings.append(Finding(check, level, message, list(details)[:MAX_SHOWN]))

    def attempt(self, check: str, action: Callable[[], T]) -> T | None:
        """The action's result; a UserError is a finding, and then the result is None."""
        try:
            return action()
        except UserError as error:
            self.add(check, "error", str(error))
            return None

    @property
    def failed(self) -> bool:
        """Whether there is any error."""
        return any(finding.level == "error" for finding in self.findings)

    def print(self) -> None:
        """A table in the terminal."""
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for finding in self.findings:
            table.add_row(MARKS[finding.level], finding.check, escape(finding.message))
        get_console().print(table)

    def to_dict(self) -> dict[str, Any]:
        """For the JSON report."""
        levels = [finding.level for finding in self.findings]
        return {
            "errors": levels.count("error"),
            "warnings": levels.count("warning"),
            "findings": [asdict(finding) for finding in self.findings],
        }
