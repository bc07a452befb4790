"""What the README and the pages of the documentation tell to type works."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import Sightline
from support.page_data import make_page_data
from support.pages import PAGES, ROOT, blocks_of
from support.session import Session
from support.stores import copy_store

NEWCOMER = ROOT / "docs" / "first_ten_minutes.md"
RUN = [page for page in PAGES if any(b.language in ("bash", "python") for b in blocks_of(page))]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture
def session(
    sightline: Sightline, tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Session]:
    folder = tmp_path / "work"
    copy_store(empty_store, folder / "mlflow.db")
    make_page_data(folder)
    monkeypatch.syspath_prepend(str(folder))
    begun = Session(sightline, monkeypatch, folder)
    yield begun
    begun.close()


@pytest.mark.usefixtures("uploads_inline")
@pytest.mark.parametrize("page", [page for page in RUN if page != NEWCOMER], ids=name_of)
def test_what_a_page_tells_to_type_works(session: Session, page: Path) -> None:
    for block in blocks_of(page):
        session.run(block)


def test_a_newcomer_gets_from_a_folder_to_a_served_model(
    session: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Own folder, doctor, train, sweep, compare, predict, serve: each command is the page's own."""
    for block in blocks_of(NEWCOMER):
        session.run(block)
    typed = [" ".join(c.split()[:2]) for b in blocks_of(NEWCOMER) for c in b.commands]
    steps = ["doctor", "train", "show", "train", "compare", "evaluate", "predict"]
    assert [c.split()[1] for c in typed if c in {f"sightline {s}" for s in steps}] == steps
    answers = Path("answers.csv").read_text().splitlines()
    assert len(answers) == 1 + len(list(Path("new_photos").iterdir()))
    assert re.search(r'"pred": "(cat|dog)"', session.answer)


def test_every_command_has_a_page() -> None:
    """The most used commands are told on a page, beside the generated reference."""
    told = {c.split()[1] for p in RUN for b in blocks_of(p) for c in b.commands
            if c.startswith("sightline ")}  # fmt: skip
    commands = {path.stem for path in (ROOT / "src/sightline/commands").glob("[!_]*.py")}
    assert commands - told <= {"job"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_path_of_a_page_exists(page: Path) -> None:
    text = page.read_text()
    places = r"`((?:conf|src|experiments|tests|benchmarks|docs)/[^`*]*)`"
    assert [path for path in re.findall(places, text) if not (ROOT / path).exists()] == []
