"""The style of the code: short files and functions, noun phrases, one word a thing."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

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


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def docstring(path: Path) -> str:
    return ast.get_docstring(tree(path)) or ""


def test_files_are_short() -> None:
    """Or their docstrings say why they are longer."""
    long = [path for path in MODULES if len(path.read_text().splitlines()) > MAX_FILE]
    assert [name_of(path) for path in long if not REASON.search(docstring(path))] == []


def test_functions_are_short() -> None:
    long = [
        f"{name_of(path)}: {node.name}, {node.end_lineno - node.lineno + 1} lines"
        for path in MODULES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef) and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > MAX_FUNCTION
    ]  # fmt: skip
    assert long == []


def test_a_module_docstring_is_a_noun_phrase() -> None:
    first = {name_of(path): docstring(path).partition("\n")[0] for path in MODULES}
    assert {name: line for name, line in first.items() if not line or QUESTIONS.match(line)} == {}


def test_one_word_a_thing() -> None:
    stored = ('"told_ms"', '"pictures"')  # names on disk and in MLflow, which stay
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in TEXTS
        for line in path.read_text().splitlines()
        if REPLACED.search(line) and not any(name in line for name in stored)
    ]
    assert found == []
