"""The structure itself: imports go downward, and one place knows each thing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sightline

SOURCE = Path(sightline.__file__).parent
# From the bottom up; a module imports only from its own layer or those before it.
LAYERS = [
    {"errors", "project", "types", "predictions", "progress", "ranks", "__init__"},
    {"slurm", "alive", "requeue", "launched"},
    {"config", "arguments", "components", "compose"},
    {"label_modes"},
    {"evaluation", "reports", "comparison", "data", "models"},
    {"tracking", "inference"},
    {"run_folder", "resume"},
    {"training"},
    {"run_job", "sync", "runs", "sweeps", "compare", "reproduce"},
    {"launch", "doctor", "export", "evaluate"},
    {"cli"},
]
MODULES = sorted(path for path in SOURCE.rglob("*.py"))


def layer(part: str) -> int:
    return next(i for i, parts in enumerate(LAYERS) if part in parts)


def imported(path: Path) -> set[str]:
    """Full names of what a module imports, also inside functions, except for typing alone."""
    tree = ast.parse(path.read_text())
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            skipped |= set(ast.walk(node))
    names = set()
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_go_downward(path: Path) -> None:
    own = path.relative_to(SOURCE).with_suffix("").parts[0]
    if own == "__init__":
        return  # its lazy attributes reach up on purpose
    for name in imported(path):
        parts = name.split(".")
        if (parts[0] == "sightline" and len(parts) > 1 and (SOURCE / parts[1]).exists()) or (
            parts[0] == "sightline" and len(parts) > 1 and (SOURCE / f"{parts[1]}.py").exists()
        ):
            assert layer(parts[1]) <= layer(own), f"{own} imports {name}"


def importers(package: str) -> set[str]:
    return {
        str(path.relative_to(SOURCE).parts[0])
        for path in MODULES
        if any(name == package or name.startswith(f"{package}.") for name in imported(path))
    }


def test_mlflow_is_known_to_tracking_and_to_the_model_it_loads() -> None:
    assert importers("mlflow") == {"tracking", "inference"}
    knows = [p.name for p in (SOURCE / "inference").glob("*.py") if "mlflow" in p.read_text()]
    assert knows == ["pyfunc.py"]


def test_instantiate_is_called_in_one_place() -> None:
    assert importers("hydra.utils") == {"components.py"}


def test_reports_know_neither_lightning_nor_mlflow() -> None:
    for path in (SOURCE / "reports").glob("*.py"):
        assert not {n.split(".")[0] for n in imported(path)} & {"mlflow", "pytorch_lightning"}


def test_only_label_modes_know_the_label_mode() -> None:
    for path in MODULES:
        if path.parts[-2] == "label_modes" or path.name == "digits.py":
            continue  # the digits have a question of their own for each mode
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare):
                text = ast.unparse(node)
                names = ("'binary'", "'multiclass'", "'multilabel'")
                if path.name == "describe.py" and "multiclass" in text:
                    continue  # the run's name leaves out the most common mode
                assert not any(name in text for name in names), f"{path}: {text}"


def test_help_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'mlflow', 'pytorch_lightning', 'timm', 'torchvision', 'matplotlib'}"
    for arguments in (["--help"], ["train", "--help"]):
        code = (
            f"import sys; sys.argv = ['sightline', *{arguments}]\n"
            "from sightline.cli import main\n"
            "status = main()\n"
            f"assert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)\n"
            "sys.exit(status)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "sightline train" in done.stdout
