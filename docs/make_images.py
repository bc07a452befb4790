"""Images of the pages for docs/images, from real runs: `make pictures` (about five minutes)."""

import argparse
import io
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

IMAGES = Path(__file__).parent / "images"
MAX_BYTES = 150_000
TRAINING = ["train", "trainer.max_epochs=8", "evaluate_test=true"]
SWEEP = ["train", "-m", "optimizer.lr=0.001,0.003", "seed=0,1,2",
         "trainer.max_epochs=3", "report=none"]  # fmt: skip
# Under another name than localhost MLflow does not open its assistant over a third of the page.
HOST = "mlflow.test"
PHONE = 390  # pixels; a window of Chromium has at least 500
LINK = re.compile(r"http://127\.0\.0\.1:\d+(\S+)")


def sightline(*words: str, folder: Path) -> str:
    """The command's output; it ends this program where it fails."""
    command = [sys.executable, "-m", "sightline.cli", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)}:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def shoot(address: str, name: str, width: int, height: int) -> None:
    """One page as docs/images/NAME.png, with so few colours that it has at most 150 kB.

    Args:
        address: of the page.
        name: of the image.
        width, height: of the window; of a narrow page the left part is kept.
    """
    with tempfile.TemporaryDirectory() as place:
        shot = Path(place) / "shot.png"
        command = [
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--disable-dev-shm-usage", f"--user-data-dir={place}/browser",
            f"--host-resolver-rules=MAP {HOST} 127.0.0.1",
            f"--window-size={max(width, 500)},{height}", "--virtual-time-budget=40000",
            f"--screenshot={shot}", address,
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        image = Image.open(shot).convert("RGB").crop((0, 0, width, height))
    for colours in (256, 128, 64, 32):
        out = io.BytesIO()
        image.quantize(colours).save(out, "PNG", optimize=True)
        if len(out.getvalue()) <= MAX_BYTES:
            break
    IMAGES.mkdir(exist_ok=True)
    (IMAGES / f"{name}.png").write_bytes(out.getvalue())
    print(f"{name}.png  {len(out.getvalue()):,} bytes")


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """The address of MLflow's UI on the runs of a folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://{HOST}:{port}"
    words = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--port", str(port),
             "--allowed-hosts", f"127.0.0.1:{port},{HOST}:{port}",
             "--cors-allowed-origins", address]  # fmt: skip
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", *words]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2)
                break
            except OSError:
                time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    """Train, sweep and compare in a temporary folder, and shoot each page."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "pyproject.toml").touch()  # a project of its own
        trained = sightline(*TRAINING, folder=folder)
        swept = sightline(*SWEEP, folder=folder)
        sightline("compare", "output=compared", "metric=val_best/accuracy", folder=folder)
        (report,) = folder.glob("runs/*/*/report.html")
        (board,) = folder.glob("sweeps/*/board.html")
        shoot(report.as_uri(), "report", 1280, 1500)
        phone = folder / "phone.html"
        phone.write_text(
            f'<body style="margin: 0"><iframe src="{report.as_uri()}" '
            f'style="border: 0; width: {PHONE}px; height: 1500px"></iframe>'
        )
        shoot(phone.as_uri(), "report-narrow", PHONE, 1500)
        shoot(board.as_uri(), "sweep-board", 1280, 1300)
        shoot((folder / "compared" / "comparison.html").as_uri(), "comparison", 1280, 1300)
        run, leaderboard, curves = LINK.findall(trained)[:3]
        sweep, board_page, runs = LINK.findall(swept)[-3:]
        with mlflow_server(folder) as address:
            for name, link in {
                "mlflow-run": run, "mlflow-charts": run.replace("?", "/model-metrics?"),
                "mlflow-leaderboard": leaderboard, "mlflow-curves": curves,
                "mlflow-sweep": sweep, "mlflow-sweep-board": board_page, "mlflow-sweep-runs": runs,
            }.items():  # fmt: skip
                shoot(address + link, name, 1600, 1000)


if __name__ == "__main__":
    main()
