"""Golden results: what a few short trainings gave once, to the last bit, for comparison with now.

    python tests/golden/golden.py             runs every case and compares
    python tests/golden/golden.py --record    writes the files anew
    python tests/golden/golden.py multilabel_cnn    some cases alone

Each case is one command line, run on the CPU with one thread, and one JSON file beside this one:
the losses of each epoch, the final metrics and a digest of the weights. Nothing of Sightline is
imported: only its command line and a run's files are used.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).resolve().parent
PACKAGES = ("torch", "torchvision", "pytorch-lightning", "timm", "kornia", "numpy", "scikit-learn")
COMMON = [
    "data=digits", "trainer=cpu", "report=none", "tracking.offline=true",
    "tracking.system_metrics_interval_s=null", "data.num_workers=0",
    "model.channels_last=false", "+optimizer.fused=false",
]  # fmt: skip
# What augment=light did to single images before: nearest pixels, shifts of whole pixels.
OF_BEFORE = (
    "{_target_: torchvision.transforms.v2.RandomAffine, degrees: 5, translate: [0.05, 0.05], "
    "scale: [0.95, 1.05]}"
)
CASES = {
    "multiclass_cnn": ["label_mode=multiclass", "trainer.max_epochs=3"],
    "binary_cnn": [
        "label_mode=binary", "monitor=val/accuracy", "monitor_mode=max", "trainer.max_epochs=3",
    ],
    "multilabel_cnn": [
        "label_mode=multilabel", "data.canvases=[1500,300,300]", "trainer.max_epochs=3",
    ],
    "multiclass_timm": [
        "label_mode=multiclass", "model=timm", "model.name=test_resnet", "model.img_size=32",
        "trainer.max_epochs=2",
    ],
    "mixup_ema_workers": [
        "label_mode=multiclass", "mix=mixup", "ema.decay=0.95",
        "trainer.accumulate_grad_batches=2", "data.cache=ram", "data.num_workers=2",
        "trainer.max_epochs=3", f"augment.transforms=[{OF_BEFORE}]",
    ],
}  # fmt: skip
# One thread, and the same instructions on every processor that has them.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
    "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "COMPATIBLE",
    "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1",
}  # fmt: skip
CAPABILITY = "import torch; print(torch.backends.cpu.get_cpu_capability())"


def environment(folder: Path) -> dict[str, str]:
    """Of a training: the caller's (PYTHONPATH says which code), with a cache of its own."""
    inherited = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    return inherited | ENVIRONMENT | {"SIGHTLINE_CACHE": str(folder / "cache")}


def run_case(name: str, folder: Path) -> dict[str, Any]:
    """Train a case in an empty folder, and read what came of it."""
    run = folder / "run"
    arguments = [*COMMON, *CASES[name], f"hydra.run.dir='{run}'"]
    done = subprocess.run(
        [sys.executable, "-m", "sightline.cli", "train", *arguments],
        cwd=folder, env=environment(folder), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{name}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return read_run(run)


def read_run(folder: Path) -> dict[str, Any]:
    """What a run's folder says: the one function that knows where."""
    epochs: dict[int, dict[str, float]] = {}
    for line in (folder / "tracking" / "journal.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line.partition(" ")[2])  # a checksum comes first
        if record["op"] == "metrics" and "train/loss" in record["metrics"]:
            losses = {key: record["metrics"][key] for key in ("train/loss", "val/loss")}
            epochs[record["step"]] = losses
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    kept = ("metrics", "intervals", "best_epoch", "epochs", "stopped_early", "parameters")
    return {
        "losses": [epochs[step] for step in sorted(epochs)],
        "results": {key: results[key] for key in kept},
        "weights": {
            name: weights_digest(folder / "checkpoints" / f"{name}.ckpt")
            for name in ("best", "last")
        },
    }


def weights_digest(checkpoint: Path) -> str:
    """SHA-256 over a checkpoint's tensors in the order of their keys: type, shape and bytes."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    digest = hashlib.sha256()
    for key in sorted(state):
        array = state[key].contiguous().numpy()
        digest.update(f"{array.dtype} {array.shape} ".encode() + array.tobytes())
    return digest.hexdigest()


@cache
def versions() -> dict[str, str]:
    """What the numbers depend on beside the code."""
    command = [sys.executable, "-c", CAPABILITY]
    capability = subprocess.run(
        command, env=os.environ | ENVIRONMENT, capture_output=True, text=True, check=True
    ).stdout.strip()
    python = ".".join(map(str, sys.version_info[:3]))
    return {"python": python, "cpu_capability": capability} | {
        package: version(package) for package in PACKAGES
    }


def read_golden(name: str) -> dict[str, Any]:
    """What is recorded of a case: `arguments`, `versions`, and `reached` as `read_run` gave it."""
    golden: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    return golden


def write_golden(name: str, reached: dict[str, Any], made_by: dict[str, str]) -> None:
    """Record a case."""
    golden = {"arguments": [*COMMON, *CASES[name]], "versions": made_by, "reached": reached}
    (HERE / f"{name}.json").write_text(json.dumps(golden, indent=2) + "\n", encoding="utf-8")


def flatten(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of nested dicts and lists, with its path."""
    if isinstance(node, dict | list):
        for key, child in node.items() if isinstance(node, dict) else enumerate(node):
            yield from flatten(child, f"{path}.{key}" if path else str(key))
    else:
        yield path, node


def differences(recorded: Any, now: Any) -> list[tuple[str, Any, Any]]:
    """The path of each value that is not exactly as recorded, with both."""
    one, other = dict(flatten(recorded)), dict(flatten(now))
    return [
        (path, one.get(path), other.get(path))
        for path in dict.fromkeys([*one, *other])
        if one.get(path) != other.get(path)
    ]


def main() -> int:
    """Run the cases; 1 where a value is different."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", action="store_true", help="write the files anew")
    parser.add_argument("cases", nargs="*", help=", ".join(CASES))
    options = parser.parse_args()
    if unknown := set(options.cases) - set(CASES):
        parser.error(f"no such case: {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    made_by, failed = versions(), False
    for name in options.cases or CASES:
        with tempfile.TemporaryDirectory(prefix="golden-") as folder:
            reached = run_case(name, Path(folder))
        if options.record:
            write_golden(name, reached, made_by)
            print(f"{name}: recorded", flush=True)
            continue
        golden = read_golden(name)
        for package, then, now in differences(golden["versions"], made_by):
            print(f"{name}: {package} was {then} and is {now}: floating point may differ")
        found = differences(golden["reached"], reached)
        for path, then, now in found:
            print(f"{name}: {path}: recorded {then}, now {now}")
        if not found:
            print(f"{name}: identical", flush=True)
        failed = failed or bool(found)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
