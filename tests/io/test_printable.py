"""Control characters of others, on their way to a terminal."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest
from rich.console import Console

from sightline.io.console import RedactingFormatter
from sightline.io.printable import on_one_line, printable
from sightline.reports.formatted_metrics import format_metrics, metrics_table
from sightline.reports.parts import Table
from sightline.reports.terminal import to_rich
from sightline.runs.folder import RunFolder
from sightline.runs.listing import RunStatus
from sightline.runs.printed_list import print_runs

EVIL = "a\x1b]0;owned\x07\x1b[2J\r\x9b31m\x08\u202eb[/bold][red]"


def drawn(what: object) -> str:
    console = Console(file=io.StringIO(), force_terminal=True, width=200, color_system=None)
    console.print(what)
    return console.file.getvalue()  # type: ignore[attr-defined]


def obeyed(text: str) -> list[str]:
    """Characters that a terminal would act on."""
    return [each for each in text if (ord(each) < 32 and each != "\n") or 126 < ord(each) < 160
            or each == "\u202e"]  # fmt: skip


def test_they_are_shown() -> None:
    assert printable("a\x1b[2J\tb\n\u202e\x9b") == "a\\x1b[2J\tb\n\\u202e\\x9b"
    assert on_one_line("a\nb\tc") == "a\\nb\\tc"
    assert printable("Größe 猫 ▁▂ é\u0301 \U0001f40d") == "Größe 猫 ▁▂ é\u0301 \U0001f40d"


def test_in_log_lines_and_tables(capsys: pytest.CaptureFixture[str]) -> None:
    record = logging.LogRecord("x", logging.INFO, "f", 1, "run: %s", (EVIL,), None)
    assert obeyed(RedactingFormatter("%(message)s").format(record)) == []
    assert obeyed(drawn(to_rich(Table(None, "t", ["c"], [[EVIL]])))) == []
    table = metrics_table(format_metrics({"metrics": {EVIL: {EVIL: 0.5}}}))
    assert obeyed(drawn(table)) == []
    assert "[/bold]" in drawn(table)
    run = RunStatus(RunFolder(Path("/r") / EVIL), EVIL, EVIL, 1, 2, 0.0, None, f"{EVIL}\n\n")
    print_runs([run], Path("/r"))
    out = capsys.readouterr().out
    assert obeyed(out) == []
    assert out.count("\n") == 2  # a header and one line
