"""The commands of `sightline`: each module of this folder is one, with its object `COMMAND`.

A plugin package brings a command by an entry point of the group `sightline.commands`, whose name is
the command's and whose object is a `Command`. A command of this folder wins over one of that name.
"""

import importlib
import pkgutil
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points

from sightline.config.command import Command

GROUP = "sightline.commands"


def command_names() -> list[str]:
    """The names of all commands, sorted; of this folder and of plugin packages."""
    return sorted({module.name for module in pkgutil.iter_modules(__path__)} | set(_plugins()))


def load_command(name: str) -> Command:
    """The command of a name.

    Raises:
        KeyError: no module of this folder and no plugin has this name.
    """
    if name in {module.name for module in pkgutil.iter_modules(__path__)}:
        command = importlib.import_module(f"{__name__}.{name}").COMMAND
    else:
        command = _plugins()[name].load()
    assert isinstance(command, Command), f"{name}: expected a Command, but got {command!r}"
    return command


def run_command(name: str, words: Sequence[str]) -> int:
    """Run `sightline NAME WORDS`; returns the exit status."""
    return load_command(name).call(name, words, _check_run)


def _check_run(name: str, uri: str | None) -> None:
    from sightline.runs.known_names import check_run_name

    check_run_name(name, uri)


def _plugins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
