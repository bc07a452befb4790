"""The end of several ranks because of one: said once, with its cause."""

from __future__ import annotations

import os
import signal
import sys
import threading

import pytest
from torch import distributed

from sightline.config.components import build
from sightline.errors import Interrupted, UserError
from sightline.training import rank_failures, rank_processes
from sightline.training.rank_failures import OtherRankFailed, failures_named
from sightline.training.rank_processes import RankProcesses

# What torch 2 says: of gloo, of the store, of NCCL.
GONE = [
    RuntimeError("[pair.cc:561] Connection closed by peer [127.0.0.1]:21917. This is typical"),
    RuntimeError("[pair.cc:545] Read error [127.0.0.1]:18307: Connection reset by peer."),
    distributed.DistNetworkError("failed to recv, got 0 bytes. Connection was likely closed."),
    distributed.DistStoreError("Timed out after 1801 seconds waiting for clients. 1/2 joined."),
    distributed.DistBackendError("NCCL communicator was aborted on rank 0."),
]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> distributed.Store:
    found = distributed.HashStore()
    monkeypatch.setattr(rank_failures, "_get_default_store", lambda: found)
    monkeypatch.setattr(rank_failures, "WAIT_S", 0)
    return found


def test_a_lost_connection_names_the_peer_and_the_command_that_resumes(
    store: distributed.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    with pytest.raises(UserError) as found:
        fail(0, GONE[0])
    assert str(found.value) == (
        "The training cannot continue: another process is gone (Connection closed by peer "
        "[127.0.0.1]:21917). What was logged and saved before is complete. Resume it with: "
        "sightline train resume=F (where a node failed, Slurm requeues the job, and it resumes by "
        "itself)"
    )


def fail(rank: int, error: BaseException) -> None:
    with failures_named(RankProcesses([], {}), rank, "sightline train resume=F"):
        raise error


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("error", GONE, ids=lambda error: type(error).__name__)
def test_the_others_end_because_of_the_first(error: Exception) -> None:
    """Whether it is rank 0 or another one that failed by itself."""
    with pytest.raises(UserError, match="another process is gone"):
        fail(0, error)
    with pytest.raises(OtherRankFailed):
        fail(1, error)
    with pytest.raises(UserError, match=r"x\.png is damaged"):
        fail(1, UserError("x.png is damaged."))
    with pytest.raises(UserError, match=r"process 1 failed: x\.png is .* resume=F$"):
        fail(0, error)


@pytest.mark.usefixtures("store")
def test_a_launchers_signal_because_of_a_rank() -> None:
    """torchrun ends rank 0 by SIGTERM as soon as another one has failed."""
    with pytest.raises(Interrupted):
        fail(0, Interrupted(signal.SIGTERM))
    with pytest.raises(RuntimeError, match="broke"):
        fail(3, RuntimeError("it broke"))
    with pytest.raises(UserError, match="process 3 failed: RuntimeError: it broke"):
        fail(0, Interrupted(signal.SIGTERM))


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("error", [
    RuntimeError("the plugin broke"), UserError("no room"), OSError(28, "No space left"),
    distributed.DistNetworkError("The server socket has failed to listen on any local address"),
])  # fmt: skip
@pytest.mark.parametrize("rank", [0, 1])
def test_a_ranks_own_error_stays_its_own(error: Exception, rank: int) -> None:
    with pytest.raises(type(error)) as found:
        fail(rank, error)
    assert found.value is error


def test_without_a_connection_the_error_stays() -> None:
    """There is no store before the ranks have found each other."""
    with pytest.raises(UserError, match="no data"):
        fail(1, UserError("no data"))
    with pytest.raises(Interrupted):
        fail(0, Interrupted(signal.SIGTERM))


@pytest.mark.parametrize(("code", "words"), [
    ("import sys; sys.exit(3)", "process 1 ended with status 3"),
    ("import os; os.kill(os.getpid(), 9)", "process 1 was killed by SIGKILL (by hand, or out of"),
])  # fmt: skip
def test_a_rank_that_is_gone_is_named(code: str, words: str) -> None:
    ranks = RankProcesses([sys.executable, "-c", code], {})
    ranks.start([1])
    assert ranks.ended(wait_s=60).startswith(words)
    ranks.leave()


def test_rank_0_that_hangs_is_ended_with_a_message(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    killed: list[tuple[int, int]] = []
    done = threading.Event()
    monkeypatch.setattr(rank_processes, "GRACE_S", 0)
    ranks = RankProcesses([sys.executable, "-c", "import sys; sys.exit(3)"], {})

    def kill(*arguments: int) -> None:
        killed.append(arguments)  # type: ignore[arg-type]
        ranks.leave()
        done.set()

    monkeypatch.setattr(os, "kill", kill)
    ranks.start([1])
    assert done.wait(60)
    assert killed == [(os.getpid(), signal.SIGKILL)]
    assert "Error: The training cannot continue: process 1 ended with status 3." in (
        capfd.readouterr().err
    )


def test_srun_without_the_tasks_of_a_node_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Lightning's own error, of `srun --ntasks=2 sightline train`."""
    for name, value in {"SLURM_NTASKS": "2", "SLURM_JOB_NAME": "x", "SLURM_PROCID": "0"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SLURM_NTASKS_PER_NODE", raising=False)
    node = {"_target_": "pytorch_lightning.Trainer", "accelerator": "cpu", "logger": False}
    with pytest.raises(UserError, match=r"trainer: .*--ntasks-per-node=2"):
        build(node, "trainer", [])
