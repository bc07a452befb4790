"""How long `sightline compare` takes on a store of 1,000 runs, each with 10,000 stored predictions.

The store is made once, through MLflow's own API, and kept: 200 configs with five seeds each, ten
classes, every fiftieth run failed. The time is of the whole process, imports included.

Run: python benchmarks/compare.py FOLDER [runs] [rounds]
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from sightline.predictions import Predictions

CLASSES = tuple(f"class{index}" for index in range(10))
SAMPLES, SEEDS = 10_000, 5
METRICS = 65  # a run: those of train, val, the best checkpoint and test
COMMANDS = {
    "best of val, accuracy": ["metric=val_best/accuracy"],
    "best of val, macro F1": ["metric=val_best/f1_macro"],
    "test, log loss": ["metric=test/loss"],
}


def make_store(folder: Path, runs: int) -> None:
    """`runs` runs as trainings log them, of classifiers that differ a little in accuracy."""
    folder.mkdir(parents=True, exist_ok=True)
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.create_experiment("many", str(folder / "mlartifacts" / "many"))
    rng = np.random.default_rng(0)
    targets = rng.integers(len(CLASSES), size=SAMPLES)
    for number in range(runs):
        config, seed = divmod(number, SEEDS)
        accuracy = 0.80 + 0.1 * config * SEEDS / runs + rng.normal(0, 0.002)
        _log_run(client, experiment, config, seed, _predict(targets, accuracy, rng))
        if number % 100 == 99:
            print(f"{number + 1} runs")


def _predict(targets: np.ndarray, accuracy: float, rng: np.random.Generator) -> Predictions:
    """A classifier that is right with this probability, and sure of it to different degrees."""
    right = rng.random(SAMPLES) < accuracy
    shift = rng.integers(1, len(CLASSES), size=SAMPLES)
    decided = np.where(right, targets, (targets + shift) % len(CLASSES))
    logits = rng.normal(size=(SAMPLES, len(CLASSES)))
    logits[np.arange(SAMPLES), decided] = logits.max(axis=1) + rng.exponential(2, SAMPLES)
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    ids = np.array([f"images/{index:05d}.png" for index in range(SAMPLES)])
    return Predictions(ids, targets, probs.astype(np.float32), CLASSES, "multiclass")


def _log_run(
    client: MlflowClient, experiment: str, config: int, seed: int, table: Predictions
) -> None:
    accuracy = float((table.probs.argmax(axis=1) == table.targets).mean())
    loss = float(-np.log(table.probs[np.arange(SAMPLES), table.targets]).mean())
    lr, width = 10 ** -(1 + config % 20 / 5), 16 * (1 + config // 20)
    params = {f"part.option{index}": "the same for all" for index in range(35)} | {
        "model": "cnn", "label_mode": "multiclass", "monitor": "val/loss", "seed": seed,
        "data": "many", "data.fold": 0, "optimizer.lr": f"{lr:.2g}", "model.width": width,
        "group": f"cnn lr={lr:.2g} width={width}",
        **{f"data.digest.{split}": f"digest of {split}" for split in ("train", "val", "test")},
    }  # fmt: skip
    values = {
        f"{prefix}/{name}": value - 0.001 * (prefix == "val")
        for prefix in ("val", "val_best", "test")
        for name, value in {"accuracy": accuracy, "f1_macro": accuracy, "loss": loss}.items()
    }
    values |= {f"other/metric{index}": accuracy for index in range(METRICS - len(values))}
    name = f"cnn s{seed} lr={lr:.2g} width={width}"
    run = client.create_run(experiment, tags={"run_key": f"{config}-{seed}"}, run_name=name)
    run_id = run.info.run_id
    moment = int(time.time() * 1000)
    client.log_batch(
        run_id,
        [Metric(key, value, moment, 0) for key, value in values.items()],
        [Param(key, str(value)) for key, value in params.items()],
        [RunTag(f"tag{index}", "as trainings set") for index in range(8)],
    )
    for split in ("val", "test"):
        table.write(Path(run.info.artifact_uri) / f"predictions/{split}.parquet")
    client.set_terminated(run_id, "FAILED" if (config * SEEDS + seed) % 50 == 49 else "FINISHED")


def main(folder: Path, runs: int, rounds: int) -> None:
    """Make the store where it is not there, and print the median of several commands."""
    if not (folder / "mlflow.db").is_file():
        make_store(folder, runs)
    for title, options in COMMANDS.items():
        seconds = []
        for _ in range(rounds):
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "sightline.cli", "compare", "tracking.experiment=many",
                 f"output={folder / 'comparison'}", "overwrite=true", *options],
                cwd=folder, check=True, capture_output=True,
            )  # fmt: skip
            seconds.append(time.perf_counter() - start)
        print(f"{title:24s} {statistics.median(seconds):6.2f} s (of {rounds} rounds, "
              f"{min(seconds):.2f} to {max(seconds):.2f})")  # fmt: skip


if __name__ == "__main__":
    main(
        Path(sys.argv[1]).absolute(),
        int(sys.argv[2]) if len(sys.argv) > 2 else 1000,
        int(sys.argv[3]) if len(sys.argv) > 3 else 3,
    )
