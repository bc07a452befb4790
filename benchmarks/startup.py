"""How soon the first training step starts, beside what importing the libraries alone costs.

Both are whole processes in alternation on a ready store. Run: python benchmarks/startup.py [rounds]
"""

import statistics
import subprocess
import sys
import tempfile
import time

IMPORTS = """
import hydra, matplotlib.figure, mlflow, pyarrow.parquet, pytorch_lightning, rich, sklearn.datasets
import sklearn.model_selection, torch, torchmetrics, torchvision.transforms.v2
import mlflow.store.tracking.sqlalchemy_store, mlflow.system_metrics.system_metrics_monitor
"""
FIRST_STEP = """
import os, sys
from sightline.cli import main
import sightline.training.module as module
module.LitClassifier.training_step = lambda *_: (sys.stdout.flush(), os._exit(0))
sys.argv = ["sightline", "train"]
main()
"""
HELP = "import sys; sys.argv = ['sightline', '--help']; from sightline.cli import main; main()"


def seconds(code: str, folder: str) -> float:
    """Wall time of one Python process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - start


def main(rounds: int) -> None:
    """Print medians, and the median of the differences."""
    with tempfile.TemporaryDirectory() as folder:
        for code in (IMPORTS, FIRST_STEP, FIRST_STEP, HELP):  # warm files, and a ready store
            seconds(code, folder)
        pairs = [(seconds(IMPORTS, folder), seconds(FIRST_STEP, folder)) for _ in range(rounds)]
        helps = [seconds(HELP, folder) for _ in range(rounds)]
    print(f"imports alone      {statistics.median(p[0] for p in pairs):6.2f} s")
    print(f"to the first step  {statistics.median(p[1] for p in pairs):6.2f} s")
    print(f"difference         {statistics.median(p[1] - p[0] for p in pairs):6.2f} s")
    print(f"sightline --help   {statistics.median(helps):6.2f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
