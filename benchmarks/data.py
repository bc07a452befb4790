"""Reading images beside a ready tensor and beside torchvision, and what large data sets cost.

Run: python benchmarks/data.py loop CIFAR_FOLDER [rounds]   (a folder with CIFAR-10's train.parquet)
     python benchmarks/data.py photos | manifest | doctor CIFAR_FOLDER | memory CIFAR_FOLDER
"""

import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytorch_lightning as pl
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import datasets
from torchvision.transforms.v2 import CenterCrop, Compose, PILToTensor, Resize

from sightline.config.compose import compose_job
from sightline.data.loading.datasets import Batch
from sightline.data.reading.workers import start_worker
from sightline.runs.folder import RunFolder
from sightline.training.quiet import quiet_libraries
from sightline.training.setup import set_up
from sightline.training.trainer import build_trainer

IMAGES = 10_000
WORKERS = (0, 1, 2, 4)
QUIET = ["+trainer.limit_val_batches=0"]


def write_folder(cifar: Path, root: Path, count: int) -> None:
    """CIFAR-10's own JPEG bytes as ROOT/CLASS/NUMBER.jpg."""
    table = pq.read_table(cifar / "train.parquet").slice(0, count)
    for index, row in enumerate(table.to_pylist()):
        folder = root / str(row["label"])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{index:05d}.jpg").write_bytes(row["image"]["bytes"])


class Speeds(pl.Callback):
    """Images per second of each epoch's training."""

    def __init__(self) -> None:
        self.speeds: list[float] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Note the epoch's speed."""
        self.speeds.append(pl_module.epoch_metrics["train/images_per_second"])


def train(
    overrides: list[str], loader: Callable[[], DataLoader[Batch]] | None = None, epochs: int = 3
) -> list[float]:
    """Images per second of each epoch of Sightline's own loop, over its own loader or another."""
    config, job = compose_job([*overrides, *QUIET, f"trainer.max_epochs={epochs}"])
    pl.seed_everything(0, verbose=False)
    setup = set_up(config)
    if loader is not None:
        setup.datamodule.train_dataloader = loader  # type: ignore[method-assign]
    speeds = Speeds()
    trainer = build_trainer(config, [speeds], RunFolder(job.output_dir), setup.speed.precision)
    trainer.fit(setup.module, datamodule=setup.datamodule)
    return speeds.speeds


def torchvision_loader(root: Path, side: int, workers: int) -> DataLoader[Any]:
    """ImageFolder as torchvision's users write it, without augmentation."""
    steps: list[Any] = [Resize(side), CenterCrop(side)] if side > 32 else []
    folder = datasets.ImageFolder(str(root), Compose([*steps, PILToTensor()]))

    def collate(samples: list[tuple[torch.Tensor, int]]) -> dict[str, torch.Tensor]:
        image = torch.stack([each for each, _ in samples])
        target = torch.tensor([label for _, label in samples])
        return {"image": image, "target": target, "index": torch.zeros(len(samples))}

    return DataLoader(
        folder, 64, shuffle=True, num_workers=workers, collate_fn=collate,
        persistent_workers=workers > 0,
    )  # fmt: skip


def loop(cifar: Path, rounds: int) -> None:
    """The default loop on JPEG files beside a ready tensor and ImageFolder; epochs 2 and 3."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "cifar"
        write_folder(cifar, root, IMAGES)
        os.environ["SIGHTLINE_CACHE"] = f"{folder}/cache"
        base = ["data=folder", f"data.root={root}", "data.val_fraction=0.01", "trainer=cpu",
                "data.test_fraction=0.01"]  # fmt: skip
        kinds: dict[str, Callable[[], list[float]]] = {
            "sightline, default": lambda: train(base),
            "ready tensor": lambda: train([*base, "augment=none", "data.cache=device"]),
            **{
                f"ImageFolder, {n} workers": lambda n=n: train(  # type: ignore[misc]
                    base, lambda: torchvision_loader(root, 32, n)
                )
                for n in WORKERS
            },
        }
        speeds: dict[str, list[float]] = {name: [] for name in kinds}
        for _ in range(rounds):
            for name, run in kinds.items():
                speeds[name].append(statistics.median(run()[1:]))
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    for name, value in medians.items():
        print(f"{name:24}{value:8,.0f} images/s  (rounds: {[round(v) for v in speeds[name]]})")
    best = max(value for name, value in medians.items() if name.startswith("ImageFolder"))
    print(f"of a ready tensor       {medians['sightline, default'] / medians['ready tensor']:8.3f}")
    print(f"of the best ImageFolder {medians['sightline, default'] / best:8.3f}")


def photos(rounds: int) -> None:
    """ResNet-18 at 224 pixels on photographs of 640 × 480, not cached, first epoch."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "photos"
        rng = np.random.default_rng(0)
        for index in range(256):
            place = root / str(index % 2)
            place.mkdir(parents=True, exist_ok=True)
            coarse = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
            coarse.resize((640, 480), Image.Resampling.BICUBIC).save(place / f"{index}.jpg")
        base = ["data=folder", f"data.root={root}", "model=timm", "model.img_size=224",
                "data.cache=none", "augment=none", "trainer=cpu",
                "data.val_fraction=0.01", "data.test_fraction=0.01"]  # fmt: skip
        own: list[float] = []
        theirs: list[float] = []
        for _ in range(rounds):
            own += train(base, epochs=1)
            theirs += train(base, lambda: torchvision_loader(root, 224, 2), epochs=1)
    print(f"sightline   {statistics.median(own):.2f} images/s")
    print(f"ImageFolder {statistics.median(theirs):.2f} images/s")
    print(f"ratio     {statistics.median(a / b for a, b in zip(own, theirs, strict=True)):.3f}")


