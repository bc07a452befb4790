"""Small data sets in the true on-disk format of every source."""

from __future__ import annotations

import csv
import io
import json
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from PIL import Image

from sightline.config.components import build
from sightline.config.schema import DataConfig
from sightline.config.validation import without
from sightline.data.source_data import SourceData
from sightline.paths import conf_dir

SIDE = 12


def source(name: str, /, multi_label: bool = False, **options: object) -> SourceData:
    """What `data=NAME` with these options reads, before any splits are made."""
    values = yaml.safe_load((conf_dir() / "data" / f"{name}.yaml").read_text())
    del values["defaults"]
    node = without(values | options, DataConfig)
    data = build(node, "data", [], offered={"multi_label": multi_label})
    assert isinstance(data, SourceData)
    return data


def make_image(seed: int, mode: str = "RGB") -> Image.Image:
    shape = (SIDE, SIDE, 3) if mode == "RGB" else (SIDE, SIDE)
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def encoded(seed: int, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    make_image(seed).save(stream, kind)
    return stream.getvalue()


def make_files(root: Path, names: list[str]) -> None:
    for index, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        make_image(index).save(root / name)


def ids(data: SourceData, split: str = "train") -> list[str]:
    return [str(name) for name in data.splits[split].ids.to_pylist()]


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        with path.open("w", newline="") as stream:
            delimiter = "\t" if path.suffix == ".tsv" else ","
            writer = csv.DictWriter(stream, list(rows[0]), delimiter=delimiter)
            writer.writeheader()
            writer.writerows(rows)
    return path


def huggingface_table(seeds: range, labels: list[int]) -> pa.Table:
    images = [{"bytes": encoded(seed), "path": f"{seed}.png"} for seed in seeds]
    features = {
        "image": {"_type": "Image"},
        "label": {"names": ["cat", "dog"], "_type": "ClassLabel"},
    }
    table = pa.table({"image": images, "label": pa.array(labels, pa.int64())})
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return table.replace_schema_metadata(metadata)


def idx(array: np.ndarray) -> bytes:
    """Yann LeCun's IDX format, as MNIST and FashionMNIST come in."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def make_mnist(root: Path, name: str = "MNIST") -> None:
    rng = np.random.default_rng(0)
    raw = root / name / "raw"
    raw.mkdir(parents=True)
    for word, count in (("train", 40), ("t10k", 10)):
        images = rng.integers(0, 256, (count, 28, 28))
        (raw / f"{word}-images-idx3-ubyte").write_bytes(idx(images))
        (raw / f"{word}-labels-idx1-ubyte").write_bytes(idx(np.arange(count) % 10))


def make_cifar10(root: Path) -> None:
    rng = np.random.default_rng(0)
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        batch = {"data": rng.integers(0, 256, (20, 3072), dtype=np.uint8),
                 "labels": [i % 10 for i in range(20)]}  # fmt: skip
        (folder / name).write_bytes(pickle.dumps(batch))
    names = ["airplane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": names}))


def make_gtsrb(root: Path) -> None:
    base = root / "gtsrb"
    train = base / "GTSRB" / "Training"
    make_files(train, [f"{c:05d}/{i:05d}.ppm" for c in range(43) for i in range(4)])
    test = base / "GTSRB" / "Final_Test" / "Images"
    make_files(test, [f"{i:05d}.ppm" for i in range(43)])
    lines = ["Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"]
    lines += [f"{i:05d}.ppm;12;12;0;0;11;11;{i}" for i in range(43)]
    (base / "GT-final_test.csv").write_text("\n".join(lines) + "\n")


def make_celeba(root: Path) -> None:
    base = root / "celeba"
    names = [f"{i:06d}.jpg" for i in range(1, 41)]
    make_files(base / "img_align_celeba", names)
    attributes = [f"Attribute_{i}" for i in range(40)]
    rng = np.random.default_rng(0)
    lines = [str(len(names)), " ".join(attributes)]
    lines += [f"{name} " + " ".join(map(str, rng.choice([-1, 1], 40))) for name in names]
    (base / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    parts = [0] * 24 + [1] * 8 + [2] * 8
    text = "".join(f"{name} {part}\n" for name, part in zip(names, parts, strict=True))
    (base / "list_eval_partition.txt").write_text(text)
    (base / "identity_CelebA.txt").write_text("".join(f"{name} 1\n" for name in names))
    (base / "list_bbox_celeba.txt").write_text(
        "40\nimage_id x_1 y_1 width height\n" + "".join(f"{name} 0 0 1 1\n" for name in names)
    )
    (base / "list_landmarks_align_celeba.txt").write_text(
        "40\nlefteye_x lefteye_y\n" + "".join(f"{name} 0 0\n" for name in names)
    )


def make_lfw(root: Path) -> None:
    base = root / "lfw-py"
    people = {"Ada_Lovelace": 24, "Alan_Turing": 22, "Rare_Person": 2}
    for person, count in people.items():
        make_files(
            base / "lfw_funneled", [f"{person}/{person}_{i + 1:04d}.jpg" for i in range(count)]
        )
    text = f"1\n{len(people)}\n" + "".join(f"{p}\t{c}\n" for p, c in people.items())
    (base / "people.txt").write_text(text)
    (base / "lfw-names.txt").write_text("".join(f"{p}\t{c}\n" for p, c in people.items()))


def make_shards(root: Path, counts: dict[str, list[int]], several: bool = False) -> None:
    """Tar shards with KEY.png and KEY.cls, or KEY.json for several labels."""
    root.mkdir(parents=True)
    number = 0
    for split, sizes in counts.items():
        for shard, size in enumerate(sizes):
            with tarfile.open(root / f"{split}-{shard:04d}.tar", "w") as tar:
                for _ in range(size):
                    label = (
                        ("json", json.dumps({"labels": ["cat", "dog"][: number % 3]}))
                        if several
                        else ("cls", str(number % 2))
                    )
                    files = {"png": encoded(number), label[0]: label[1].encode()}
                    for ending, content in files.items():
                        info = tarfile.TarInfo(f"{number:06d}.{ending}")
                        info.size = len(content)
                        tar.addfile(info, io.BytesIO(content))
                    number += 1
