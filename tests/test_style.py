"""The style of the code: short files and functions, noun phrases, one word a thing."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import sightline

SOURCE = Path(sightline.__file__).parent
MODULES = sorted([*SOURCE.rglob("*.py"), *(SOURCE.parent / "hydra_plugins").rglob("*.py")])
ROOT = Path(__file__).parent.parent
TEXTS = sorted([
    *MODULES, *ROOT.glob("*.md"), *ROOT.glob("docs/[!_]*/*.md"), *ROOT.glob("docs/*.md"),
    *ROOT.glob("docs/generate/*.py"), *ROOT.glob("conf/**/*.yaml"),
    *ROOT.glob("experiments/*.yaml"), *ROOT.glob("benchmarks/*.py"), *ROOT.glob("benchmarks/*.md"),
])  # fmt: skip
MAX_FILE, MAX_FUNCTION = 200, 50
REASON = re.compile(r"[Ll]onger than 200 lines")
QUESTIONS = re.compile(r"(What|Where|Who|How|Whether|Why|When|Going|From|Looking|Finding)\b")
# Words that a table of CONTRIBUTING.md replaces: log, upload, resume, image, Question, Result.
REPLACED = re.compile(
    r"\b(told|go(es)? on|went on|came out|what is asked|brought to MLflow|pictures?|spools?|"
    r"courier)\b",
    re.IGNORECASE,
)


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCE.parent))


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text())) or ""


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text()
    if len(text.splitlines()) > MAX_FILE:
        assert REASON.search(docstring(path)), "its docstring says why it is longer"
    long = {
        node.name: node.end_lineno - node.lineno + 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and node.end_lineno is not None
    }
    assert {name: lines for name, lines in long.items() if lines > MAX_FUNCTION} == {}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_docstring_is_a_noun_phrase(path: Path) -> None:
    first = docstring(path).partition("\n")[0]
    assert first
    assert not QUESTIONS.match(first), first


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_one_word_a_thing(path: Path) -> None:
    found = [line for line in path.read_text().splitlines() if REPLACED.search(line)]
    stored = ('"told_ms"', '"pictures"')  # names on disk and in MLflow, which stay
    assert [line for line in found if not any(name in line for name in stored)] == []
