"""The peers: what the files of benchmarks/peers say of themselves, read without an import."""

import ast
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PEERS = Path(__file__).parent.parent / "peers"


@dataclass(frozen=True)
class Peer:
    """One row of the table.

    Attributes:
        file: name of its module in benchmarks/peers.
        row: its key in results.
        title: how the table names it.
        packages: what has to be installed.
        needs: fields of `Task` that have to be given.
    """

    file: str
    row: str
    title: str
    packages: tuple[str, ...]
    needs: tuple[str, ...]

    def missing(self, given: Iterable[str]) -> str | None:
        """One sentence that says why this row cannot be measured; None: it can.

        Args:
            given: the optional fields of `Task` that are given.
        """
        absent = [name for name in self.packages if importlib.util.find_spec(name) is None]
        if absent:
            return (
                f"{self.title} is left out: {', '.join(absent)} is not installed; "
                "pip install -e '.[peers]' brings it."
            )
        for need in sorted({*self.needs} - {*given}):
            return f"{self.title} is left out: give {need.upper()}=PATH to measure it too."
        return None


def find_peers(folder: Path = PEERS) -> list[Peer]:
    """All rows: a file has `ROWS` (title by key), `PACKAGES` and, where it has any, `NEEDS`."""
    peers = []
    for path in sorted(folder.glob("[!_]*.py")):
        constants = _constants(path)
        for row, title in constants["ROWS"].items():
            peers.append(
                Peer(path.stem, row, title, constants["PACKAGES"], constants.get("NEEDS", ()))
            )
    return peers


def _constants(path: Path) -> dict[str, Any]:
    """The literal constants of a module, by name."""
    constants = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in ("ROWS", "PACKAGES", "NEEDS"):
                constants[name] = ast.literal_eval(node.value)
    return constants
