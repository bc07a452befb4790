"""Tables of other programs: which numbers are whose, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.special
from support.random_tables import make_mode
from support.runs import MODES

from sightline.errors import UserError
from sightline.importing.foreign_table import ForeignTable, read_foreign
from sightline.importing.probabilities import probabilities
from sightline.importing.score_columns import find_scores
from sightline.importing.settings import ImportSettings, Kind
from sightline.importing.targets import check_targets

NAMES = ("c0", "c1", "c2", "c3", "c4")
IDS = [f"d/{number}.png" for number in range(7)]


def logits() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 3, (7, 5))


def softmax() -> np.ndarray:
    return np.asarray(scipy.special.softmax(logits(), axis=1))


def read(file: Path, **keys: object) -> ForeignTable:
    return read_foreign(ImportSettings(file, "x", ("test",), **keys))  # type: ignore[arg-type]


def probs_of(
    file: Path, mode: str = "multiclass", kind: Kind | None = None, classes: tuple[str, ...] = ()
) -> np.ndarray:
    table = read(file)
    return probabilities(table, find_scores(table, classes), kind, make_mode(mode))[0]


def wide(prefix: str, values: np.ndarray) -> pd.DataFrame:
    """The columns in another order than the classes."""
    frame = pd.DataFrame({f"{prefix}{name}": values[:, i] for i, name in enumerate(NAMES)})
    return frame[frame.columns[::-1]].assign(id=IDS)


def pipeline(name: str, value: str) -> list[dict[str, object]]:
    """Lists of objects, the most probable one first."""
    return [
        {"file": each, "predictions": [{name: NAMES[i], value: float(row[i])} for i in
                                       np.argsort(-row)]}
        for each, row in zip(IDS, softmax(), strict=True)
    ]  # fmt: skip


def timm(separate: bool) -> pd.DataFrame:
    order = np.argsort(-softmax(), axis=1)
    names, values = np.array(NAMES)[order], np.take_along_axis(softmax(), order, axis=1)
    if not separate:
        return pd.DataFrame({"filename": IDS, "label": list(names), "prob": list(values)})
    columns = {f"label_{i}": names[:, i] for i in range(5)}
    columns |= {f"prob_{i}": values[:, i] for i in range(5)}
    return pd.DataFrame({"filename": IDS, **columns})


def write(frame: pd.DataFrame, file: Path) -> Path:
    if file.suffix == ".csv":
        frame.to_csv(file, index=False)
    elif file.suffix == ".parquet":
        frame.to_parquet(file)
    else:
        file.write_text("\n".join(json.dumps(row) for row in frame.to_dict("records")))
    return file


FORMS = {
    "columns.csv": wide("prob_", softmax()),
    "bare.csv": wide("", softmax()),
    "logits.parquet": wide("logit_", logits()),
    "pipeline.jsonl": pd.DataFrame(pipeline("label", "score")),
    "ultralytics.jsonl": pd.DataFrame(pipeline("name", "confidence")),
    "timm.parquet": timm(separate=False),
    "timm.csv": timm(separate=True),
}


@pytest.mark.parametrize("name", FORMS)
def test_numbers_are_matched_by_the_names_of_classes(tmp_path: Path, name: str) -> None:
    found = probs_of(write(FORMS[name], tmp_path / name))
    np.testing.assert_allclose(found, softmax(), atol=1e-12)


@pytest.mark.parametrize("name", ["list.parquet", "list.csv", "list.jsonl", "numbered.csv"])
def test_numbers_without_names_need_them(tmp_path: Path, name: str) -> None:
    values = pd.DataFrame({"id": IDS, "logits": logits().tolist()})
    if name == "numbered.csv":
        columns = {f"logit_{i}": logits()[:, i] for i in range(5)}
        values = pd.DataFrame({"id": IDS, **columns})
    file = write(values, tmp_path / name)
    with pytest.raises(UserError, match=r"classes=\[c0,c1|other classes"):
        probs_of(file)
    found = probs_of(file, classes=NAMES[::-1])
    np.testing.assert_allclose(found, softmax()[:, ::-1], atol=1e-12)


def test_the_names_of_a_class_label_are_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({
        "id": datasets.Value("string"), "label": datasets.ClassLabel(names=list(NAMES[::-1])),
        "logits": datasets.Sequence(datasets.Value("float64")),
    })  # fmt: skip
    rows = {"id": IDS, "label": [0] * 7, "logits": logits()[:, ::-1].tolist()}
    file = tmp_path / "hub.parquet"
    datasets.Dataset.from_dict(rows, features).to_parquet(str(file))
    np.testing.assert_allclose(probs_of(file), softmax(), atol=1e-12)


def timm_json(frame: pd.DataFrame, file: Path, form: str) -> Path:
    """A file as timm's inference.py writes its format json, json-split or json-records."""
    if form == "json":
        frame.set_index("filename").to_json(file, indent=4, orient="index")
    elif form == "json-split":
        frame.to_json(file, indent=4, orient="split", index=False)
    else:
        frame.to_json(file, lines=True, orient="records")
    return file


