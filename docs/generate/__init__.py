"""The reference pages, generated from code: commands, config, metrics, Python interface."""

from collections.abc import Callable
from pathlib import Path

from generate.commands_page import commands_page
from generate.config_page import config_page
from generate.metrics_page import metrics_page
from generate.python_page import python_page

PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands_page,
    "config.md": config_page,
    "metrics.md": metrics_page,
    "python.md": python_page,
}


def write_reference(folder: Path) -> None:
    """Write each page whose text changed, so that Sphinx reads no other one again."""
    for name, page in PAGES.items():
        path, text = folder / name, page()
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
