"""The same validation images with the model's predictions, as a series over the epochs."""

import io
from dataclasses import replace

import numpy as np
from PIL import Image
from pytorch_lightning import Callback, LightningModule, Trainer

from sightline.data.reading.decode import Reading, UnreadableImage
from sightline.data.reading.raster import ImageData
from sightline.data.source_data import Split
from sightline.metrics.tuning import Tuning
from sightline.predictions import Predictions
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.parts import Gallery, Tile
from sightline.reports.thumbnails import contact_sheet, sample_tile
from sightline.tracking.tracker import Tracker
from sightline.training.module import LitClassifier

COUNT = 16
COLOURS = 96
SERIES = "val_images"  # sorts behind `val`: MLflow orders a run's charts by the first word


class ValImages(Callback):
    """Logs 16 images of val at each epoch: target, decision by the default rule, probabilities.

    Args:
        tracker: of the run.
        split: val.
    """

    def __init__(self, tracker: Tracker, split: Split) -> None:
        self.tracker = tracker
        self.split = split
        self._read: dict[str, ImageData | UnreadableImage] = {}

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the images with the predictions of the validation of this epoch."""
        assert isinstance(pl_module, LitClassifier)
        table = pl_module.predictions.get("val")
        if table is None:
            return
        if not self._read:
            self._read_images(table, Reading(pl_module.classifier.preprocess.pixels))
        evaluated = EvaluatedSplit("val", pl_module.label_mode, table, Tuning())
        rows = [int(row) for name in self._read for row in np.flatnonzero(table.ids == name)]
        tiles = [self._tile(evaluated, row) for row in rows]
        right = len(rows) - int(evaluated.wrong[rows].sum())
        caption = f"{right} of {len(rows)} right, by the default rule"
        sheet = contact_sheet(
            Gallery(SERIES, caption, tiles), f"val, epoch {trainer.current_epoch + 1}"
        )
        self.tracker.log_image(_small(sheet), f"{SERIES}/predictions", step=trainer.current_epoch)

    def _read_images(self, table: Predictions, reading: Reading) -> None:
        """Read the images once."""
        places = {name: place for place, name in enumerate(self.split.ids.to_pylist())}
        for name in chosen(table):
            try:
                self._read[name] = self.split.read(places[name], reading)
            except UnreadableImage as error:
                self._read[name] = error

    def _tile(self, evaluated: EvaluatedSplit, row: int) -> Tile:
        likeliest = int(evaluated.table.probs[row].argmax())
        tile = sample_tile(evaluated, row, self._image, [likeliest])
        if not evaluated.wrong[row]:
            return tile
        name, target, decided, *rest = tile.lines
        return replace(tile, lines=[name, target, f"\N{BALLOT X} {decided}", *rest])

    def _image(self, name: str) -> ImageData:
        found = self._read[name]
        if isinstance(found, UnreadableImage):
            raise found
        return found


def _small(sheet: Image.Image) -> bytes:
    """A PNG with a palette: a quarter of the bytes, of which each epoch uploads some."""
    out = io.BytesIO()
    # A median cut, the default, takes 40 times as long, and its files are larger.
    small = sheet.quantize(COLOURS, method=Image.Quantize.FASTOCTREE)
    small.save(out, "PNG", optimize=True)
    return out.getvalue()


def chosen(table: Predictions, count: int = COUNT) -> list[str]:
    """Ids of at most `count` samples, evenly over the classes where each has one."""
    rows = np.arange(len(table))
    if table.targets.ndim == 1:
        rows = np.argsort(table.targets, kind="stable")
    places = np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int))
    return [str(table.ids[row]) for row in rows[places]]