@pytest.mark.parametrize("form", ["json", "json-split", "json-records"])
@pytest.mark.parametrize("separate", [False, True])
def test_the_json_files_of_timm_are_read(tmp_path: Path, form: str, separate: bool) -> None:
    file = timm_json(timm(separate), tmp_path / "t.json", form)
    assert read(file).ids == tuple(IDS)
    np.testing.assert_allclose(probs_of(file), softmax(), atol=1e-8)
    uneven = {name: {"prob": [1.0]} for name in IDS} | {"x.png": {"label": ["c0"]}}
    file.write_text(json.dumps(uneven))
    with pytest.raises(UserError, match="row 8: it has other columns than row 1"):
        read(file)


@pytest.mark.parametrize("separate", [False, True])
def test_places_of_classes_are_never_taken_for_their_order(tmp_path: Path, separate: bool) -> None:
    """timm's --include-index: numbers sorted in each row, beside the places of their classes."""
    order = np.argsort(-softmax(), axis=1)
    values = np.take_along_axis(softmax(), order, axis=1)
    frame = pd.DataFrame({"filename": IDS, "index": list(order), "prob": list(values)})
    if separate:
        columns = {f"index_{i}": order[:, i] for i in range(5)}
        columns |= {f"prob_{i}": values[:, i] for i in range(5)}
        frame = pd.DataFrame({"filename": IDS, **columns})
    file = write(frame, tmp_path / "t.parquet")
    np.testing.assert_allclose(probs_of(file, classes=NAMES), softmax(), atol=1e-12)
    with pytest.raises(UserError, match="places of classes, not their names"):
        probs_of(file)
    with pytest.raises(UserError, match=r"row \d .*has the class '4'; expected 0 to 3"):
        probs_of(file, classes=NAMES[:4])

    if not separate:  # timm's top 5 alone: nothing says of which classes the numbers are
        unnamed = pd.DataFrame({
            "filename": [f"{i}.png" for i in range(14)], "prob": [*values, *values],
        })  # fmt: skip
        file = write(unnamed, tmp_path / "s.parquet")
        with pytest.raises(UserError, match=r"fall in every row.*--label-type name"):
            probs_of(file, classes=NAMES)


def test_columns_called_by_places_take_the_names_that_are_given(tmp_path: Path) -> None:
    frame = pd.DataFrame(logits(), columns=list("01234")).assign(id=IDS)
    file = write(frame[frame.columns[::-1]], tmp_path / "t.csv")
    found = probs_of(file, classes=NAMES, kind="logits")
    np.testing.assert_allclose(found, softmax(), atol=1e-12)


