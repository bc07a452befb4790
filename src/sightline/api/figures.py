"""Figures: the image files of a run, which a notebook shows inline."""

import base64
import html
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FigureFile:
    """One figure: the last line of a cell shows it."""

    path: Path

    def _repr_png_(self) -> bytes:
        return self.path.read_bytes()

    def inline(self, title: str) -> str:
        """HTML of the image itself, with its title under it."""
        data = base64.b64encode(self.path.read_bytes()).decode()
        name = html.escape(title)
        return (
            f'<figure style="display:inline-block;margin:8px"><img alt="{name}" '
            f'style="max-width:420px;width:100%" src="data:image/png;base64,{data}">'
            f"<figcaption>{name}</figcaption></figure>"
        )


class Figures(Mapping[str, FigureFile]):
    """The figures of a run by their names, such as `confusion_matrix/test`.

    Args:
        folder: the run's; None where that is not on this machine.
    """

    def __init__(self, folder: Path | None) -> None:
        paths = sorted(folder.rglob("*.png")) if folder else []
        self._files = {
            path.relative_to(str(folder)).with_suffix("").as_posix(): FigureFile(path)
            for path in paths
        }

    def __getitem__(self, name: str) -> FigureFile:
        return self._files[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __repr__(self) -> str:
        return "\n".join(self._files)

    def inline(self, names: Iterable[str]) -> str:
        """HTML of those of the names that there are."""
        return "".join(self[name].inline(name) for name in names if name in self)

    def _repr_html_(self) -> str:
        return self.inline(self)
