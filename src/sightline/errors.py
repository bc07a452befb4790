"""Errors for people: one message that says what was given, what was expected and what to do."""

import difflib
from collections.abc import Iterable
from pathlib import Path


class UserError(Exception):
    """A mistake that the user can fix; the command line shows its message without a stack trace.

    A DataLoader worker re-raises an exception with the worker's own stack trace in front of the
    message; only the message is kept.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message.rsplit("UserError: ", 1)[-1].strip())

    def _render_traceback_(self) -> list[str]:
        """The message alone, also in a notebook: IPython shows these lines."""
        return [f"{type(self).__name__}: {self}"]


class DamagedError(UserError):
    """A stored file that is missing, or not as it was written.

    Attributes:
        path: of the file.
        problem: what is wrong with it, in a few words.
    """

    def __init__(self, path: Path, problem: str, advice: str = "") -> None:
        super().__init__(f"{path} is damaged: {problem}. {advice}")
        self.path = path
        self.problem = problem


class Interrupted(BaseException):
    """A signal to stop the run (Ctrl-C, SIGTERM); like KeyboardInterrupt not an error.

    Attributes:
        signum: the signal.
        at_once: whether it is the second one: nothing more is waited for.
    """

    def __init__(self, signum: int, at_once: bool = False) -> None:
        super().__init__(signum)
        self.signum = signum
        self.at_once = at_once


def first_line(error: BaseException) -> str:
    """The first line of an exception's message, or its type's name where the message is empty."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """` Did you mean ...?` with the up to three nearest of `known`, or an empty string.

    A dotted name is also compared by its last part, so that `lr` finds `optimizer.lr`.
    """
    names = list(dict.fromkeys(known))
    nearest = difflib.get_close_matches(given, names, n=3, cutoff=0.6)
    last = given.rsplit(".", 1)[-1]
    by_last = {name.rsplit(".", 1)[-1]: name for name in names}
    for part in difflib.get_close_matches(last, by_last, n=3, cutoff=0.75):
        nearest += [name for name in names if name.rsplit(".", 1)[-1] == part]
    nearest = list(dict.fromkeys(nearest))[:3]
    return f" Did you mean {' or '.join(repr(name) for name in nearest)}?" if nearest else ""


def counted(number: int, one: str, many: str = "") -> str:
    """A number with what is counted, in singular or plural: `1 row`, `2,000 rows`.

    Args:
        number: from 0 on.
        one: the words for 1, also with a verb: `row names`.
        many: the words for others; empty: the singular with an s.
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
