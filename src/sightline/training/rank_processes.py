"""Processes of the further ranks on this machine: started by rank 0, and watched by it."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterable, Mapping, Sequence

GRACE_S = 30  # for rank 0 to notice by itself that another one is gone


class RankProcesses:
    """The further ranks of a training, started by Lightning's launcher in rank 0.

    Rank 0 notices the end of another one where it communicates next, and reports it. Where it does
    not within `GRACE_S`, as in a collective on GPUs, it is killed, as nothing else can end it;
    Lightning's own observer kills it within 5 s, and the run's error is not logged.

    Args:
        command: of a rank.
        environment: variables of a rank, beside those of this process.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command = command
        self._environment = environment
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._left = threading.Event()

    def start(self, ranks: Iterable[int]) -> None:
        """Start these ranks."""
        for rank in ranks:
            variables = os.environ | self._environment | {"LOCAL_RANK": str(rank)}
            self._processes[rank] = subprocess.Popen(self._command, env=variables)
        threading.Thread(target=self._watch, daemon=True, name="ranks").start()

    def leave(self) -> None:
        """Stop watching: rank 0 communicates with the others no more."""
        self._left.set()

    def ended(self, wait_s: float = 0) -> str:
        """How a rank ended that failed, in words; empty where there is none.

        Args:
            wait_s: how long the end of one is waited for.
        """
        waiting = threading.Event()
        for _ in range(max(1, round(wait_s / 0.1))):
            for rank, process in self._processes.items():
                status = process.poll()
                if status:
                    return f"process {rank} {_in_words(status)}"
            if not self._processes or not wait_s:
                break
            waiting.wait(0.1)
        return ""

    def _watch(self) -> None:
        while not self._left.wait(1):
            ended = self.ended()
            if ended and not self._left.wait(GRACE_S):
                # Not the log: the main thread may hold its locks.
                os.write(2, f"Error: The training cannot continue: {ended}.\n".encode())
                for process in self._processes.values():
                    process.kill()
                os.kill(os.getpid(), signal.SIGKILL)


def _in_words(status: int) -> str:
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}" + (
            " (by hand, or out of memory)" if status == -signal.SIGKILL else ""
        )
    return f"ended with status {status}"
