"""`sightline probe`: runs with the metrics of scikit-learn, compared, and kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from support.commands import Sightline
from support.images import label_rows, make_split_images

from sightline.errors import UserError
from sightline.inference.load import load
from sightline.predictions import Predictions
from sightline.probing import forward, words
from sightline.runs.folder import RunFolder

SMALL = ["model=cnn", "model.widths=[4,8]", "model.hidden=16", "report=false"]

RESNET = ["model.name=test_resnet", "model.pretrained=false", "model.img_size=32"]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    make_split_images(tmp_path / "images", {"train": 12, "val": 8, "test": 8})
    return tmp_path / "images"


def test_probes_are_runs_that_are_compared(
    sightline: Sightline, images: Path, tmp_path: Path
) -> None:
    done = sightline("probe", "data=folder", f"data.root={images}", *SMALL, "probes=[knn,linear]",
                     "shots=[1]", "draws=2", "tracking.offline=true", tracked=False)  # fmt: skip
    assert done.status == 0, done.err
    [place] = (tmp_path / "work/probes").iterdir()
    folders = {name: next(place.glob(f"*-{name}-*")) for name in ("knn", "linear")}
    for name, folder in folders.items():
        state = RunFolder(folder).state
        assert (state.tags["kind"], state.params["probe"]) == ("probe", name)
        for split, prefix in (("val", "val_best"), ("test", "test")):
            table = Predictions.read(folder / f"predictions/{split}.parquet")
            accuracy = sklearn.metrics.accuracy_score(table.targets, table.probs.argmax(1))
            assert state.metrics[f"{prefix}/accuracy"] == pytest.approx(accuracy)
        few = pd.read_csv(folder / "probe/few_shot.csv")
        assert state.metrics["few_shot_1/accuracy"] == pytest.approx(few["accuracy"].mean())
    assert set(pd.read_csv(place / "backbones.csv")["probe"]) == {"knn", "linear"}
    names = ",".join(map(str, folders.values()))
    to = [f"output={tmp_path}/compared", f"tracking.uri={done.store}"]
    compared = sightline("compare", f"runs=[{names}]", "split=test", *to, tracked=False)
    assert compared.status == 0, compared.err
    assert set(pd.read_csv(tmp_path / "compared/leaderboard.csv")["probe"]) == {"knn", "linear"}
    assert pd.read_csv(tmp_path / "compared/tests.csv")["p"].between(0, 1).all()


def assert_kept_model_predicts_so(folder: Path, images: Path, mode: str, has_model: bool) -> None:
    """The checkpoint of a linear head; the network of several labels here has none to replace."""
    if not has_model or mode == "multilabel":
        with pytest.raises(UserError, match="a probe of a frozen backbone without a checkpoint"):
            load(folder)
        return
    table = Predictions.read(folder / "predictions/test.parquet")
    paths = [images / name for name in table.ids]
    assert load(folder).probs(paths) == pytest.approx(table.probs, abs=1e-4)


@pytest.mark.parametrize("mode", ["binary", "multilabel"])
def test_other_label_modes_have_their_metrics(
    sightline: Sightline, images: Path, tmp_path: Path, mode: str
) -> None:
    data = ["data=folder", f"data.root={images}"]
    if mode == "binary":
        for bird in images.glob("*/bird"):
            shutil.rmtree(bird)
    if mode == "multilabel":
        label_rows(images)
        data = ["data=manifest", f"data.path={images}/labels.csv", "data.split_column=split"]
    model = SMALL if mode == "multilabel" else [*RESNET, "report=false"]
    place = [f"hydra.run.dir={tmp_path}/own", "tracking.offline=true", "shots=[]"]
    done = sightline("probe", *data, f"label_mode={mode}", *model, *place, tracked=False)
    assert done.status == 0, done.err
    for probe in ("knn", "logistic", "linear"):
        [folder] = (tmp_path / "own").glob(f"*/*-{probe}-*")
        assert_kept_model_predicts_so(folder, images, mode, has_model=probe != "knn")
        table = Predictions.read(folder / "predictions/test.parquet")
        metrics = pd.read_csv(folder / "metrics/test.csv").set_index("metric")["value"]
        if mode == "multilabel":
            expected = sklearn.metrics.average_precision_score(
                table.targets, table.probs, average="macro"
            )
            assert metrics["average_precision_macro"] == pytest.approx(expected, abs=1e-5)
        else:
            expected = sklearn.metrics.roc_auc_score(table.targets, table.probs[:, 1])
            assert metrics["auroc_macro"] == pytest.approx(expected, abs=1e-5)


def test_features_and_runs_are_not_made_twice_where_the_command_was_ended(
    sightline: Sightline, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    real: Callable[..., object] = forward.pooled_features

    def counting(classifier: object, batch: np.ndarray, poolings: object) -> object:
        seen.append(len(batch))
        if len(seen) == 3:
            raise KeyboardInterrupt
        return real(classifier, batch, poolings)

    monkeypatch.setattr(forward, "pooled_features", counting)
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache"))
    command = ["probe", "data=folder", f"data.root={images}", *SMALL, "probes=knn", "shots=[]",
               "data.batch_size=10", "tracking.offline=true"]  # fmt: skip
    assert sightline(*command, tracked=False).status == 130
    done = sightline(*command, tracked=False)
    assert done.status == 0, done.err
    assert "features: resuming, 20 of 84 images are done" in done.out
    assert sum(seen) == 84 + 10  # each image once, and the batch that was interrupted
    again = sightline(*command, "data.num_workers=0", tracked=False)
    assert again.out.count("is finished; it is not fitted again") == 1
    other = sightline(*command, "seed=1", "model=cnn", tracked=False)  # other random weights
    assert "features: resuming" not in other.out
    assert sum(seen) == 2 * 84 + 10


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.name=resnet18"], "Which data?"),
        (["data=folder", "optimizer.lr=1"], "Unknown option 'optimizer.lr'"),
        (["data=folder", "probe=knn"], "Did you mean 'probes'"),
        (["data=folder", "probes=svm"], "probes"),
        (["data=folder", "shots=0"], "shots"),
        (["data=folder", "data.root=nowhere", "model=cnn"], "nowhere"),
        (["data=folder", "model.lora_rank=8"], "no effect on a probe"),
        (["data=folder", "model.name=a,b"], "several values take -m"),
        (["-m", "data=folder,digits"], "several are for the keys of model"),
        (["data=digits", "model.name=resnet1"], "resnet1"),
        (["data=digits", "model.name=[]"], "at least one model"),
    ],
)
def test_bad_words_are_refused_and_nothing_is_left(
    sightline: Sightline, tmp_path: Path, words: list[str], message: str
) -> None:
    done = sightline("probe", *words, tracked=False)
    assert done.status == 1
    assert message in done.err
    assert not list((tmp_path / "work").iterdir())


def test_backbones_are_listed_with_and_without_m() -> None:
    own = ["data=digits", "model.name=[a,b]"]
    assert words.backbone_words(own, ()) == [
        ["model=timm", "data=digits", f"model.name={name}", "model.pretrained=true"]
        for name in "ab"
    ]
    several = words.backbone_words(
        ["-m", "data=digits", "model.name=a,b", "model.img_size=64,96", "model.pretrained=false"],
        (),
    )
    assert [each[2:4] for each in several] == [
        [f"model.name={name}", f"model.img_size={size}"] for name in "ab" for size in (64, 96)
    ]
    with pytest.raises(UserError, match=r"hydra.run.dir=FOLDER alone"):
        words.backbone_words([*own, "hydra.sweep.dir=x"], ())
