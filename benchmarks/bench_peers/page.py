"""The part of benchmarks/README.md on peers: a caption, the table, the figure and the versions."""

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bench_peers.figure import draw
from benchmarks.bench_peers.summary import summarise
from benchmarks.bench_peers.table import describe_versions, make_table, write_between
from benchmarks.bench_peers.task import BATCH, LR


def write_page(
    results: Sequence[Mapping[str, Any]], titles: Mapping[str, str], page: Path, figures: Path
) -> None:
    """Write the part for the device of these results; that of the other device stays.

    Args:
        results: one of each training.
        titles: of the rows, by key.
        page: with the markers `<!-- peers cpu -->` and `<!-- peers gpu -->`.
        figures: folder of peers_cpu.png and peers_gpu.png.
    """
    rows = summarise(results, titles)
    device = "gpu" if any(result["gpu"] for result in results) else "cpu"
    figure = figures / f"peers_{device}.png"
    link = figure.relative_to(page.parent.parent)
    parts = [
        describe_run(results),
        make_table(rows),
        f"![Images per second and the time of the command of each row](../{link})",
        f"Python {platform.python_version()}, {describe_versions(results)}.",
    ]
    draw(rows, figure)
    write_between(page, f"peers {device}", "\n\n".join(parts))


def describe_run(results: Sequence[Mapping[str, Any]]) -> str:
    """One paragraph: what all rows trained, on what, and how often."""
    first = results[0]
    compared = [result for result in results if result["compared"]]
    rounds = len({result["round"] for result in compared})
    return (
        f"{first['gpu'] or first['cpu']}, {first['threads']} threads, {first['day']}: "
        f"{first['images']:,} JPEG files of {first['data']}, batch {BATCH}, flip and normalise, "
        f"AdamW at {LR}, {compared[0]['epochs']} epochs, medians of {rounds} rounds "
        "(least to greatest)."
    )


def one_line(result: Mapping[str, Any]) -> str:
    """A training for the terminal, as it ends."""
    speed, step = result["images_per_second"], result["first_step_s"]
    return (
        f"round {result['round'] + 1}  {result['row']:16} {result['epochs']:3} epochs  "
        f"{f'{speed:7,.0f} images/s' if speed else ' ' * 16}  command {result['seconds']:6.1f} s  "
        f"first step {step:5.1f} s  {result['peak_mib']:6,.0f} MiB  "
        f"val accuracy {result['val_accuracy']:.3f}"
    )
