"""`sightline predict` beside a hand-written prediction loop, over the same photographs.

Both read JPEG files in as many worker processes and run the same model in batches of the same
size; the hand-written one keeps the probabilities, Sightline writes its partial file and its
table. The model is tiny, so that reading is what takes time. The ratio of images per second is
taken round by round, so that a drift of the machine's speed cancels.
Run: python benchmarks/predict.py [rounds] [images] [workers]
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from sightline.inference.inputs import read_inputs
from sightline.inference.model import LoadedModel
from sightline.inference.result_rows import schema_of
from sightline.inference.resumable_table import make_table
from sightline.inference.table_options import TableOptions
from sightline.label_modes.multiclass import Multiclass
from sightline.models.classifier import Classifier
from sightline.types import PreprocessSpec

SIZE, BATCH = 160, 64
SPEC = PreprocessSpec(SIZE, 3, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Files(Dataset[torch.Tensor]):
    """What one would write: open, convert, resize, crop, to a tensor."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        self.transform = v2.Compose(
            [v2.Resize(SIZE), v2.CenterCrop(SIZE), v2.PILToTensor(), v2.ToDtype(torch.uint8)]
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        with Image.open(self.paths[index]) as image:
            tensor: torch.Tensor = self.transform(image.convert("RGB"))
        return tensor


def hand_written(model: LoadedModel, paths: list[Path], workers: int) -> float:
    """Images per second."""
    began = time.perf_counter()
    loader = DataLoader(Files(paths), batch_size=BATCH, num_workers=workers)
    with torch.inference_mode():
        torch.cat([model.classifier(batch).softmax(dim=1) for batch in loader])
    return len(paths) / (time.perf_counter() - began)


def sightline(model: LoadedModel, folder: Path, output: Path, workers: int) -> float:
    """Images per second, from finding the images to the table."""
    began = time.perf_counter()
    inputs = read_inputs(folder)
    decisions = model.decisions()
    options = TableOptions.model_validate(
        {"run": "", "input": str(folder), "output": str(output), "overwrite": True}
    )
    make_table(
        options, schema_of(decisions.schema), {"input": inputs.fingerprint}, len(inputs),
        lambda start: model.predict_rows(inputs, decisions, start, workers),
    )  # fmt: skip
    return len(inputs) / (time.perf_counter() - began)


def main(rounds: int = 5, images: int = 1000, workers: int = 2) -> None:
    """Print each round's figures and the median ratio."""
    network = timm.create_model("test_resnet", num_classes=10)
    label_mode = Multiclass(tuple(f"class{i}" for i in range(10)))
    model = LoadedModel(Classifier(network, SPEC).eval(), label_mode, SPEC, batch_size=BATCH)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "photographs"
        folder.mkdir()
        for number in range(images):
            coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
            coarse.resize((640, 480)).save(folder / f"{number:06d}.jpg", quality=90)
        paths = sorted(folder.iterdir())
        ratios = []
        for _ in range(rounds):
            own = sightline(model, folder, Path(work) / "out.parquet", workers)
            hand = hand_written(model, paths, workers)
            ratios.append(own / hand)
            print(f"hand-written {hand:,.0f}, Sightline {own:,.0f} images/s: {own / hand:.3f}")
        print(f"median ratio {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
