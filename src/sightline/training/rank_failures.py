"""Failures of ranks: the rank that fails says why, and the others end because of it.

A rank that is gone breaks the connections of all others, whose own errors say nothing of the cause.
So a rank leaves its error's text in the store by which the ranks found each other; rank 0 ends with
that text, and further ranks end without a word.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from torch import distributed
from torch.distributed.distributed_c10d import _get_default_store

from sightline.cluster.slurm import own_job
from sightline.errors import Interrupted, UserError, first_line
from sightline.training.rank_processes import RankProcesses

KEY = "sightline/failed"
WAIT_S = 3  # for the process that is gone to have a status
# Of what gloo, NCCL and the store say when a rank is gone.
GONE = ("closed by peer", "reset by peer", "broken pipe", "remote process", "remote rank",
        "client socket", "failed to recv", "waiting for clients", "socket timeout")  # fmt: skip
NOISE = re.compile(r"^\[\S+:\d+\] |\. (This is|Check the) .*$")


class OtherRankFailed(Exception):
    """The end of a further rank because another one ended: that one reports it."""


@contextmanager
def failures_named(ranks: RankProcesses, rank: int, resume: str) -> Iterator[None]:
    """Inside, a rank that ends because of another one says so, and one that fails leaves the cause.

    Args:
        ranks: that this process started.
        rank: of this process.
        resume: the command that resumes the run.

    Raises:
        UserError: in rank 0, where another one failed; names it.
        OtherRankFailed: in a further rank.
    """
    try:
        yield
    except (Exception, Interrupted) as error:
        ranks.leave()
        if rank == 0:
            cause = _read_cause() if _is_of_others(error) else ""
            if cause or _is_connection(error):
                raise _of_other(cause, ranks, error, resume) from error
        elif _is_connection(error):
            raise OtherRankFailed(first_line(error)) from error
        elif isinstance(error, Exception):
            _leave_cause(rank, error)
        raise
    finally:
        ranks.leave()


def _of_other(cause: str, ranks: RankProcesses, error: BaseException, resume: str) -> UserError:
    cause = cause or ranks.ended(WAIT_S) or f"another process is gone ({_without_advice(error)})"
    again = f"Resume it with: {resume}"
    if own_job() is not None:
        again += " (where a node failed, Slurm requeues the job, and it resumes by itself)"
    return UserError(
        f"The training cannot continue: {cause}. What was logged and saved before is complete. "
        f"{again}"
    )


def _without_advice(error: BaseException) -> str:
    """What gloo or NCCL says, without its source file and its guesses."""
    return NOISE.sub("", first_line(error))[:200]


def _is_of_others(error: BaseException) -> bool:
    """Whether another rank may be the cause: a lost connection, or the signal of a launcher."""
    return _is_connection(error) or isinstance(error, Interrupted)


def _is_connection(error: BaseException) -> bool:
    """Whether an error is that of a connection to a rank that is gone."""
    text = str(error).lower()
    if isinstance(error, distributed.DistError):
        return "server socket" not in text  # that is of this process's own port
    return isinstance(error, RuntimeError) and any(each in text for each in GONE)


def _leave_cause(rank: int, error: Exception) -> None:
    """Leave an error's text for rank 0, where the ranks are connected."""
    kind = "" if isinstance(error, UserError | OSError) else f"{type(error).__name__}: "
    text = f"process {rank} failed: {kind}{error}".strip().removesuffix(".")
    try:
        store = _get_default_store()
        store.set(KEY, text)
    except (RuntimeError, ValueError):  # never connected, or rank 0 is gone: its status is left
        return


def _read_cause() -> str:
    """What a rank left, or an empty string."""
    try:
        store = _get_default_store()
        return store.get(KEY).decode(errors="replace") if store.check([KEY]) else ""
    except (RuntimeError, ValueError):  # never connected
        return ""
