"""Which keys of a config make another group of runs: all but those of one list."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sightline.config.compose import compose_job
from sightline.config.influence import (
    NO_INFLUENCE,
    group_digest,
    has_influence,
    influences,
    is_under,
    leaves,
)
from sightline.config.schema import REPLICATES
from sightline.tracking.description import group_name

SOURCES = {
    "digits": [],
    "folder": ["data.root=photos"],
    "manifest": ["data.path=table.csv"],
    "npz": ["data.path=a.npz"],
    "parquet": ["data.path=a.parquet"],
    "torchvision": ["data.name=MNIST"],
    "huggingface": ["data.name=cifar10"],
    "webdataset": [
        "data.train=a.tar",
        "data.val=b.tar",
        "data.test=c.tar",
        "data.class_names=[a,b]",
    ],
}


def config_of(*overrides: str) -> dict[str, Any]:
    config, _ = compose_job([*overrides])
    return config.model_dump(mode="json")


def digest_of(config: dict[str, Any], **params: object) -> str:
    found = {key.replace("__", "."): value for key, value in params.items()}
    return group_digest(influences(config, found))


def changed(config: dict[str, Any], key: str) -> dict[str, Any]:
    """The config with another value of a dotted key."""
    copied = copy.deepcopy(config)
    *path, last = key.split(".")
    node: Any = copied
    for part in path:
        node = node[int(part)] if isinstance(node, list) else node[part]
    node[int(last) if isinstance(node, list) else last] = "another value"
    return copied


@pytest.mark.parametrize("source", SOURCES)
def test_every_key_makes_another_group_unless_it_is_in_the_list(source: str) -> None:
    """Also a key that is new: nothing has to be written for it."""
    config = config_of(f"data={source}", *SOURCES[source], "augment=strong")
    config |= {
        "callbacks": [{"_target_": "my.Callback", "nested": [{"every": 3}]}],
        "new": {"a": 1},
    }
    digest = digest_of(config)
    same = {key for key, _ in leaves(config) if digest_of(changed(config, key)) == digest}
    assert same == {key for key, _ in leaves(config) if not has_influence(key)}
    for key in ("augment.transforms.1.degrees", "callbacks.0.nested.0.every", "new.a"):
        assert key not in same
    assert same >= {"seed", "data.fold", "data.num_workers", "data.cache", "tracking.uri"}


def test_the_list_names_keys_that_there_are() -> None:
    """A key that is misspelt, or that is there no more, would do nothing."""
    there = {"hydra", "trainer.num_nodes", "trainer.profiler", "trainer.log_every_n_steps"}
    for source, words in SOURCES.items():
        there |= {key for key, _ in leaves(config_of(f"data={source}", *words))}
    for name in (*REPLICATES, *NO_INFLUENCE):
        assert any(is_under(key, (name,)) for key in there), name
    assert all(reason for reason in NO_INFLUENCE.values())
    assert not has_influence("hydra/launcher")
    assert has_influence("data.rootless")


def test_a_digest_is_of_values_not_of_their_form_or_order() -> None:
    config = config_of("augment=light")
    other = dict(reversed(config.items()))
    other["augment"]["transforms"][0]["degrees"] = 5.0
    assert digest_of(other) == digest_of(config)
    null, missing = config_of(), config_of()
    null["model"]["dropout"] = None
    del missing["model"]["dropout"]  # then the model's own default
    assert len({digest_of(each) for each in (config, null, missing)}) == 3


def test_what_a_run_decided_makes_another_group() -> None:
    config = config_of()
    facts = {"augment__form": "images", "data__digest__val": "a", "trainer__world_size": 1,
             "label_mode__positive_class": "yes", "model__input": "1x8x8"}  # fmt: skip
    digest = digest_of(config, **facts)
    for key in facts:
        assert digest_of(config, **facts | {key: "other"}) != digest, key
    of_the_run = {"data__cache__used": "ram", "data__skipped": 3, "seed": 4}
    assert digest_of(config, **facts, **of_the_run) == digest


RECORDED = {
    "": "3e43a5a218531155fac0ff4375d4642a",
    "model=timm model.name=resnet18": "3efa20492122d5c101dd95df5856aacb",
    "data=folder data.root=photos augment=strong loss.class_weights=balanced":
        "ed02008af428f009fe56ebf1dc24b75f",
}  # fmt: skip
FOUND_OUT = {
    "model__crop_mode": "center", "model__input": "1x8x8", "data__digest__train": "a",
    "tuning__aim__used": "none",
}  # fmt: skip


@pytest.mark.parametrize(
    ("words", "facts"),
    [
        (["data.geometry=crop"], {}),
        (["data.geometry=null"], {}),
        (["model.img_size=8"], {}),
        (["model.in_chans=1"], {}),
        (["data.bits=16"], {}),
        (["tuning.aim=null"], {}),
        (["loss.class_weights=auto"], {"loss__class_weights__used": "none"}),
        (["loss.class_weights=[1,1]"], {"loss__class_weights__used": "none"}),
    ],
)
def test_a_value_that_is_what_was_decided_makes_no_group(
    words: list[str], facts: dict[str, str]
) -> None:
    default, given = config_of(), config_of(*words)
    assert digest_of(given, **FOUND_OUT, **facts) == digest_of(default, **FOUND_OUT)
    assert digest_of(given) != digest_of(default)  # where nothing tells what became of it
    assert digest_of(given, **FOUND_OUT | facts | {"model__crop_mode": "squash"}) != digest_of(
        default, **FOUND_OUT
    )


def test_what_auto_chose_is_that_value() -> None:
    bits = {"data__range__used": "0 to 4,095 (12 bits)"}
    auto, given, other = (config_of(f"data.bits={word}") for word in ("auto", 12, 14))
    ranged = config_of("data.range=[0,4095]")
    digest = digest_of(auto, **FOUND_OUT, **bits)
    assert digest == digest_of(given, **FOUND_OUT, **bits) == digest_of(ranged, **FOUND_OUT, **bits)
    assert digest != digest_of(other, **FOUND_OUT, data__range__used="0 to 16,383 (14 bits)")
    folder = "data=folder", "data.root=photos"
    auto = config_of(*folder)
    given = config_of(*folder, "data.splits={train: a, val: b, test: c}")
    assert digest_of(auto, **FOUND_OUT) == digest_of(given, **FOUND_OUT)
    crops = ("augment=random_resized_crop", "data.geometry=auto")
    frames = {"augment__frame_size__used": "16", "augment__frame_size__auto": "16"}
    auto, given, other = (
        config_of(*crops, f"augment.frame_size={word}") for word in ("auto", 16, 20)
    )
    assert digest_of(auto, **frames) == digest_of(given, **frames)
    assert digest_of(other, **frames | {"augment__frame_size__used": "20"}) != digest_of(
        auto, **frames
    )
    weights = {"loss__class_weights__used": "balanced"}
    auto, given = (config_of(f"loss.class_weights={word}") for word in ("auto", "balanced"))
    assert digest_of(auto, **weights) == digest_of(given)


def test_defaults_keep_the_digest_that_they_had() -> None:
    """Recorded before decisions were told apart from values."""
    facts = FOUND_OUT | {
        "augment__form": "images", "trainer__world_size": 1, "sightline__revision": 1,
        "trainer__precision__used": "32-true",
    }  # fmt: skip
    del facts["tuning__aim__used"]
    for words, digest in RECORDED.items():
        assert digest_of(config_of(*words.split()), **facts) == digest, words


def test_folds_share_their_group_but_not_with_other_data() -> None:
    one, other = (config_of("data.folds=3", f"data.fold={fold}") for fold in (0, 1))
    assert digest_of(one, data__digest__val="a") == digest_of(other, data__digest__val="b")
    assert digest_of(one, data__digest__test="a") != digest_of(other, data__digest__test="b")


def test_draws_share_their_group_but_not_sizes_or_other_data() -> None:
    facts = FOUND_OUT | {"data__digest__drawn_from": "all"}

    def digest(*words: str, **more: str) -> str:
        return digest_of(config_of(*words), **facts | more)

    part = digest("data.train_fraction=0.1", data__digest__train="a")
    again = digest("data.train_fraction=0.1", "data.draw_seed=3", data__digest__train="b")
    assert part == again
    assert part != digest("data.train_fraction=0.2", data__digest__train="a")
    assert part != digest("data.per_class=9", data__digest__train="a")
    assert part != digest("data.train_fraction=0.1", data__digest__drawn_from="other")
    assert digest_of(config_of("data.train_fraction=1"), **FOUND_OUT) == digest_of(
        config_of(), **FOUND_OUT
    )


def test_weights_count_by_their_content() -> None:
    words = ["model=timm", "model.name=resnet18"]
    one, other = (config_of(*words, f"model.pretrained_path={path}") for path in ("a/w", "b/w"))
    assert digest_of(one) != digest_of(other)
    same = {"model__pretrained_digest": "abc"}
    assert digest_of(one, **same) == digest_of(other, **same)


def test_a_groups_name_is_the_same_for_any_order_and_place() -> None:
    jobs = [
        compose_job(["optimizer.lr=0.1", "data.batch_size=8", "seed=1", "data.num_workers=3"]),
        compose_job(["data.batch_size=8", "seed=2", "optimizer.lr=0.1", "data.cache=ram"]),
    ]
    names = {group_name(config, job, "0123456789abcdef") for config, job in jobs}
    assert names == {"cnn batch_size=8 lr=0.1 digits #01234567"}
