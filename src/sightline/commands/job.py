"""`sightline job`: one job whose config is frozen in its folder; not for people.

Ranks, sweeps and Slurm start their processes with this command: the folder, what it may do beside
what every job may (`config/job_words.py`), and `--loaded` where the process was forked with all
imports done.
"""

from pathlib import Path

from sightline.config.command import Command


def run(words: list[str]) -> int:
    """Run the job that is frozen in the folder."""
    from sightline.cluster.requeue import ignore_signals

    ignore_signals()
    from sightline.io.collection import imports_kept
    from sightline.io.forked import LOADED
    from sightline.training.job import run_frozen

    allowed = [word for word in words[1:] if word != LOADED]
    run_frozen(Path(words[0]), allowed, loaded=LOADED in words[1:], importing=imports_kept)
    return 0


COMMAND = Command(help="run the job that is frozen in a folder", run=run)
