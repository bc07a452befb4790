"""Sightline beside other frameworks: the same images, network, batch and augmentation.

Each training is a process of its own. Writes the table and the figure of benchmarks/README.md, one
for a CPU and one for a GPU. Run: make bench-peers (python -m benchmarks.bench_peers --help)
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bench_peers.measure import ROOT
from benchmarks.bench_peers.page import one_line, write_page
from benchmarks.bench_peers.registry import Peer, find_peers
from benchmarks.bench_peers.schedule import Schedule


def parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.bench_peers")
    add = parser.add_argument
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    add("--rounds", type=int, default=2, help="trainings of each row that are compared (2)")
    add("--epochs", type=int, default=5, help="of these (5)")
    add("--also", type=int, nargs="*", default=[1], metavar="EPOCHS",
        help="other lengths whose time is taken once (1); 1 20, say")  # fmt: skip
    add("--minutes", type=float, help="after which no further training starts")
    add("--images", type=int, default=9_000, help="for training (9,000)")
    add("--rows", nargs="+", help="keys of some rows; else all")
    add("--threads", type=int, default=cores, help="of PyTorch and of loaders (one a core)")
    add("--cifar", type=Path, default=ROOT.parent / "shared/data/cifar10",
        help="folder with CIFAR-10's train.parquet; without it images are generated")  # fmt: skip
    add("--timm-train", metavar="PATH", help="train.py of a checkout of timm")
    add("--results", type=Path, default=ROOT / ".peers/results.jsonl", metavar="FILE",
        help="a line of JSON for each training, as it ends")  # fmt: skip
    add("--write", action="store_true", help="train nothing: write what FILE holds into the README")
    return parser.parse_args(words)


def measure_all(given: argparse.Namespace, peers: Sequence[Peer]) -> None:
    """Train, with a line for each result in the terminal and in the file."""
    timm_train = given.timm_train and str(Path(given.timm_train).resolve(strict=True))
    schedule = Schedule(given.rounds, given.epochs, given.also, given.images, given.threads,
                        given.cifar, timm_train, given.minutes)  # fmt: skip
    able = []
    for peer in peers:
        why = peer.missing({"timm_train"} if timm_train else ())
        if why is None:
            able.append(peer)
        else:
            print(why)
    given.results.parent.mkdir(parents=True, exist_ok=True)
    with given.results.open("w") as file:
        for result in schedule.run(able):
            file.write(json.dumps(result) + "\n")
            file.flush()
            print(one_line(result), flush=True)


def main(given: argparse.Namespace) -> None:
    """Measure, and write the table and the figure."""
    peers = [peer for peer in find_peers() if not given.rows or peer.row in given.rows]
    if not given.write:
        measure_all(given, peers)
    results = [json.loads(line) for line in given.results.read_text().splitlines()]
    titles = {peer.row: peer.title for peer in find_peers()}
    write_page(results, titles, ROOT / "benchmarks/README.md", ROOT / "docs/images")


if __name__ == "__main__":
    main(parse(sys.argv[1:]))
