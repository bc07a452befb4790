"""Searches: spaces in Hydra's grammar, trials that survive kills, pruning, failures, mistakes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.trial import TrialState
from support.cheap_job import start_sweep, starts, summary, wait_for
from support.commands import QUICK, Done, Sightline

from sightline.errors import UserError
from sightline.reports.figures.search import draw_history, draw_importances, draw_tradeoff
from sightline.sweeps.search.grammar import read_spaces
from sightline.sweeps.search.samplers import SAMPLERS, make_sampler
from sightline.sweeps.search.spaces import Space, boundary_samples, sample_overrides

SEARCH = ["hydra/sweeper=optuna"]
RATE = "optimizer.lr=tag(log,interval(1e-4,1e-1))"


def spaces_of(*words: str) -> tuple[list[str], list[Space]]:
    return read_spaces(OverridesParser.create().parse_overrides(list(words)))


def study_of(folder: Path) -> optuna.Study:
    [name] = optuna.get_all_study_names(f"sqlite:///{folder}/optuna.db")
    return optuna.load_study(study_name=name, storage=f"sqlite:///{folder}/optuna.db")


def distributions(*words: str, seed: int = 0) -> dict[str, Any]:
    """Optuna's own distributions, as a trial over these spaces asks for them."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
    trial = study.ask()
    sample_overrides(trial, spaces_of(*words)[1], [])
    return dict(trial.distributions)


def test_hydras_sweeps_are_optunas_distributions() -> None:
    found = distributions(
        "a=interval(1,8)", "b=int(interval(1,8))", "c=tag(log,interval(1e-4,0.1))",
        "d=tag(int,log,interval(1,64))", "e=range(1,10)", "f=range(0,1,0.25)", "g=range(10,1,-3)",
        "h=choice(x,y)", "i=1,2", "+j=[4,8],[16]", "k=shuffle(a,b)",
    )  # fmt: skip
    floats, ints = optuna.distributions.FloatDistribution, optuna.distributions.IntDistribution
    assert found == {
        "a": floats(1, 8), "b": ints(1, 8), "c": floats(1e-4, 0.1, log=True),
        "d": ints(1, 64, log=True), "e": ints(1, 9), "f": floats(0, 0.75, step=0.25),
        "g": ints(4, 10, step=3),
        **{key: optuna.distributions.CategoricalDistribution(choices) for key, choices in {
            "h": ("x", "y"), "i": ("1", "2"), "j": ("[4,8]", "[16]"), "k": ("a", "b")}.items()},
    }  # fmt: skip


