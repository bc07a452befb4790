"""The command object: help line, options and function of one `sightline COMMAND`.

This module imports nothing heavy, pydantic included: `sightline job` ignores Slurm's signals first.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from sightline.config.options import Options, Others

SECTIONS = ("training", "trained models", "runs", "machine")


@dataclass(frozen=True)
class Command:
    """One command. Its name is that of its module in `sightline.commands`.

    Attributes:
        help: one line for `sightline --help`.
        run: takes the options and returns the exit status. It imports what is heavy itself.
        options: the model of the options; None where `run` takes the words as they are and prints
            its own `--help`.
        section: of `sightline --help`; None for a command that is not listed.
        about: paragraphs for the command's own `--help`.
        examples: command lines, each with a remark that may be empty.
        overrides: further words that the command takes, each with its help.
        others: the kind of these further words; see `read_options`.
    """

    help: str
    run: Callable[[Any], int]
    options: "type[Options] | None" = None
    section: Literal["training", "trained models", "runs", "machine"] | None = None
    about: str = ""
    examples: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)
    others: "Others" = "refused"

    def call(
        self, name: str, words: Sequence[str], check_run: Callable[[str, str | None], None]
    ) -> int:
        """Read the words and run the command; returns the exit status.

        Args:
            name: of the command, for its usage text.
            words: the words after the name.
            check_run: refuses a name that no run has, in the store of an address (None: the
                default), before the command imports what it needs.

        Raises:
            UserError: an option that does not exist or has a wrong value, or an error of `run`.
            SystemExit: 0 after `--help`, 2 for a word that cannot be read.
        """
        if self.options is None:
            return self.run(list(words))
        from sightline.config.options import named_runs, read_options

        options = read_options(words, self.options, self.usage(name), self.others)
        for named in named_runs(options):
            check_run(named, getattr(options, "uri", None))
        return self.run(options)

    def usage(self, name: str) -> str:
        """The text of `sightline NAME --help`, of a command with a model of its options."""
        from sightline.config.usage import usage_text

        assert self.options is not None
        return usage_text(name, self.options, self.about, self.examples, self.overrides)
