"""The notebook of the documentation, run in a kernel as Jupyter runs it."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from support.pages import ROOT
from support.stores import copy_store

ADDED = (
    "sightline.train(['model=nope'])",
    "sightline.train(['trainer.max_epochs=5000', 'report=none'])",
    "from pathlib import Path\nsightline.Run(sorted(Path('runs').glob('*/*'))[-1]).status",
)


def outputs(cell: NotebookNode, kind: str) -> str:
    """The outputs of a cell in a form such as `text/html`, in one string."""
    return "\n".join(str(o.data[kind]) for o in cell.outputs if kind in o.get("data", {}))


def interrupt_the_third(client: NotebookClient, project: Path) -> None:
    """Interrupt the kernel when its third training has a checkpoint."""
    while True:
        runs = sorted(project.glob("runs/*/*"))
        if len(runs) == 3 and (runs[2] / "checkpoints" / "last.ckpt").exists():
            break
        time.sleep(0.1)
    os.kill(client.km.provisioner.pid, signal.SIGINT)  # as Jupyter interrupts it


def test_the_notebook_of_the_documentation(
    tmp_path: Path, empty_store: Path, new_processes: None
) -> None:
    """Its bar, tables and figures are there, a mistake is one line, an interrupt saves the run."""
    copy_store(empty_store, tmp_path / "mlflow.db")
    book = nbformat.read(ROOT / "docs/guides/first_run.ipynb", as_version=4)
    written = len(book.cells)
    book.cells += [nbformat.v4.new_code_cell(code) for code in ADDED]
    client = NotebookClient(
        book, timeout=300, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}
    )
    threading.Thread(target=interrupt_the_third, args=(client, tmp_path), daemon=True).start()
    client.execute()
    trained, figure, table, compared = (c for c in book.cells[:written] if c.cell_type == "code")
    assert "jupyter.widget-view" in str(trained.outputs)  # the bar
    assert "epoch 3/3" in outputs(trained, "text/plain")
    assert outputs(trained, "text/html").count("data:image/png;base64,") == 3
    assert outputs(figure, "image/png")
    assert "<table" in outputs(table, "text/html")
    assert "widths" in outputs(compared, "text/html")
    for cell in book.cells[:written]:
        assert "Warning" not in str(cell.get("outputs", "")), cell.source
    mistake, stopped, status = book.cells[written:]
    assert len(mistake.outputs[-1].traceback) == 1
    assert "model=nope" in mistake.outputs[-1].traceback[0]
    assert stopped.outputs[-1].ename == "KeyboardInterrupt"
    assert "KILLED" in outputs(status, "text/plain")