@pytest.mark.parametrize(("name", "message"), [
    ("labels", r"is a folder; expected a table.*Ultralytics"),
    ("0.txt", r"a .txt file has no columns.*result.probs.data"),
    ("p.npz", r".npz holds arrays without the ids.*Trainer.predict"),
    ("all_results.json", r"a row for each sample, not the metrics of a run.*eval_accuracy"),
    ("top1.csv", r"one number a row, in column 'prob', of 5 classes: .*--topk NUM_CLASSES"),
])  # fmt: skip
def test_what_holds_no_predictions_says_what_to_save(
    tmp_path: Path, name: str, message: str
) -> None:
    file = tmp_path / name
    if name == "labels":
        file.mkdir()
    elif name == "top1.csv":
        pd.DataFrame({"filename": IDS, "label": "c1", "prob": 0.9}).to_csv(file, index=False)
    else:
        file.write_text(json.dumps({"eval_accuracy": 0.9, "epoch": 3.0}, indent=4))
    with pytest.raises(UserError, match=message):
        probs_of(file)


@pytest.mark.parametrize("mode", MODES)
def test_logits_of_each_label_mode(tmp_path: Path, mode: str) -> None:
    names = make_mode(mode).class_names
    values = logits()[:, : len(names)]
    frame = pd.DataFrame(values, columns=[f"logit_{name}" for name in names]).assign(id=IDS)
    wanted = scipy.special.expit(values) if mode == "multilabel" else scipy.special.softmax(
        values, axis=1)  # fmt: skip
    file = write(frame, tmp_path / "t.parquet")
    np.testing.assert_allclose(probs_of(file, mode), wanted, atol=1e-12)


def test_binary_takes_the_positive_class_alone(tmp_path: Path) -> None:
    yes = scipy.special.expit(logits()[:, 0])
    wanted = np.stack([1 - yes, yes], axis=1)
    probs = write(pd.DataFrame({"id": IDS, "prob_c1": yes}), tmp_path / "p.parquet")
    np.testing.assert_allclose(probs_of(probs, "binary"), wanted, atol=1e-12)
    logit = write(pd.DataFrame({"id": IDS, "logit": logits()[:, 0]}), tmp_path / "l.parquet")
    np.testing.assert_allclose(probs_of(logit, "binary", classes=("c1",)), wanted, atol=1e-12)
    with pytest.raises(UserError, match="nothing of 'c1'"):
        probs_of(write(pd.DataFrame({"id": IDS, "prob_c0": yes}), tmp_path / "n.csv"), "binary")
    with pytest.raises(UserError, match="does not name their classes"):
        probs_of(logit, "binary")


def changed(column: str, value: object, row: int = 2) -> pd.DataFrame:
    frame = wide("prob_", softmax()).astype(object)
    frame.loc[row, column] = value
    return frame


