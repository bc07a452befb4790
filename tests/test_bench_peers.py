"""The benchmark beside other frameworks: its peers, its table and one training of the simplest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from support.scripts import ROOT


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


def result(row: str, round_: int, speed: float | None, epochs: int = 5) -> dict[str, Any]:
    return {
        "row": row, "epochs": epochs, "images_per_second": speed, "first_step_s": 4.0 + round_,
        "val_accuracy": 0.6, "gpu": None, "versions": {"torch": "2.15.0", row: "1.0"},
        "seconds": 10.0 * epochs, "peak_mib": 1000.4, "compared": epochs == 5, "round": round_,
        "data": "CIFAR-10", "images": 9000, "threads": 2, "cpu": "a processor", "day": "2026-11-29",
    }  # fmt: skip


RESULTS = [
    result("by_hand", 0, 1000.0), result("quick", 0, 1800.0), result("quick", 0, None, epochs=1),
    result("by_hand", 1, 500.0), result("quick", 1, 1000.0), result("quick", 2, 1200.0),
]  # fmt: skip
TITLES = {"by_hand": "By hand", "absent": "Never run", "quick": "**Quick**"}


def written(tmp_path: Path, results: list[Mapping[str, Any]]) -> str:
    from benchmarks.bench_peers.page import write_page

    page = tmp_path / "benchmarks" / "README.md"
    page.parent.mkdir()
    page.write_text(
        "before\n<!-- peers cpu -->\nold\n<!-- end of peers cpu -->\n"
        "<!-- peers gpu -->\nkept\n<!-- end of peers gpu -->\nafter\n"
    )
    write_page(results, TITLES, page, tmp_path / "docs" / "images")
    return page.read_text()


def test_table_of_results(tmp_path: Path) -> None:
    """Medians, the ratio round by round, the fastest first; the rest of the page stays."""
    text = written(tmp_path, json.loads(json.dumps(RESULTS)))
    rows = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    assert rows[1:] == [
        "| **Quick** | 1,200 (1,000 to 1,800) | 1.90 (1.80 to 2.00) | 10.0 s | 50.0 s | 5.0 s "
        "| 1,000 MiB | 0.600 |",
        "| By hand | 750 (500 to 1,000) | 1.00 (1.00 to 1.00) | – | 50.0 s | 4.5 s "
        "| 1,000 MiB | 0.600 |",
    ]
    assert "by_hand 1.0, quick 1.0, torch 2.15.0" in text
    assert "9,000 JPEG files of CIFAR-10" in text
    assert "medians of 3 rounds" in text
    assert "](../docs/images/peers_cpu.png)" in text
    assert (tmp_path / "docs/images/peers_cpu.png").read_bytes().startswith(b"\x89PNG")
    assert text.startswith("before\n")
    assert text.endswith("<!-- peers gpu -->\nkept\n<!-- end of peers gpu -->\nafter\n")
    assert "old" not in text


def test_results_of_a_gpu_have_their_own_table(tmp_path: Path) -> None:
    on_gpu = {"gpu": "a GPU", "gpu_percent": 41.6, "gpu_peak_mib": 812.0}
    text = written(tmp_path, [{**each, **on_gpu} for each in RESULTS])
    cpu, gpu = text.split("<!-- peers gpu -->")
    assert "old" in cpu
    assert "| GPU used | GPU memory |" in gpu
    assert "| 42 % | 812 MiB |" in gpu
    assert "a GPU, 2 threads" in gpu


def test_a_page_without_a_place_is_an_error() -> None:
    from benchmarks.bench_peers.table import put_between

    with pytest.raises(ValueError, match="no place for this text: <!-- peers cpu -->"):
        put_between("nothing here", "peers cpu", "text")


def test_each_file_is_a_peer() -> None:
    """Found without an import of its packages, and with a function that trains."""
    from benchmarks.bench_peers.registry import PEERS, find_peers

    peers = find_peers()
    assert {peer.file for peer in peers} == {path.stem for path in PEERS.glob("*.py")}
    assert len({peer.row for peer in peers}) == len(peers)
    assert {"by_hand", "bare", "bare_bf16", "sightline", "sightline_auto", "lightning", "timm",
            "fastai", "keras", "autotimm"} <= {peer.row for peer in peers}  # fmt: skip
    assert all("def train(task: Task, clock: Clock) -> float:" in path.read_text()
               for path in PEERS.glob("*.py"))  # fmt: skip


def test_a_peer_that_cannot_be_measured_says_why(tmp_path: Path) -> None:
    from benchmarks.bench_peers.registry import find_peers

    (tmp_path / "new.py").write_text(
        'ROWS = {"new": "New"}\nPACKAGES = ("torch", "no_such_package")\nNEEDS = ("timm_train",)\n'
    )
    (tmp_path / "script.py").write_text(
        'ROWS = {"a": "A", "b": "B"}\nPACKAGES = ()\nNEEDS = ("timm_train",)\n'
    )
    new, a, b = find_peers(tmp_path)
    assert new.missing({"timm_train"}) == (
        "New is left out: no_such_package is not installed; pip install -e '.[peers]' brings it."
    )
    assert a.missing(()) == "A is left out: give TIMM_TRAIN=PATH to measure it too."
    assert b.missing({"timm_train"}) is None


def test_hand_written_loop_on_generated_images(tmp_path: Path) -> None:
    """64 images without CIFAR-10, two epochs, in this process."""
    from benchmarks.bench_peers.images import write_images
    from benchmarks.bench_peers.process import run_peer
    from benchmarks.bench_peers.task import Task

    counts = {"train": 64, "val": 20}
    assert write_images(tmp_path / "absent", tmp_path, counts).startswith("generated images")
    assert {split: len(list(tmp_path.glob(f"{split}/*/*.jpg"))) for split in counts} == counts
    said = run_peer("by_hand", Task(str(tmp_path), 2, 0, 0.0, "by_hand"))
    assert said["images_per_second"] > 0
    assert said["first_step_s"] > 0
    (first, second) = said["training"]
    assert first[0] <= first[1] <= second[0] <= second[1]
    assert 0 <= said["val_accuracy"] <= 1
    assert {"torch", "torchvision"} <= {*said["versions"]}
    json.dumps(said)  # one line of JSON
