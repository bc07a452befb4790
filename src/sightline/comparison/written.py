"""A comparison in files: CSV for programs, Markdown for notes, HTML with figures for reading."""

import csv
import io
from pathlib import Path

from sightline.comparison.comparison import (
    Comparison,
    leaderboard_records,
    leaderboard_table,
    notes,
    samples_table,
    seeds_table,
    unranked_table,
)
from sightline.comparison.figures import draw_differences, draw_leaderboard
from sightline.comparison.runs import bare_name, explained
from sightline.reports.canvas import to_chart
from sightline.reports.page import Page, render_page
from sightline.reports.parts import Cell, Part, Section, Table


def write_comparison(comparison: Comparison, folder: Path) -> None:
    """Write `leaderboard.csv`, `tests.csv`, ..., `comparison.md` and `comparison.html`.

    Args:
        comparison: the whole.
        folder: an empty one.
    """
    tables = [leaderboard_records(comparison.board), *_tables(comparison)[1:]]
    for table in tables:
        (folder / f"{table.name}.csv").write_text(to_csv(table), encoding="utf-8")
    (folder / "comparison.md").write_text(to_markdown(comparison), encoding="utf-8")
    (folder / "comparison.html").write_text(to_html(comparison), encoding="utf-8")


def to_csv(table: Table) -> str:
    """The table's rows, numbers in full."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(table.columns)
    writer.writerows(table.rows)
    return text.getvalue()


def to_markdown(comparison: Comparison) -> str:
    """All tables and notes."""
    lines = [f"# {comparison.title}", "", _subtitle(comparison), ""]
    for table in _tables(comparison):
        lines += [f"## {table.caption}", "", *_markdown_rows(table), ""]
    lines += [f"- {note}" for note in notes(comparison)]
    return "\n".join(lines) + "\n"


def to_html(comparison: Comparison) -> str:
    """One self-contained page."""
    board, pairs = comparison.board, comparison.pairs
    said = notes(comparison)
    first = leaderboard_table(board)
    ranks = to_chart(
        draw_leaderboard(board), "leaderboard", f"{board.metric} of the best groups", shrinks=True
    )
    sections = [Section("Leaderboard", " ".join(said), [first, ranks])]
    if pairs:
        parts: list[Part] = [samples_table(pairs, comparison.split), seeds_table(pairs)]
        if any(pair.tested is not None for pair in pairs):
            name = bare_name(board.metric)
            figure = draw_differences(pairs, name)
            alt = f"differences in {name} to the best group, with intervals"
            parts.insert(1, to_chart(figure, "differences", alt, shrinks=True))
        text = "The best group against the next ones, on the predictions that the runs stored."
        sections.append(Section("Is the best really better?", text, parts))
    if board.unranked:
        text = "Failed and unfinished runs take no part in ranks and means."
        sections.append(Section("Not ranked", text, [unranked_table(board)]))
    return render_page(
        Page(comparison.title, _subtitle(comparison), _facts(comparison), [], sections, [])
    )


def _tables(comparison: Comparison) -> list[Table]:
    tables = [leaderboard_table(comparison.board)]
    if comparison.pairs:
        tables += [samples_table(comparison.pairs, comparison.split), seeds_table(comparison.pairs)]
    if comparison.board.unranked:
        tables.append(unranked_table(comparison.board))
    return tables


def _subtitle(comparison: Comparison) -> str:
    board = comparison.board
    better = "more" if board.maximise else "less"
    return (
        f"Ranked by {explained(board.metric)}, {better} is better; mean ± 95 % t-interval over the "
        "runs of a group, which differ in seed or fold alone."
    )


def _facts(comparison: Comparison) -> dict[str, str]:
    board = comparison.board
    ranked = sum(len(group.runs) for group in board.groups)
    facts = {
        "groups": f"{len(board.groups):,}",
        "runs": f"{ranked:,} ranked, {len(board.unranked):,} not",
    }
    if comparison.pairs:
        facts["tested on"] = f"the stored predictions of {comparison.split}"
    return facts


def _markdown_rows(table: Table) -> list[str]:
    def cells(row: list[Cell]) -> str:
        return (
            "| "
            + " | ".join(
                str(c if c is not None else "").replace("|", "\\|").replace("\n", " ") for c in row
            )
            + " |"
        )

    rule = "|" + "---|" * len(table.columns)
    return [cells(list(table.columns)), rule, *(cells(list(row)) for row in table.rows)]
