"""The table of a benchmark in Markdown, and its place in benchmarks/README.md."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bench_peers.summary import Spread, Summary


def make_table(rows: Sequence[Summary]) -> str:
    """A table in Markdown; in brackets the least and the greatest of the rounds.

    Args:
        rows: in their order.
    """
    lengths = sorted({length for row in rows for length in row.seconds})
    on_gpu = any(row.gpu_memory for row in rows)
    head = [
        "", "images/s, epoch 2 on", "of the hand-written loop",
        *(f"command, {length} epoch{'s' * (length > 1)}" for length in lengths),
        "first step", "peak memory", "val accuracy",
        *(["GPU used", "GPU memory"] if on_gpu else []),
    ]  # fmt: skip
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for row in rows:
        gpu = [_cell(row.gpu_percent, ".0f", " %"), _cell(row.gpu_memory, ",.0f", " MiB")]
        lines.append([
            row.title, _ranged(row.speed, ",.0f"), _ranged(row.ratio, ".2f"),
            *(_cell(row.seconds.get(length), ".1f", " s") for length in lengths),
            _cell(row.first_step, ".1f", " s"), _cell(row.memory, ",.0f", " MiB"),
            _cell(row.accuracy, ".3f"), *(gpu if on_gpu else []),
        ])  # fmt: skip
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def describe_versions(results: Sequence[Mapping[str, Any]]) -> str:
    """All packages of all rows, by name."""
    versions: dict[str, str] = {}
    for result in results:
        versions |= result["versions"]
    return ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))


def put_between(page: str, name: str, text: str) -> str:
    """The page with this text between its markers `<!-- NAME -->` and `<!-- end of NAME -->`.

    Raises:
        ValueError: the page has no such markers.
    """
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"the page has no place for this text: {begin} ... {end}")
    return pattern.sub(lambda _: f"{begin}\n{text}\n{end}", page, count=1)


def write_between(page: Path, name: str, text: str) -> None:
    """`put_between` of a file."""
    page.write_text(put_between(page.read_text(), name, text))


def _cell(spread: Spread | None, form: str, unit: str = "") -> str:
    return f"{spread.median:{form}}{unit}" if spread else "–"


def _ranged(spread: Spread | None, form: str) -> str:
    if spread is None:
        return "–"
    ends = f" ({spread.least:{form}} to {spread.greatest:{form}})" if spread.rounds > 1 else ""
    return f"{spread.median:{form}}{ends}"
