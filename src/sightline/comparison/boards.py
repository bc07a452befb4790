"""A board for each task of a comparison, and their files: a folder each below an index."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sightline.comparison.compared_run import explained
from sightline.comparison.leaderboard import Unranked
from sightline.comparison.notes import about_ranks
from sightline.comparison.rendering import (
    WRITTEN,
    markdown_rows,
    to_markdown,
    unbroken,
    write_comparison,
)
from sightline.comparison.tables import Comparison, leaderboard_table
from sightline.comparison.tasks import ABOUT_TASKS, Task
from sightline.io.csv_files import csv_text
from sightline.io.folders import remove_empty
from sightline.reports.page import Page, render_page
from sightline.reports.parts import Section, Table

FOLDER = "boards"
SEVERAL = f"A board {ABOUT_TASKS}"


@dataclass(frozen=True)
class Board:
    """The comparison of the runs of one task."""

    task: Task
    comparison: Comparison


@dataclass(frozen=True)
class Boards:
    """What a comparison found.

    Attributes:
        title: names the runs.
        boards: of each task that has ranked runs; one at least.
        others: runs of no board: they did not finish, or their task has no such metric.
        notes: limits of the groups.
    """

    title: str
    boards: tuple[Board, ...]
    others: tuple[Unranked, ...]
    notes: tuple[str, ...] = ()

    @property
    def about_others(self) -> Table:
        """The runs that are on no board."""
        rows = [[each.run.name, each.run.run_id, each.reason] for each in self.others]
        return Table("not_ranked", "Runs on no board", ["run", "id", "why"], rows)


def write_boards(found: Boards, folder: Path) -> None:
    """Write the files into a folder beside it first, so that they appear only when complete.

    One board's files lie in the folder itself; several have a folder each, below an index. Files of
    an earlier comparison are replaced.
    """
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    partial.mkdir(parents=True)
    try:
        if len(found.boards) == 1:
            write_comparison(found.boards[0].comparison, partial)
        else:
            _write_several(found, partial)
        folder.mkdir(exist_ok=True)
        remove_earlier(folder)
        for path in [path for path in partial.rglob("*") if path.is_file()]:
            place = folder / path.relative_to(partial)
            place.parent.mkdir(parents=True, exist_ok=True)
            path.replace(place)
    finally:
        shutil.rmtree(partial)


def remove_earlier(folder: Path) -> None:
    """Remove what an earlier comparison wrote, and nothing that somebody else put beside it."""
    boards = [path for path in (folder / FOLDER).glob("*") if path.is_dir()]
    for own in (folder, *boards):
        for name in WRITTEN:
            (own / name).unlink(missing_ok=True)
    remove_empty([folder / FOLDER, *boards])


def _write_several(found: Boards, folder: Path) -> None:
    names = folder_names(found.boards)
    for board, name in zip(found.boards, names, strict=True):
        own = folder / name
        own.mkdir(parents=True)
        write_comparison(board.comparison, own, _links_of(found.boards, name))
    if found.others:
        table = found.about_others
        text = csv_text(table.columns, table.rows, line_end="\r\n")
        (folder / f"{table.name}.csv").write_text(text, encoding="utf-8")
    (folder / "comparison.md").write_text(_index_markdown(found), encoding="utf-8")
    (folder / "comparison.html").write_text(_index_html(found), encoding="utf-8")


def folder_names(boards: Sequence[Board]) -> list[str]:
    """The folder of each board, below that of the comparison."""
    found: list[str] = []
    for board in boards:
        name = f"{FOLDER}/{board.task.facts.folder}"
        found.append(f"{name}-{len(found) + 1}" if name in found else name)
    return found


def _links_of(boards: Sequence[Board], own: str) -> dict[str, str]:
    """The links of the board in one folder: to the index, and to the other boards."""
    up = "../" * (FOLDER.count("/") + 2)
    found = {"All tasks": f"{up}comparison"}
    for board, name in zip(boards, folder_names(boards), strict=True):
        if name != own:  # classes of other names give the same title
            title = board.task.title
            text = f"{title} ({len(found)})" if title in found else title
            found[text] = f"{up}{quote(name)}/comparison"
    return found


def _index_markdown(found: Boards) -> str:
    lines = [f"# {found.title}", "", SEVERAL, ""]
    names = folder_names(found.boards)
    lines += [
        f"- [{board.task.title}]({quote(name)}/comparison.md)"
        for board, name in zip(found.boards, names, strict=True)
    ]
    lines.append("")
    lines += [to_markdown(board.comparison).replace("\n#", "\n##").replace("# ", "## ", 1)
              for board in found.boards]  # fmt: skip
    if found.others:
        lines += [f"## {found.about_others.caption}", "", *markdown_rows(found.about_others), ""]
    return "\n".join(lines)


def _index_html(found: Boards) -> str:
    sections = []
    for board, name in zip(found.boards, folder_names(found.boards), strict=True):
        comparison = board.comparison
        ranked = comparison.board
        better = "more" if ranked.maximise else "less"
        text = [
            f"Ranked by {explained(ranked.metric)}, {better} is better.",
            *about_ranks(comparison),
        ]
        links = {"Tests and figures of this task": f"{quote(name)}/comparison.html"}
        table = unbroken(leaderboard_table(ranked))
        sections.append(Section(board.task.title, " ".join(text), [table], links))
    if found.others:
        sections.append(Section(found.about_others.caption, "", [found.about_others]))
    groups = sum(len(board.comparison.board.groups) for board in found.boards)
    facts = {"tasks": str(len(found.boards)), "groups": str(groups)}
    return render_page(Page(found.title, SEVERAL, facts, [], sections, []))
