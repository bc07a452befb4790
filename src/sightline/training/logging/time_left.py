"""The time that is left, from the share that is done, in words."""

import math

UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def time_left(elapsed_s: float, done: float, left: float) -> str:
    """The time for the steps that are left, in its greatest unit; empty where nobody can say.

    Args:
        elapsed_s: since the first step.
        done: steps, or a share, in that time.
        left: further ones; infinite without an end.
    """
    if done <= 0 or not math.isfinite(left):
        return ""
    seconds = elapsed_s / done * left
    size, unit = next((each for each in UNITS if seconds >= 2 * each[0]), UNITS[-1])
    return f"{seconds / size:.0f} {unit}"