def test_a_condition_holds_in_every_trial() -> None:
    fixed, spaces = spaces_of(
        'c=tag("b=2",interval(0,1))', 'b=tag("a=x",choice(1,2))', "a=choice(x,y)", "d=3",
        'e=tag("d=3",range(0,4))', 'f=tag("d=4",range(0,4))',
    )  # fmt: skip
    assert fixed == ["d=3"]
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0, n_startup_trials=5))
    seen = set()
    for _ in range(40):
        trial = study.ask()
        words = dict(word.split("=") for word in sample_overrides(trial, spaces, fixed))
        assert ("b" in words) == (words["a"] == "x")
        assert ("c" in words) == (words.get("b") == "2")
        assert "e" in words
        assert "f" not in words
        seen.add((words["a"], words.get("b")))
        study.tell(trial, float(words.get("c", 1)))
    assert seen == {("x", "1"), ("x", "2"), ("y", None)}
    assert len(boundary_samples(spaces, fixed)) >= 4


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("a=tag(log,interval(0,1))", "above 0"),
        ("a=interval(2,1)", "lower bound"),
        ("a=tag(lg,interval(1,2))", "unknown tag 'lg'"),
        ("a=tag(log,choice(1,2))", "listed values have no log"),
        ("a=tag(log,range(1,9,2))", "no steps"),
        ('a=tag("b=1",interval(1,2))', "condition on b can never hold"),
        ("a=1", "nothing to search"),
    ],
)
def test_a_space_that_cannot_be_is_said(word: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        spaces_of(word)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("name", SAMPLERS)
def test_each_sampler_draws_the_same_after_a_restart(name: str, tmp_path: Path) -> None:
    """Told the same results, trials 3 to 5 are those of the study that was never interrupted."""
    _, spaces = spaces_of("x=range(0,40)", "y=choice(a,b,c)")

    def run(study: optuna.Study, numbers: range) -> list[dict[str, Any]]:
        for number in numbers:
            study.sampler = make_sampler(name, {}, 7, number)
            trial = study.ask()
            sample_overrides(trial, spaces, [])
            study.tell(trial, float(trial.params["x"]))
        return [trial.params for trial in study.trials]

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    whole = run(optuna.create_study(), range(6))
    storage = f"sqlite:///{tmp_path}/s.db"
    run(optuna.create_study(storage=storage, study_name="s"), range(3))
    assert run(optuna.load_study(study_name="s", storage=storage), range(3, 6)) == whole
    assert len({json.dumps(params) for params in whole}) >= 5


def test_a_killed_search_goes_on_as_if_it_had_not_been(
    cheap: Callable[..., Done],
    tmp_path: Path,
) -> None:
    """SIGKILL of the search and of its third trial; the same command ends where one ends alone."""
    words = [*SEARCH, RATE, "model=choice(cnn,timm)", "hydra.sweeper.n_trials=5",
             "hydra.sweeper.sampler_options={n_startup_trials:2}"]  # fmt: skip
    done = cheap(*words, 'model.dropout=tag("model=cnn",interval(0,0.5))')
    assert done.status == 0, done.err
    alone = [trial.params for trial in study_of(tmp_path / "sweep").trials]
    assert len(starts(tmp_path / "sweep")) == 5
    assert all(("model.dropout" in params) == (params["model"] == "cnn") for params in alone)
    # The figures are there, and a second search in this folder is refused.
    names = {path.name for path in (tmp_path / "sweep/figures").iterdir()}
    assert names >= {"history.png", "parallel_coordinates.png", "importances.png"}
    done = cheap(*words)
    assert done.status == 1
    assert "holds another sweep" in done.err
    # n_trials is the total: nothing is left to do.
    done = cheap(*words, 'model.dropout=tag("model=cnn",interval(0,0.5))')
    assert done.status == 0, done.err
    assert len(study_of(tmp_path / "sweep").trials) == 5

    other = tmp_path / "other"
    other.mkdir()
    sweep = start_sweep(other, *words, 'model.dropout=tag("model=cnn",interval(0,0.5))', s0="third")
    third = other / "sweep/2/starts.txt"
    wait_for(third.exists)
    os.kill(sweep.pid, signal.SIGKILL)
    os.kill(int(third.read_text().split()[0]), signal.SIGKILL)
    sweep.wait()
    study = study_of(other / "sweep")
    assert [t.state for t in study.trials] == [*[TrialState.COMPLETE] * 2, TrialState.RUNNING]
    again = start_sweep(other, *words, 'model.dropout=tag("model=cnn",interval(0,0.5))')
    assert again.wait(timeout=400) == 0, (other / "sweep.out").read_text()
    study = study_of(other / "sweep")
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 5
    assert [t.params for t in study.trials] == alone
    assert [len(each) for each in starts(other / "sweep")] == [1, 1, 2, 1, 1]


def test_failed_pruned_and_finished_trials(
    cheap: Callable[..., Done],
    tmp_path: Path,
) -> None:
    """Every seed once: one raises, one is nan, one is pruned, two finish; then none is left."""
    done = cheap(
        *SEARCH, "seed=choice(0,1,2,3,900)", "hydra.sweeper.sampler=bruteforce",
        "hydra.sweeper.n_trials=9", "hydra.sweeper.pruner=threshold", "hydra.launcher.n_jobs=2",
        "hydra.sweeper.pruner_options={upper:1.5}", seeds={1: "raise", 2: "nan", 900: "slow"},
    )  # fmt: skip
    assert done.status == 1
    assert "2 jobs of the sweep failed" in done.err
    assert "RuntimeError: the images are upside down" in done.err
    assert "val_best/loss is nan" in done.err
    assert "Every combination was tried" in done.out
    study = study_of(tmp_path / "sweep")
    states = {int(trial.params["seed"]): trial.state for trial in study.trials}
    complete = TrialState.COMPLETE
    assert states == {0: complete, 1: TrialState.FAIL, 2: TrialState.FAIL, 3: complete,
                      900: TrialState.PRUNED}  # fmt: skip
    rows = {int(row["seed"]): row for row in summary(tmp_path / "sweep")}
    assert {seed: row["status"] for seed, row in rows.items()} == {
        0: "FINISHED", 1: "FAILED", 2: "FAILED", 3: "FINISHED", 900: "PRUNED"
    }  # fmt: skip
    pruned = next(trial for trial in study.trials if trial.params["seed"] == "900")
    assert pruned.intermediate_values == {0: pytest.approx(1.9, abs=0.01)}
    assert study.best_params == {"seed": "0"}


def test_a_training_is_pruned_at_its_first_validation(sightline: Sightline) -> None:
    done = sightline(
        "train", "-m", *SEARCH, RATE, *QUICK[1:], "trainer.max_epochs=500",
        "hydra.sweeper.n_trials=1", "hydra.sweeper.pruner=threshold",
        "hydra.sweeper.pruner_options={upper:0}",
    )  # fmt: skip
    assert done.status == 0, done.err
    assert done.run.info.status == "KILLED"
    assert done.run.data.tags["pruned"].startswith("by threshold after epoch 1")
    assert "error" not in done.run.data.tags
    [own] = done.sweeps
    assert own.info.status == "FINISHED"
    assert "1 PRUNED" in own.data.tags["mlflow.note.content"]


def test_several_objectives_and_a_config_tried_before(
    cheap: Callable[..., Done],
    tmp_path: Path,
) -> None:
    words = [
        "hydra/sweeper=optuna", "hydra.sweeper.direction=[maximize,minimize]",
        "hydra.sweeper.objective=[val_best/accuracy,parameters]", "seed=choice(0,1)",
        "hydra.sweeper.sampler=random",
    ]  # fmt: skip
    done = cheap(*words, "hydra.sweeper.n_trials=4")
    assert done.status == 0, done.err
    study = study_of(tmp_path / "sweep")
    assert len(study.trials) == 4
    for trial in study.trials:
        loss = 0.000049 + int(trial.params["seed"]) / 1000  # lr is 0.003
        assert trial.values == pytest.approx([1 / (1 + loss), 10])
    assert "is not run again" in done.out
    assert len(starts(tmp_path / "sweep")) == 2  # of the two seeds each once
    assert (tmp_path / "sweep/figures/tradeoff.png").exists()
    # More trials of the same search, and an objective that there is not.
    assert cheap(*words, "hydra.sweeper.n_trials=5").status == 0
    assert len(study_of(tmp_path / "sweep").trials) == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([*SEARCH, RATE, "hydra.sweeper.n_trials=3", "hydra.sweeper.objective=parameters"],
         "direction is missing"),
        ([*SEARCH, RATE], "n_trials is missing"),
        ([*SEARCH, RATE, "hydra.sweeper.n_trials=0"], "n_trials=0"),
        ([*SEARCH, "seed=1", "hydra.sweeper.n_trials=3"], "nothing to search"),
        ([*SEARCH, RATE, "hydra.sweeper.n_trials=3", "hydra.sweeper.sampler=tpee"],
         "Did you mean 'tpe'"),
        ([*SEARCH, RATE, "hydra.sweeper.n_trials=3", "hydra.sweeper.sampler_options={startup:3}"],
         "Did you mean 'n_startup_trials'"),
        ([*SEARCH, RATE, "hydra.sweeper.n_trials=3", "hydra.sweeper.pruner=medium"], "'median'"),
        (["hydra/sweeper=optuna", "hydra.sweeper.direction=maximize", RATE,
          "hydra.sweeper.n_trials=3"], "contradicts val_best/loss"),
        (["hydra/sweeper=optuna", "hydra.sweeper.direction=[minimize,maximize]", RATE,
          "hydra.sweeper.n_trials=3"], "one for each objective"),
        ([*SEARCH, RATE, "hydra.sweeper.n_trials=3", "hydra.sweeper.objective=parameters",
          "hydra.sweeper.pruner=median"], "measured at each validation"),
        ([*SEARCH, "optimizer.lrate=interval(0,1)", "hydra.sweeper.n_trials=3"], "optimizer.lr"),
        ([*SEARCH, "model=choice(cnn,tim)", "hydra.sweeper.n_trials=3"], "Did you mean 'timm'"),
        ([*SEARCH, "label_mode=choice(multiclass,binary)", "hydra.sweeper.n_trials=3"],
         "values of these do not compare"),
        ([*SEARCH, "seed=range(-3,9)", "hydra.sweeper.n_trials=3"], "seed: expected"),
        ([*SEARCH, RATE, "hydra.sweeper.n_trials=3", "hydra.sweeper.storage=nosuch://x:secret@y/z"],
         "storage"),
    ],
    ids=["direction", "n_trials", "none", "space", "sampler", "options", "pruner", "mode", "count",
         "unpruned", "key", "choice", "modes", "bound", "storage"],
)  # fmt: skip
def test_a_search_that_cannot_be_leaves_nothing(
    cheap: Callable[..., Done],
    tmp_path: Path,
    words: list[str],
    said: str,
) -> None:
    done = cheap(*words)
    assert done.status == 1
    assert said in done.err
    assert "secret" not in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "sweep").exists()


def test_a_searchs_figures_show_what_there_is() -> None:
    history = [(0, [1.0, 5.0]), (2, [0.5, 9.0]), (3, [2.0, 900.0])]
    objectives = [("val_best/loss", False), ("parameters", False)]
    figure = draw_history(history, objectives, {"pruned": [1], "failed": []})
    step = figure.axes[0].lines[1].get_ydata()
    assert list(step) == [1.0, 0.5, 0.5]
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == [
        "a trial", "best so far", "pruned"
    ]  # fmt: skip
    bars = draw_importances({"val_best/loss": {"a": 0.7, "b": 0.3}}).axes[0].patches
    assert [bar.get_width() for bar in bars] == [0.3, 0.7]
    assert draw_tradeoff(history, ["x", "y"], {0, 2}).axes[0].get_yscale() == "log"
