"""The page of all commands: what `sightline COMMAND --help` says, as tables."""

from generate.markdown import cell, code, table
from sightline.commands import command_names, load_command
from sightline.config.command import SECTIONS, Command
from sightline.config.usage import option_rows

INTRODUCTION = """\
# Commands

`sightline COMMAND --help` prints the same. An option is `KEY=VALUE`, unless it begins with `--` or
stands alone. A list is `[A,B]`; put a value with spaces or brackets in quotes, as your shell asks.
The exit status is 0, 1 where the command failed, 2 where it could not be read, and 128 plus the
signal's number where a signal ended it.
"""


def commands_page() -> str:
    """The page in Markdown."""
    commands = {name: load_command(name) for name in command_names()}
    parts = [INTRODUCTION]
    for section in SECTIONS:
        parts.append(f"## {section.capitalize()}\n")
        parts += [
            _command(name, command)
            for name, command in commands.items()
            if command.section == section
        ]
    return "\n".join(parts)


def _command(name: str, command: Command) -> str:
    parts = [f"### {name}\n", f"{command.help[0].upper()}{command.help[1:]}.\n"]
    if command.about:
        parts.append(command.about.strip() + "\n")
    if command.examples:
        wide = max(map(len, command.examples))
        lines = [f"{line:{wide}}  # {why}" if why else line
                 for line, why in command.examples.items()]  # fmt: skip
        parts.append("```bash\n" + "\n".join(lines) + "\n```\n")
    if command.options is None:
        parts.append("Its options are the keys of the [config](config.md).\n")
    else:
        rows = {**option_rows(command.options), **command.overrides}
        parts.append(table(("option", "meaning"), [(code(k), cell(v)) for k, v in rows.items()]))
    return "\n".join(parts)