BAD = {
    "sum": (changed("prob_c0", 1.0), r"row 3 \('d/2.png'\): the probabilities sum to"),
    "nan": (changed("prob_c0", "nan"), r"row 3 .*column 'prob_c0' is 'nan'"),
    "empty": (changed("prob_c0", ""), r"row 3 .*'prob_c0' is empty"),
    "infinite": (changed("prob_c0", "inf"), "expected a finite number"),
    "text": (changed("prob_c0", "\x1b[2Jx"), r"is '\\x1b\[2Jx'"),
    "over 1": (changed("prob_c0", 1.5), "1.5 for 'c0' is no probability.*kind=logits"),
    "twice": (changed("id", "d/0.png"), "rows 1 and 3: the id 'd/0.png' is there twice"),
    "no id": (changed("id", " "), "row 3: the id .* is empty"),
    "logits": (wide("prob_", logits()), "kind=logits"),
    "named logits": (wide("logit_", softmax()), "these are probabilities"),
    "other class": (wide("prob_", softmax()).rename(columns={"prob_c0": "prob_c9"}),
                    "nothing of 'c0', which the data has; 'c9', which the data does not have"),
    "one class less": (wide("prob_", softmax()).drop(columns="prob_c0"), "nothing of 'c0'"),
    "one class more": (wide("prob_", softmax()).assign(prob_c9=0.0), "'c9'"),
    "no scores": (pd.DataFrame({"id": IDS, "target": "c0"}), "no scores were found"),
    "no ids": (wide("prob_", softmax()).rename(columns={"id": "zzz"}), "id_column=NAME"),
    "decided": (pd.DataFrame({"id": IDS, "pred": "c1", "confidence": 0.9}), "decided class alone"),
    "no rows": (wide("prob_", softmax()).iloc[:0], "no rows"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_table_is_refused_where_a_number_would_be_wrong(tmp_path: Path, name: str) -> None:
    frame, message = BAD[name]
    with pytest.raises(UserError, match=message):
        probs_of(write(frame, tmp_path / "t.csv"))


def test_a_row_with_some_of_the_classes_is_refused(tmp_path: Path) -> None:
    rows = pipeline("label", "score")
    rows[3]["predictions"] = rows[3]["predictions"][:2]  # type: ignore[index]
    file = write(pd.DataFrame(rows), tmp_path / "t.jsonl")
    with pytest.raises(UserError, match=r"row 4 .*scores of 2 of 5 classes.*top_k=None"):
        probs_of(file)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"id": "a"', "\x00\x01", '[{"id": [1]}]'])
def test_a_damaged_file_is_one_message(tmp_path: Path, text: str) -> None:
    file = tmp_path / "t.json"
    file.write_text(text)
    with pytest.raises(UserError, match=r"t.json"):
        probs_of(file)


@pytest.mark.parametrize("mode", MODES)
def test_targets_are_compared_by_name(tmp_path: Path, mode: str) -> None:
    own = make_mode(mode)
    frame = wide("prob_", softmax())
    targets = np.arange(7) % len(own.class_names)
    cells = [own.class_names[each] for each in targets]
    encoded = np.eye(len(own.class_names), dtype=np.int8)[targets] if own.multi_label else targets
    check_targets(read(write(frame.assign(target=cells), tmp_path / "a.csv")), encoded, own, ())
    cells[4] = own.class_names[(targets[4] + 1) % 2]
    for wrong, message in ((cells[4], "in the data"), ("zzz", "no class")):
        file = write(frame.assign(target=[*cells[:4], wrong, *cells[5:]]), tmp_path / "b.csv")
        with pytest.raises(UserError, match=rf"row 5 .*{message}"):
            check_targets(read(file), encoded, own, ())
    numbers = write(frame.assign(target=targets), tmp_path / "c.csv")
    with pytest.raises(UserError, match=r"classes=\[NAMES\]"):
        check_targets(read(numbers), encoded, own, ())
    check_targets(read(numbers), encoded, own, own.class_names)


def test_a_missing_target_is_refused(tmp_path: Path) -> None:
    frame = wide("prob_", softmax()).assign(label=["c0"] * 6 + [None])
    with pytest.raises(UserError, match=r"row 7 .*missing.*target_column=none"):
        check_targets(read(write(frame, tmp_path / "a.csv")), np.zeros(7, int),
                      make_mode("multiclass"), ())  # fmt: skip


def test_columns_of_labels_may_be_empty_where_a_label_is_not_known(tmp_path: Path) -> None:
    own = make_mode("multilabel")
    frame = wide("prob_", softmax()).assign(target_c0=["1", "0", "", "1", "0", "0", "0"])
    targets = np.zeros((7, 5), np.int8)
    targets[:, 0] = [1, 0, 1, 1, -1, 0, 0]
    check_targets(read(write(frame, tmp_path / "a.csv")), targets, own, ())
    targets[1, 0] = 1
    with pytest.raises(UserError, match=r"row 2 .*'target_c0'"):
        check_targets(read(write(frame, tmp_path / "a.csv")), targets, own, ())
