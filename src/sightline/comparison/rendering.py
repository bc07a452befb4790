"""Files of a comparison: CSV for programs, Markdown, and an HTML page with figures."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sightline.comparison.compared_run import bare_name, explained
from sightline.comparison.figures import draw_differences, draw_leaderboard
from sightline.comparison.label_curve_figure import curves_section
from sightline.comparison.label_curves import NAME as CURVES
from sightline.comparison.label_curves import curves_table
from sightline.comparison.notes import about_ranks, about_tests
from sightline.comparison.tables import (
    Comparison,
    leaderboard_records,
    leaderboard_table,
    pair_ranks,
    pair_records,
    tests_table,
    unranked_table,
)
from sightline.errors import counted
from sightline.io.csv_files import csv_text
from sightline.reports.canvas import to_chart
from sightline.reports.page import Page, render_page
from sightline.reports.parts import Cell, Part, Section, Table

Links = Mapping[str, str]  # by their texts, relative paths without the suffix
NO_LINKS: Links = {}
WRITTEN = (
    "leaderboard.csv", "tests.csv", "not_ranked.csv", "comparison.md", "comparison.html",
    "model_differences.csv", "confusion_differences.csv", f"{CURVES}.csv",
)  # fmt: skip
LINE = 24  # characters
SHOWN = 15  # groups above the figure; the page has the others below


def write_comparison(comparison: Comparison, folder: Path, links: Links = NO_LINKS) -> None:
    """Write the files of `WRITTEN`; those of tests and unranked runs where there are any.

    Args:
        comparison: with its leaderboard and tests.
        folder: an empty one.
        links: to comparisons beside it.
    """
    tables = [leaderboard_records(comparison.board)]
    tables += [pair_records(comparison.pairs)] if comparison.pairs else []
    tables += [curves_table(comparison.curves)] if comparison.curves else []
    tables += [unranked_table(comparison.board)] if comparison.board.unranked else []
    if comparison.differences is not None:
        parts = comparison.differences.parts
        tables += [part for part in parts if isinstance(part, Table) and part.name is not None]
    for table in tables:
        text = csv_text(table.columns, table.rows, line_end="\r\n")
        (folder / f"{table.name}.csv").write_text(text, encoding="utf-8")
    (folder / "comparison.md").write_text(to_markdown(comparison, links), encoding="utf-8")
    (folder / "comparison.html").write_text(to_html(comparison, links), encoding="utf-8")


def to_markdown(comparison: Comparison, links: Links = NO_LINKS) -> str:
    """All tables and notes."""
    lines = [f"# {comparison.title}", "", _subtitle(comparison), ""]
    lines += [*(f"- [{text}]({place}.md)" for text, place in links.items()), ""] if links else []
    for table, notes in tables_and_notes(comparison):
        lines += [f"## {table.caption}", "", *markdown_rows(table), ""]
        lines += [*(f"- {note}" for note in notes), ""] if notes else []
    return "\n".join(lines)


def to_html(comparison: Comparison, links: Links = NO_LINKS) -> str:
    """One self-contained page."""
    board = comparison.board
    sections = [_leaderboard_section(comparison)]
    if comparison.pairs:
        sections.append(_tests_section(comparison))
    if comparison.curves:
        sections.append(curves_section(comparison.curves))
    if comparison.differences is not None:
        sections.append(comparison.differences)
    if len(board.groups) > SHOWN:
        every = replace(unbroken(leaderboard_table(board)), folded=True)
        sections.append(Section("All groups", "", [every]))
    if board.unranked:
        text = "Failed and unfinished runs take no part in ranks and means."
        sections.append(Section("Not ranked", text, [unranked_table(board)]))
    pages = {text: f"{place}.html" for text, place in links.items()}
    page = Page(
        comparison.title, _subtitle(comparison), _facts(comparison), [], sections, [], pages,
        verdict(comparison),
    )  # fmt: skip
    return render_page(page)


def tables_and_notes(comparison: Comparison) -> list[tuple[Table, list[str]]]:
    """The tables in order, each with its notes."""
    pairs, board = comparison.pairs, comparison.board
    found = [(leaderboard_table(board), about_ranks(comparison))]
    if pairs:
        found.append((tests_table(comparison), about_tests(comparison)))
    if comparison.curves:
        notes = [curve.sentence for curve in comparison.curves]
        found.append((curves_table(comparison.curves), notes))
    if board.unranked:
        found.append((unranked_table(board), []))
    return found


def _leaderboard_section(comparison: Comparison) -> Section:
    board = comparison.board
    whole = unbroken(leaderboard_table(board))
    first = replace(whole, rows=whole.rows[:SHOWN], caption=f"The first {SHOWN}")
    parts: list[Part] = [whole if len(whole.rows) <= SHOWN else first]
    if board.groups:
        alt = f"{board.metric} of the best groups"
        parts.append(to_chart(draw_leaderboard(board), "leaderboard", alt, shrinks=True))
    return Section("Leaderboard", " ".join(about_ranks(comparison)), parts)


def _tests_section(comparison: Comparison) -> Section:
    parts: list[Part] = [unbroken(tests_table(comparison))]
    if any(pair.tested is not None for pair in comparison.pairs):
        name = bare_name(comparison.board.metric)
        figure = draw_differences(comparison.pairs, name)
        alt = f"differences in {name} to the best group, with intervals"
        parts.append(to_chart(figure, "differences", alt, shrinks=True))
    text = "The best group against the next ones. "
    return Section("Is the best really better?", text + " ".join(about_tests(comparison)), parts)


def unbroken(table: Table) -> Table:
    """Short cells stay on one line of the page."""

    def cell(value: Cell) -> Cell:
        if isinstance(value, str) and len(value) < LINE:
            return value.replace(" ", "\u00a0")
        return value

    return replace(table, rows=[[cell(value) for value in row] for row in table.rows])


def verdict(comparison: Comparison) -> list[str]:
    """The best group with its value, and what the tests of it show."""
    board = comparison.board
    if not board.groups:
        return []
    best = board.groups[0]
    config = ", ".join(f"{key.rpartition('.')[2]}={value}" for key, value in best.config.items())
    lines = [f"best: {config or best.runs[0].name}, {bare_name(board.metric)} {best.score}"]
    shown = sum(pair.is_shown for pair in comparison.pairs if pair.of_configs)
    tested = sum(pair.tested is not None for pair in comparison.pairs if pair.of_configs)
    if tested:
        lines.append(
            f"a difference to it is shown for {shown} of the {counted(tested, 'group')} tested"
        )
    if any(not pair.of_configs and pair.tested for pair in comparison.pairs):
        lines += [
            f"{pair_ranks(pair)}: {pair.verdict}, of single runs: several seeds would say more"
            for pair in comparison.pairs[:1]
        ]
    return lines + [curve.sentence for curve in comparison.curves]


def _subtitle(comparison: Comparison) -> str:
    board = comparison.board
    better = "more" if board.maximise else "less"
    return (
        f"Ranked by {explained(board.metric)}, {better} is better; mean ± 95 % interval over the "
        "runs of a group, which differ in seed, fold or draw alone."
    )


def _facts(comparison: Comparison) -> dict[str, str]:
    board = comparison.board
    ranked = sum(len(group.runs) for group in board.groups)
    facts = {
        "groups": f"{len(board.groups):,}",
        "runs": f"{ranked:,} ranked, {len(board.unranked):,} not",
    }
    if comparison.pairs:
        facts["tested on"] = comparison.split
    return facts


def markdown_rows(table: Table) -> list[str]:
    """The lines of a table in Markdown."""
    rows = [table.columns, ["---"] * len(table.columns), *table.rows]
    return ["| " + " | ".join(map(_markdown_cell, row)) + " |" for row in rows]


def _markdown_cell(value: Cell) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")
