"""Which of several processes that train together this one is, as its launcher says."""

import os

NAMES = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")  # in Lightning's order


def rank() -> int:
    """This process's rank: 0 alone speaks, writes and tracks."""
    for name in NAMES:
        value = os.environ.get(name, "")
        if value.isdigit():
            return int(value)
    return 0
