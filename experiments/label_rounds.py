"""Rounds of labelling: images are chosen by a model, labelled, and the model is trained anew.

    python experiments/label_rounds.py all.csv --root images --start 300 --budget 300 --rounds 5 \
        trainer.max_epochs=20

Question: how many labels does each way to choose images need? `all.csv` has the columns image,
label and split (train, val, test). Its train rows are taken for images without labels, whose label
is read once they are chosen; val and test stay as they are. Each draw begins with other images, one
of each class among them, the same for every way. The same command again goes on where it ended.

Written to the output folder: a run for each way, draw and round, `rounds.csv`, and `rounds.png`.
Result: not run here to its end.
"""

import argparse
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import sightline
from sightline.errors import UserError

RANDOM = "random"


def main() -> None:
    """Run all rounds of all ways, and draw the curve."""
    options, words = _parser().parse_known_args()
    table = pd.read_csv(options.table, dtype=str)
    output = Path(options.output)
    rows = []
    for draw in range(options.draws):
        for way in options.ways:
            folder = output / way / f"draw{draw}"
            for labels, value in rounds(table, way, draw, folder, options, words):
                rows.append({"way": way, "draw": draw, "labels": labels, options.metric: value})
                pd.DataFrame(rows).to_csv(output / "rounds.csv", index=False)
    drawn(pd.DataFrame(rows), options.metric).savefig(output / "rounds.png", dpi=150)


def rounds(
    table: pd.DataFrame, way: str, draw: int, folder: Path, options: argparse.Namespace,
    words: list[str],
) -> list[tuple[int, float]]:  # fmt: skip
    """How many labels there were in each round, and the metric on test.

    Args:
        table: all images, with the columns image, label and split.
        way: to choose: random, or a value of `rank` of `sightline predict`.
        draw: of the first images, and the seed of the trainings.
        folder: of its runs.
        options: of the command.
        words: overrides of the config.
    """
    pool, others = table[table.split == "train"], table[table.split != "train"]
    rng = np.random.default_rng(draw)
    shuffled = pool.iloc[rng.permutation(len(pool))]
    first = ~shuffled.duplicated("label")  # a model knows the classes of its training images
    labelled = pd.concat([shuffled[first], shuffled[~first]])[: options.start]
    found = []
    for number in range(options.rounds):
        here = folder / f"round{number}"
        here.mkdir(parents=True, exist_ok=True)
        known, rest = here / "labelled.csv", pool.drop(labelled.index)
        pd.concat([labelled, others]).to_csv(known, index=False)
        run = sightline.train([
            "data=manifest", f"data.path={known}", f"data.root={options.root}",
            "data.split_column=split", f"seed={draw}", f"hydra.run.dir={here / 'run'}", *words,
        ])  # fmt: skip
        found.append((len(labelled), float(run.logged[f"test/{options.metric}"])))
        if number + 1 < options.rounds:
            names = _chosen(run.folder, rest, way, rng, here, options)
            labelled = pd.concat([labelled, rest[rest.image.isin(names)]])
    return found


def _chosen(
    run: Path | None, rest: pd.DataFrame, way: str, rng: np.random.Generator, here: Path,
    options: argparse.Namespace,
) -> list[str]:  # fmt: skip
    """The names of the images to label next."""
    if way == RANDOM:
        return list(rest.image.iloc[rng.permutation(len(rest))[: options.budget]])
    unlabelled, chosen = here / "unlabelled.csv", here / "next.csv"
    rest[["image"]].to_csv(unlabelled, index=False)
    command = [
        "sightline", "predict", f"run={run}", f"input={unlabelled}", f"root={options.root}",
        f"rank={way}", f"budget={options.budget}", f"output={chosen}", "overwrite=true",
    ]  # fmt: skip
    if way == "coreset":
        command.append(f"labelled={here / 'labelled.csv'}")
    subprocess.run(command, check=True)
    return list(pd.read_csv(chosen, dtype=str)["id"])


def drawn(rows: pd.DataFrame, metric: str) -> Figure:
    """The mean over draws with its standard error, over the number of labels."""
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    ax = figure.subplots()
    for way, of_way in rows.groupby("way"):
        values = of_way.groupby("labels")[metric]
        ax.errorbar(values.mean().index, values.mean(), values.sem(), marker="o", label=way)
    ax.set_xlabel("labels")
    ax.set_ylabel(f"{metric} on test, mean of draws ± standard error")
    ax.grid(color="0.93")
    ax.legend()
    return figure


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("table", help="CSV with the columns image, label and split")
    parser.add_argument("--root", default=".", help="the folder that images are relative to")
    parser.add_argument("--ways", nargs="+", default=[RANDOM, "margin"], help="to choose images")
    parser.add_argument("--start", type=int, default=100, help="labels of the first round")
    parser.add_argument("--budget", type=int, default=100, help="labels that each round adds")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--metric", default="accuracy")
    parser.add_argument("--output", default="label_rounds")
    return parser


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"Error: {error}") from error
