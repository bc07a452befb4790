"""Each command is one file of `commands/`: listed, described and started from the folder alone."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from support.commands import Sightline

from sightline import commands
from sightline.cli import main, usage
from sightline.commands import command_names, load_command, run_command
from sightline.config.usage import option_rows
from sightline.inference.table_files import TABLES

FOLDER = Path(commands.__file__).parent
HEAVY = ("torch", "mlflow", "pytorch_lightning", "timm", "torchvision", "matplotlib", "sklearn",
         "pandas", "pyarrow")  # fmt: skip
WITH_OPTIONS = [name for name in command_names() if load_command(name).options is not None]
LISTED = [name for name in command_names() if load_command(name).section is not None]
HELP = """
import json, sys
from sightline.cli import main
_, words, heavy_names = sys.argv
sys.argv = ["sightline", *json.loads(words)]
try:
    status = main()
except SystemExit as ended:
    status = ended.code
heavy = sorted(set(json.loads(heavy_names)) & set(sys.modules))
print(json.dumps([status, heavy]), file=sys.stderr)
"""
EXAMPLE = """
'''`sightline greet`: an example.'''

from pydantic import Field

from sightline.config.command import Command
from sightline.config.options import Options


class GreetOptions(Options):
    '''Options of `sightline greet`.'''

    name: str = Field("you", description="who is greeted")


def run(options: GreetOptions) -> int:
    '''Greet.'''
    print(f"hello {options.name}")
    return 3


COMMAND = Command(help="greet somebody", section="machine", options=GreetOptions, run=run)
"""


def cpu_seconds() -> float:
    """CPU time of ended child processes, which other processes on the machine do not change."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_each_file_of_the_folder_is_a_command() -> None:
    files = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    assert files <= set(command_names())
    assert {"train", "evaluate", "predict", "runs", "job"} <= files
    assert set(command_names()) - set(LISTED) == {"job"}


def test_the_usage_text_lists_each_command_once() -> None:
    text = usage()
    for name in LISTED:
        lines = [line for line in text.splitlines() if line.startswith(f"  {name} ")]
        assert lines == [next(line for line in lines if line.endswith(load_command(name).help))]
    assert "  job " not in text


def test_a_reader_that_ends_first_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in `sightline predict --help | head -3`."""
    reader, writer = os.pipe()
    os.close(reader)
    output = os.fdopen(writer, "w", buffering=1)
    monkeypatch.setattr(sys, "argv", ["sightline", "predict", "--help"])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", output)
        assert main() == 128 + signal.SIGPIPE
    with suppress(BrokenPipeError):
        output.close()


@pytest.mark.parametrize("words", [[], *([name] for name in LISTED)], ids=" ".join)
def test_help_is_quick_and_imports_nothing_heavy(words: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-c", HELP, json.dumps([*words, "--help"]), json.dumps(HEAVY)]
    before = cpu_seconds()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    seconds = cpu_seconds() - before
    status, heavy = json.loads(done.stderr)
    assert status == 0
    assert heavy == []
    assert seconds < 1
    assert f"usage: sightline {words[0] if words else 'COMMAND'}" in done.stdout


@pytest.mark.parametrize("name", WITH_OPTIONS)
def test_help_names_each_option_with_its_help_and_default(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = load_command(name).options
    assert options is not None
    with pytest.raises(SystemExit, match="0"):
        run_command(name, ["--help"])
    text = " ".join(capsys.readouterr().out.split())
    rows = option_rows(options)
    assert len(rows) == len(options.model_fields)
    for left, right in rows.items():
        assert f"{left} {right}" in text
    for field in options.model_fields.values():
        assert field.description
        default = field.get_default()
        if isinstance(default, int | float) and not isinstance(default, bool):
            assert f"(default: {default})" in text


def test_predict_names_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        run_command("predict", ["--help"])
    out = capsys.readouterr().out
    assert all(ending in out for ending in TABLES)


def test_a_command_is_one_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sightline: Sightline
) -> None:
    (tmp_path / "commands").mkdir()
    (tmp_path / "commands" / "greet.py").write_text(EXAMPLE)
    monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path / "commands")])
    assert "greet      greet somebody" in sightline("--help", tracked=False).out
    described = sightline("greet", "--help", tracked=False)
    assert described.status == 0
    assert "who is greeted (default: you)" in described.out
    done = sightline("greet", "name=Ada", tracked=False)
    assert (done.status, done.out) == (3, "hello Ada\n")
    wrong = sightline("greet", "nam=Ada", tracked=False)
    assert wrong.status == 1
    assert "Did you mean 'name'?" in wrong.err
    assert "Did you mean 'greet'?" in sightline("gret", tracked=False).err
    monkeypatch.delitem(sys.modules, "sightline.commands.greet")


def test_a_plugin_package_brings_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sightline: Sightline
) -> None:
    facts = tmp_path / "greeting-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(
        "[sightline.commands]\nwelcome = greeting:COMMAND\ntrain = greeting:COMMAND\n"
    )
    (tmp_path / "greeting.py").write_text(EXAMPLE)
    monkeypatch.syspath_prepend(tmp_path)
    assert "welcome" in sightline("--help", tracked=False).out
    assert sightline("welcome", tracked=False).out == "hello you\n"
    assert load_command("train").options is None  # a plugin does not replace Sightline's own
    monkeypatch.delitem(sys.modules, "greeting")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["forget"], "unknown command"),
        (["cache", "forget"], "'forget': expected clear"),
        (["sync", "--agin"], "'--agin': expected one of --again"),
        (["evaluate", "run"], "'run': expected KEY=VALUE"),
        (["runs", "--reap=1"], "'--reap=1': expected one of --reap"),
    ],
)
def test_wrong_usage_exits_with_2(sightline: Sightline, words: list[str], message: str) -> None:
    done = sightline(*words, tracked=False)
    assert done.status == 2
    assert message in done.err
    assert "usage: sightline" in done.err


def test_the_ui_passes_on_the_flags_of_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda program, command: started.append(command))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///x.db")
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", "")
    run_command("ui", ["--port", "5001", "--host", "0.0.0.0"])
    assert started == [
        [sys.executable, "-m", "mlflow", "ui", "--port", "5001", "--host", "0.0.0.0"]
    ]
