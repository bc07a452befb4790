"""Images of other data that the model was trained on: found, counted, and left out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient
from PIL import Image
from sklearn.metrics import accuracy_score
from support.commands import Done, Sightline
from support.runs import Trained

from sightline.config.compose import compose_job
from sightline.data.cache.pixel_digests import pixel_digests
from sightline.data.cache.sample_digests import CONTENT, PIXELS, with_digests
from sightline.data.reading.images import ArrayImages
from sightline.data.source_data import take
from sightline.data.splits.make import split_table
from sightline.evaluation.overrides import UNCHANGED, overridden_config
from sightline.evaluation.samples import other_samples
from sightline.evaluation.seen import MISSED, Seen, find_seen
from sightline.inference.load import load_checkpoint, read_checkpoint
from sightline.predictions import Predictions
from sightline.tracking.mlflow.stored_run import StoredRun, find_stored_run

Train = Callable[[str], Trained]


@pytest.fixture
def mixture(trained: Train, tmp_path: Path) -> Path:
    """Of 14 images 3 are of train, 3 of train in other files, 1 of val, 7 new: of 2 classes."""
    root, own = tmp_path / "mixture", trained("multiclass").root
    rng = np.random.default_rng(8)
    for name in ("cat", "dog"):
        (root / name).mkdir(parents=True)
    for number in range(7):
        pixels = rng.integers(0, 255, (30, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / ("cat" if number % 2 else "dog") / f"new{number}.png")
    for number in (0, 1, 2):
        source = sorted((own / "train/cat").iterdir())[number]
        shutil.copy(source, root / "cat" / f"copy{number}{source.suffix}")
    again = [sorted((own / "train/dog").glob("*.png"))[number] for number in (0, 1, 2)]
    Image.open(again[0]).save(root / "dog" / "again0.bmp")
    Image.open(again[1]).save(root / "dog" / "again1.png", compress_level=0)
    Image.open(again[2]).save(root / "dog" / "again2.webp", lossless=True, exact=True)
    validated = sorted((own / "val/dog").iterdir())[4]
    shutil.copy(validated, root / "dog" / f"validated{validated.suffix}")
    return root


def expected(name: str) -> str:
    kinds = {"copy": "train", "agai": "train", "vali": "val"}
    return kinds.get(Path(name).name[:4], "")


def evaluate(sightline: Sightline, run: Trained, *words: str, status: int = 0) -> Done:
    patient = ["tracking.start_timeout_s=120", "tracking.flush_timeout_s=120"]
    words = (f"run={run.run_id}", *words, *patient, "data.num_workers=0")
    done = sightline("evaluate", *words, f"tracking.uri={run.store}", tracked=False)
    assert done.status == status, done.out + done.err
    return done


def test_images_that_were_trained_on_are_counted_aloud(
    sightline: Sightline, trained: Train, mixture: Path
) -> None:
    run = trained("multiclass")
    done = evaluate(sightline, run, "data=folder", f"data.root={mixture}", "name=mixed")
    said = (
        "7 of 14 images were seen in this run's training (6 in its train and 1 in its val), by "
        f"file content and pixels, {MISSED}"
    )
    assert f"mixed: {said}" in " ".join(done.out.split())
    assert "mixed_unseen," in done.out  # a column beside that of all images
    table = Predictions.read(run.folder / "predictions/mixed.parquet")
    assert [expected(name) for name in table.ids] == table.metadata["seen_in"].tolist()
    rest = Predictions.read(run.folder / "predictions/mixed_unseen.parquet")
    assert len(rest) == 7
    assert all("new" in name for name in rest.ids)
    logged = MlflowClient(run.store).get_run(run.run_id).data
    for name, each in (("mixed", table), ("mixed_unseen", rest)):
        right = accuracy_score(each.targets, each.probs.argmax(axis=1))
        assert logged.metrics[f"{name}/accuracy"] == pytest.approx(right)
    assert logged.metrics["mixed/seen_in_train"] == 6
    assert logged.metrics["mixed/seen_in_val"] == 1
    assert logged.tags["evaluated.mixed.seen"] == said
    assert json.loads((run.folder / "seen/mixed.json").read_text()) == {
        "samples": 14, "train": 6, "val": 1, "compared": "file content and pixels",
        "unchecked": None,
    }  # fmt: skip
    page = (run.folder / "mixed/report.html").read_text()
    assert "7 of 14 images were seen" in page
    assert "mixed_unseen" in page


def test_they_are_left_out_where_that_is_asked_for(
    sightline: Sightline, trained: Train, mixture: Path
) -> None:
    run = trained("multiclass")
    words = ["data=folder", f"data.root={mixture}", "name=fresh", "exclude_seen=true"]
    evaluate(sightline, run, *words, "report=false")
    assert not (run.folder / "predictions/fresh.parquet").exists()
    assert len(Predictions.read(run.folder / "predictions/fresh_unseen.parquet")) == 7
    for path in mixture.glob("*/new*"):
        path.unlink()
    done = evaluate(sightline, run, *words, "report=false", status=1)
    assert "nothing is left" in done.err
    done = evaluate(sightline, run, "exclude_seen=true", status=1)
    assert "exclude_seen=true is for other data" in done.err


HoldSplit = Callable[[pa.Table], None]


@pytest.fixture
def hold_split(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> HoldSplit:
    """Has every run hold this table as its split; its files stay as they are."""

    def hold(table: pa.Table) -> None:
        path, file = tmp_path / "split.parquet", StoredRun.file
        pq.write_table(table, path)
        monkeypatch.setattr(
            StoredRun, "file",
            lambda run, name: path if name == "split/split.parquet" else file(run, name),
        )  # fmt: skip

    return hold


@pytest.fixture
def without_digests(trained: Train, hold_split: HoldSplit) -> Trained:
    """A run of a version that stored no digests."""
    run = trained("multiclass")
    hold_split(pq.read_table(run.folder / "split/split.parquet").drop_columns([CONTENT, PIXELS]))
    return run


def seen_by(run: Trained, root: Path) -> Seen:
    stored, model = find_stored_run(run.run_id, run.store), load_checkpoint(run.checkpoint, ())
    assert stored.run_id is not None
    config = read_checkpoint(run.checkpoint)["sightline"].config
    own = overridden_config(config, compose_job([])[0], (), UNCHANGED)
    other, _ = compose_job(["data=folder", f"data.root={root}"])
    samples = other_samples(other, model.label_mode, "test")
    pixels = np.arange(1, len(samples.split) + 1, dtype=np.uint64)
    return find_seen(stored, own, model.label_mode, samples, pixels)


def test_an_old_run_is_checked_by_its_data_or_said_not_to_be(
    without_digests: Trained, mixture: Path, tmp_path: Path
) -> None:
    run = without_digests
    found = seen_by(run, mixture)
    assert found.counts == {"train": 3, "val": 1}  # no pixels are known
    assert found.describe().endswith(f"by file content alone, {MISSED}")
    changed = next((run.root / "train/dog").iterdir())
    content = changed.read_bytes()
    try:
        Image.new("RGB", (30, 30)).save(changed)
        assert "train data is not what it was then" in seen_by(run, mixture).unchecked
    finally:
        changed.write_bytes(content)
    hidden = run.root.rename(tmp_path / "hidden")
    try:
        found = seen_by(run, mixture)
    finally:
        hidden.rename(run.root)
    assert (found.total, found.compared) == (0, "")
    assert "not checked whether images were seen in training" in found.describe()


def test_what_no_digests_are_kept_of_is_said(
    trained: Train, mixture: Path, hold_split: HoldSplit
) -> None:
    """As after a training whose samples were read in sequence, with data.cache=none."""
    run = trained("multiclass")
    whole = pq.read_table(run.folder / "split/split.parquet")
    rows = whole.filter(pc.not_equal(whole["split"], "train"))
    nothing = pa.chunked_array([pa.nulls(len(rows), pa.uint64())])
    hold_split(rows.set_column(rows.column_names.index(PIXELS), PIXELS, nothing))
    found = seen_by(run, mixture)
    assert found.counts == {"train": 0, "val": 1}
    assert found.unchecked == "train was read in sequence, and no digests are kept of a stream"
    assert "by file content alone" in found.describe()


def test_digests_are_of_train_and_val_alone_and_differ_with_every_pixel() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (300, 3, 8, 8), dtype=np.uint8)
    rows = np.arange(300)
    digests = pixel_digests(images)
    assert len(set(digests.tolist())) == 300
    changed = images.copy()
    changed[:, 1, 3, 4] ^= 1
    assert not np.isin(pixel_digests(changed), digests).any()
    np.testing.assert_array_equal(pixel_digests(images[::-1]), digests[::-1])
    split = take([str(n) for n in rows], rows % 2, ArrayImages(images))
    splits = {"train": split, "test": split}
    contents = dict.fromkeys(splits, rng.integers(1, 255, (300, 16), dtype=np.uint8))
    table = with_digests(split_table(splits), splits, contents, {})
    assert table[CONTENT].null_count == 300
    assert table[PIXELS].null_count == 600
