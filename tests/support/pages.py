"""Pages of the documentation as sessions: their commands and snippets, run in order in one folder.

A fenced block of a page is run by its language: `bash` line by line, `python` as a whole, in one
namespace a page; a block that begins with `# some/file.yaml` (or `.py`) is written to that file.
A comment of HTML before a block changes that:

    <!-- not run: REASON -->     it needs what a test machine lacks
    <!-- composed: REASON -->    trainings are composed and checked alone
    <!-- trains -->              every training in it is run; else the first of a page is, and
                                 others are set up as far as the first step
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>not run|composed|trains)(?:: (?P<reason>[^>]+))? -->\n+)?"
    r"^```(?P<language>\w+)\n(?P<text>.*?)^```",
    re.DOTALL | re.MULTILINE,
)
FILE = re.compile(r"(?:# @package .*\n)?# (?P<path>[\w./-]+\.(?:yaml|py))\n")
PAGES = sorted(
    path
    for path in (ROOT / "README.md", *ROOT.glob("docs/**/*.md"))
    if path.name not in ("log.md", "architecture.md")
    and (path.parent.name != "reference" or path.name == "index.md")
    and "_build" not in path.parts
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        line: of the page where it begins.
        language: of its fence.
        text: its content.
        mark: how it is run: not run, composed or trains; empty: as usual.
        reason: why it is not run.
    """

    line: int
    language: str
    text: str
    mark: str
    reason: str

    @property
    def commands(self) -> list[str]:
        """The lines of a bash block without remarks; continued lines are joined."""
        joined = self.text.replace("\\\n", " ")
        lines = (re.split(r"\s+# ", f" {line}")[0].strip() for line in joined.splitlines())
        return [line for line in lines if line and not line.startswith("#")]

    @property
    def file(self) -> Path | None:
        """The file that the block is the content of."""
        found = FILE.match(self.text)
        return Path(found["path"]) if found else None


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text()
    return [
        Block(
            text.count("\n", 0, found.start()) + 1, found["language"], found["text"],
            found["mark"] or "", (found["reason"] or "").strip(),
        )
        for found in BLOCK.finditer(text)
    ]  # fmt: skip


def words_of(command: str) -> list[str]:
    """A command line as the shell splits it."""
    return shlex.split(command)