def manifest() -> None:
    """An index of 1,000,000 rows with 20 labels: seconds, memory, and what each worker adds."""
    from sightline.data.sources.manifest import read_manifest

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.csv"
        rng = np.random.default_rng(0)
        labels = rng.random((1_000_000, 20)) < 0.1
        with path.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["image", *(f"label_{i}" for i in range(20))])
            for index, row in enumerate(labels.astype(int).tolist()):
                writer.writerow([f"images/{index // 1000:04d}/{index:07d}.jpg", *row])
        process = psutil.Process()
        before = process.memory_full_info().uss
        start = time.perf_counter()
        none = dict.fromkeys(
            ("root", "image_column", "label_column", "label_separator", "label_columns",
             "none_label", "split_column", "group_column", "metadata_columns")
        )  # fmt: skip
        data = read_manifest(True, str(path), image_suffix="", allow_outside=False, **none)
        read = time.perf_counter() - start
        from sightline.config.schema import DataConfig
        from sightline.data.splits.make import make_splits

        config, _ = compose_job(["data=manifest", f"data.path={path}"])
        assert isinstance(config.data_common, DataConfig)
        data = make_splits(data, config.data_common)
        seconds = time.perf_counter() - start
        added = (process.memory_full_info().uss - before) / 2**20
        print(f"read {read:.1f} s, with splits {seconds:.1f} s, {added:,.0f} MiB added")
        workers_memory(data.splits["train"])


def workers_memory(split: Any) -> None:
    """What loader workers add that walk over the whole index."""
    from sightline.data.loading.datasets import FileImageDataset

    def read(index: int) -> torch.Tensor:
        return torch.tensor([len(split.ids[index].as_py())])

    loader = DataLoader(FileImageDataset(split, read, 0), 4096, shuffle=True, num_workers=2,
                        persistent_workers=True, worker_init_fn=start_worker)  # fmt: skip
    process = psutil.Process()
    alone = process.memory_full_info().pss
    for batch_index, _ in enumerate(loader):
        if batch_index == 0:
            print(f"{_more(process, alone, 2):.0f} MiB (PSS) for each worker at first, ", end="")
    print(f"{_more(process, alone, 2):.0f} MiB after an epoch")


def _more(process: psutil.Process, alone: int, workers: int) -> float:
    """What each worker adds to the memory of all, MiB: what is shared is counted once."""
    together = [process, *process.children()]
    return (sum(p.memory_full_info().pss for p in together) - alone) / workers / 2**20


def doctor(cifar: Path) -> None:
    """`sightline doctor` over 10,000 small JPEGs."""
    with tempfile.TemporaryDirectory() as folder:
        write_folder(cifar, Path(folder) / "cifar", 10_000)
        environment = os.environ | {"SIGHTLINE_CACHE": f"{folder}/cache"}
        command = [sys.executable, "-m", "sightline.cli", "doctor", "data=folder",
                   f"data.root={folder}/cifar"]  # fmt: skip
        start = time.perf_counter()
        subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True)
        print(f"doctor: {time.perf_counter() - start:.1f} s")


class Resident(pl.Callback):
    """Resident memory after each epoch, in MiB."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Note it."""
        self.values.append(psutil.Process().memory_info().rss / 2**20)


def memory(cifar: Path) -> None:
    """Resident memory over 20 epochs of the default loop."""
    with tempfile.TemporaryDirectory() as folder:
        write_folder(cifar, Path(folder) / "cifar", 2_000)
        os.environ["SIGHTLINE_CACHE"] = f"{folder}/cache"
        config, job = compose_job(
            ["data=folder", f"data.root={folder}/cifar", "trainer.max_epochs=20", "trainer=cpu"]
        )
        setup = set_up(config)
        resident = Resident()
        build_trainer(config, [resident], RunFolder(job.output_dir), setup.speed.precision).fit(
            setup.module, datamodule=setup.datamodule
        )
    print(f"MiB after each epoch: {[round(value) for value in resident.values]}")


if __name__ == "__main__":
    quiet_libraries()
    what, *rest = sys.argv[1:] or ["loop"]
    if what == "loop":
        loop(Path(rest[0]), int(rest[1]) if len(rest) > 1 else 3)
    elif what == "photos":
        photos(int(rest[0]) if rest else 3)
    elif what == "manifest":
        manifest()
    elif what == "doctor":
        doctor(Path(rest[0]))
    elif what == "memory":
        memory(Path(rest[0]))
    else:
        sys.exit(__doc__)
