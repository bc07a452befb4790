"""The order of the trainings: rows take turns, and every second round is in reverse."""

import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.bench_peers.images import write_images
from benchmarks.bench_peers.measure import PeerFailed, measure
from benchmarks.bench_peers.registry import Peer
from benchmarks.bench_peers.task import Task

VAL, TEST = 1_000, 500  # images; the test images are not read, but Sightline looks for a folder


@dataclass(frozen=True)
class Schedule:
    """What is run.

    Attributes:
        rounds: trainings of each row that are compared.
        epochs: of these.
        also: numbers of epochs of which only the time is taken, in the first round.
        images: for training.
        threads: of PyTorch, and workers of a loader that reads files.
        cifar: folder with CIFAR-10's train.parquet.
        timm_train: path of timm's train.py.
        minutes: after which no further training starts; None: all are run.
    """

    rounds: int
    epochs: int
    also: Sequence[int]
    images: int
    threads: int
    cifar: Path
    timm_train: str | None
    minutes: float | None

    def run(self, peers: Sequence[Peer]) -> Iterator[dict[str, Any]]:
        """Each training's result as it ends; a peer that fails is named, and not run again."""
        until = time.monotonic() + 60 * (self.minutes or float("inf"))
        with tempfile.TemporaryDirectory() as folder:
            counts = {"train": self.images, "val": VAL, "test": TEST}
            data = write_images(self.cifar, Path(folder) / "images", counts)
            common = {
                "data": data, "images": self.images, "threads": self.threads, "cpu": _cpu_name(),
                "day": time.strftime("%Y-%m-%d"),
            }  # fmt: skip
            failed: set[Peer] = set()
            for round_, epochs, peer in self._turns(peers):
                if time.monotonic() > until:
                    print(f"The {self.minutes:g} minutes are over; the rest is not run.")
                    return
                if peer in failed:
                    continue
                task = Task(f"{folder}/images", epochs, self.threads, 0, peer.row, self.timm_train)
                try:
                    result = measure(peer, task, self.threads)
                except PeerFailed as error:
                    print(f"{peer.title} is left out from here on, as it failed: {error}")
                    failed.add(peer)
                    continue
                yield {**result, "compared": epochs == self.epochs, "round": round_, **common}

    def _turns(self, peers: Sequence[Peer]) -> Iterator[tuple[int, int, Peer]]:
        for round_ in range(self.rounds):
            order = peers if round_ % 2 == 0 else peers[::-1]
            for epochs in (self.epochs, *(self.also if round_ == 0 else ())):
                for peer in order:
                    yield round_, epochs, peer


def _cpu_name() -> str:
    """The processor's model, where the system says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
