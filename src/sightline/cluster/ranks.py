"""The rank of this process among those that train together, by its launcher's variables."""

import os

NAMES = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")  # in Lightning's order


def rank() -> int:
    """This process's rank, from 0; rank 0 alone prints, writes and tracks."""
    for name in NAMES:
        value = os.environ.get(name, "")
        if value.isdigit():
            return int(value)
    return 0
