"""A refused command and the folder that it was given: nothing of others is changed or removed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.commands import Done, Sightline

from sightline.comparison.boards import remove_earlier
from sightline.errors import UserError
from sightline.inference.table_files import check_output
from sightline.io.folders import make_folder, remove_empty
from sightline.runs.lock import run_lock
from sightline.runs.unbegun import RUN, SWEEP, check_unbegun, undone_unless_begun

REFUSED = ["data=folder", "data.root=../hollow"]  # found where the run has its folder


def contents(root: Path) -> dict[str, str | None]:
    """Every file with its content, every folder and every link."""
    return {
        str(path.relative_to(root)): path.read_text() if path.is_file() else None
        for path in root.rglob("*")
    }


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """Folders that a person may name."""
    root = tmp_path / "places"
    for name in ("mine", "empty", "sweep"):
        (root / name).mkdir(parents=True)
    (tmp_path / "hollow").mkdir()
    (root / "mine/train.log").write_text("my own log\n")
    (root / "sweep/sweep.log").write_text("my own too\n")
    (root / "file").write_text("a file\n")
    (root / "link").symlink_to("empty")
    (root / "dangling").symlink_to("nowhere")
    return root


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mine", "holds other files (train.log)"),
        (".", "holds other files (dangling, empty, file and 3 more)"),
        ("file", "is a file"),
        ("dangling", "is a link to nothing"),
        ("file/below", "Not a directory"),
        ("empty", "hollow"),
        ("link", "hollow"),
        ("new/of/three", "hollow"),
    ],
)
def test_a_refused_training_leaves_the_folder_as_it_was(
    sightline: Sightline, places: Path, name: str, said: str
) -> None:
    before = contents(places)
    done = sightline("train", *REFUSED, f"hydra.run.dir={places / name}")
    assert done.status == 1
    assert said in done.err
    assert "Traceback" not in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert contents(places) == before


@pytest.mark.parametrize("name", ["sweep", "mine", "file", "empty", "new/of/three"])
def test_a_refused_sweep_leaves_the_folder_as_it_was(
    cheap: Callable[..., Done], places: Path, name: str
) -> None:
    """The store of the study is what refuses where the folder does not."""
    before = contents(places)
    storage = f"hydra.sweeper.storage=sqlite:///{places}/file/optuna.db"
    done = cheap("hydra/sweeper=optuna", "hydra.sweeper.n_trials=1", storage, "seed=choice(0,1)",
                 f"hydra.sweep.dir={places / name}")  # fmt: skip
    assert done.status == 1
    assert "Traceback" not in done.err
    assert contents(places) == before


def test_an_unwritable_parent_is_named(sightline: Sightline, places: Path) -> None:
    done = sightline("train", "hydra.run.dir=/proc/nowhere")  # also root cannot make it
    assert done.status == 1
    assert "Cannot use /proc/nowhere" in done.err


def fail_after_writing(folder: Path, files: dict[str, str]) -> None:
    """Stop an attempt, such as by Ctrl-C, when it wrote these files."""

    def attempt() -> None:
        with run_lock(folder), undone_unless_begun(folder, RUN):
            for name, text in files.items():
                (folder / name).write_text(text)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt()


@pytest.mark.parametrize("root", ["/", "/proc", "/etc"])
def test_folders_of_the_system_are_refused_before_anything_is_written(
    sightline: Sightline, root: str
) -> None:
    before = sorted(Path(root).iterdir()) if root != "/proc" else []
    for words in (
        [f"hydra.run.dir={root}"],
        ["-m", "seed=0,1", f"hydra.sweep.dir={root}"],
        ["-m", "seed=0,1", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=1",
         "hydra.sweeper.params={seed: 'range(0,2)'}", f"hydra.sweep.dir={root}"],
    ):  # fmt: skip
        done = sightline("train", *words)
        assert done.status == 1
        assert f"dir={root}: this folder holds other files" in done.err, done.err
        assert "Traceback" not in done.err
        assert not done.runs
    assert not before or sorted(Path(root).iterdir()) == before


def test_only_what_was_made_inside_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "a/b"
    check_unbegun(folder, RUN, "hydra.run.dir")
    fail_after_writing(
        folder, {"train.log": "ours", "notes.txt": "put there by somebody meanwhile"}
    )
    assert contents(tmp_path / "a") == {"b": None, "b/notes.txt": "put there by somebody meanwhile"}
    (folder / "notes.txt").unlink()
    (folder / "train.log").write_text("theirs")
    fail_after_writing(folder, {"train.log": "theirs, and more"})
    assert (folder / "train.log").exists()


def test_a_run_that_began_keeps_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    fail_after_writing(folder, {"train.log": "ours", "run.json": "{}"})
    assert {path.name for path in folder.iterdir()} == {"train.log", "run.json"}
    check_unbegun(folder, RUN, "hydra.run.dir")
    with pytest.raises(UserError, match=r"no sweep\.json"):
        check_unbegun(folder, SWEEP, "hydra.sweep.dir")


def test_what_a_killed_attempt_left_is_taken_up(tmp_path: Path) -> None:
    """Killed before it froze its config; and the first of its jobs, by then frozen."""
    code = ("import os, signal, sys; from pathlib import Path\n"
            "from sightline.runs.lock import run_lock\n"
            "with run_lock(Path(sys.argv[1])) as _:\n"
            "    for name in ('train.log', 'conf', '.run.json.7.partial', 'lr=0.1/run.json'):\n"
            "        path = Path(sys.argv[1], name)\n"
            "        path.parent.mkdir(exist_ok=True); path.touch()\n"
            "    os.kill(os.getpid(), signal.SIGKILL)")  # fmt: skip
    folder = tmp_path / "killed"
    done = subprocess.run([sys.executable, "-c", code, folder], env=os.environ, check=False)
    assert done.returncode == -9
    check_unbegun(folder, RUN, "hydra.run.dir")
    check_unbegun(folder, SWEEP, "hydra.sweep.dir")
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"other files \(notes.txt\)"):
        check_unbegun(folder, RUN, "hydra.run.dir")


def test_folders_of_others_are_not_taken_back(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    made = make_folder(tmp_path / "a/b/c")
    assert made == [tmp_path / "a/b", tmp_path / "a/b/c"]
    (tmp_path / "a/b/file").touch()
    remove_empty(made)
    assert contents(tmp_path) == {"a": None, "a/b": None, "a/b/file": ""}
    (tmp_path / "a/b/file").unlink()
    remove_empty(made)
    assert contents(tmp_path) == {"a": None}
    with pytest.raises(OSError, match="No such file"):
        make_folder(Path("/proc/nowhere/at/all"))


def test_an_output_is_a_file_that_nothing_else_is_in_the_place_of(places: Path) -> None:
    for name in ("table.csv", "pipe.csv", "link.csv", "dangling.csv", "folder.csv"):
        path = places / name
        check_output(path, (".csv",), False)
        if name == "table.csv":
            path.write_text("mine")
        elif name == "pipe.csv":
            os.mkfifo(path)
        elif name == "folder.csv":
            path.mkdir()
        else:
            path.symlink_to("table.csv" if name == "link.csv" else "nowhere")
    before = contents(places)
    for name, said in {"pipe": "a device or a pipe", "link": "a link to table.csv",
                       "dangling": "a link to nowhere", "folder": "a folder"}.items():  # fmt: skip
        for overwrite in (False, True):
            with pytest.raises(UserError, match=said):
                check_output(places / f"{name}.csv", (".csv",), overwrite)
    with pytest.raises(UserError, match="exists; give another name"):
        check_output(places / "table.csv", (".csv",), False)
    check_output(places / "table.csv", (".csv",), True)
    assert contents(places) == before


def test_a_comparison_replaces_its_own_files_alone(tmp_path: Path) -> None:
    for name in ("notes.txt", "tests.csv", "boards/notes.txt", "boards/x/tests.csv",
                 "boards/mine/notes.txt", "boards/mine/tests.csv"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    remove_earlier(tmp_path)
    assert contents(tmp_path).keys() == {
        "notes.txt", "boards", "boards/notes.txt", "boards/mine", "boards/mine/notes.txt"
    }  # fmt: skip
