"""Features in the cache: pooled as by hand, resumed where a process was killed, found damaged."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from sightline.data.cache.entries import list_entries, remove
from sightline.errors import UserError
from sightline.models.classifier import Classifier
from sightline.models.pooling import pooled_features
from sightline.probing.stored_features import FeatureFile, as_batch, features_key
from sightline.types import PreprocessSpec


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache"))


def classifier_of(name: str, **options: object) -> tuple[Classifier, torch.Tensor]:
    torch.manual_seed(0)
    network = timm.create_model(name, **options).eval()
    spec = PreprocessSpec(160, 3, (0.5,) * 3, (0.5,) * 3)
    images = torch.randint(0, 256, (2, 3, 160, 160), dtype=torch.uint8)
    return Classifier(network, spec).eval(), images


def test_tokens_are_pooled_as_by_hand() -> None:
    classifier, images = classifier_of("test_vit")
    network = classifier.network
    with torch.inference_mode():
        found = pooled_features(classifier, images, ("head", "token", "mean"))
        tokens = network.forward_features((images / 255 - 0.5) / 0.5)
        head = network.head(found["head"])
        expected = network((images / 255 - 0.5) / 0.5)
    assert torch.equal(found["token"], tokens[:, 0])
    torch.testing.assert_close(found["mean"], tokens[:, 1:].mean(1))
    torch.testing.assert_close(head, expected)
    with pytest.raises(UserError, match=r"pooling=attention: VisionTransformer has head, token"):
        pooled_features(classifier, images, ("attention",))


def test_attention_and_maps_are_pooled_as_by_the_network_itself() -> None:
    classifier, images = classifier_of("test_vit", global_pool="map", class_token=False)
    with torch.inference_mode():
        found = pooled_features(classifier, images, ("head", "attention"))
    torch.testing.assert_close(found["attention"], found["head"])
    classifier, images = classifier_of("test_resnet")
    with torch.inference_mode():
        found = pooled_features(classifier, images, ("head", "mean"))
    torch.testing.assert_close(found["mean"], found["head"])
    with pytest.raises(UserError, match="pooling=token: ResNet has head, mean"):
        pooled_features(classifier, images, ("token",))


def test_rows_are_kept_where_a_process_ends_and_sealed_when_complete() -> None:
    values = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
    file = FeatureFile("a" * 32, "photos, head features of resnet18")
    with file.lock(), file.growing(10, 4, max_gib=1) as table:
        table.append(as_batch(values[:6], table))
    [entry] = list_entries()
    assert (entry.name, entry.images) == ("photos, head features of resnet18", 10)
    assert file.load() is None  # not complete
    with file.path.open("ab") as stream:
        stream.write(b"\xff\xff\xff\xff half of a message")  # of a process that was killed
    with file.growing(10, 4, max_gib=1) as table:
        assert table.rows == 6
        table.append(as_batch(values[6:], table))
        file.seal(table, 4, [(3, "cannot be read")], 12.5)
    stored = file.load()
    assert stored is not None
    assert np.array_equal(stored.values, values)
    assert (stored.failures, stored.images_per_s) == ([(3, "cannot be read")], 12.5)
    content = bytearray(file.path.read_bytes())
    content[-20] ^= 1
    file.path.write_bytes(content)
    assert file.load() is None
    with file.growing(10, 4, max_gib=1) as table:  # of what is damaged nothing is kept
        assert table.rows == 0
        table.append(as_batch(values, table))
    remove(entry.key)
    assert not list_entries()


def test_the_least_recently_used_make_room() -> None:
    values = np.zeros((1000, 256), np.float32)  # a MiB
    for key in ("a", "b"):
        file = FeatureFile(key * 32, key)
        with file.lock(), file.growing(1000, 256, max_gib=1) as table:
            table.append(as_batch(values, table))
            file.seal(table, 256, [], 1.0)
    with FeatureFile("c" * 32, "c").growing(1000, 256, max_gib=2.5 / 1024) as table:
        assert [entry.key[0] for entry in list_entries()] == ["b", "c"]
        table.append(as_batch(values, table))
    with (
        pytest.raises(UserError, match=r"the features take .* but data.cache_max_gib=0.0001"),
        FeatureFile("d" * 32, "d").growing(1000, 256, max_gib=0.0001),
    ):
        pass


def test_a_key_tells_backbones_poolings_and_images_apart() -> None:
    contents, positions = np.zeros((3, 16), np.uint8), np.arange(3)
    others = contents.copy()
    others[2, 0] = 1
    keys = {
        features_key("b", "head", contents, positions),
        features_key("c", "head", contents, positions),
        features_key("b", "mean", contents, positions),
        features_key("b", "head", others, positions),
        features_key("b", "head", contents[:2], positions[:2]),
    }
    assert len(keys) == 5


@pytest.mark.parametrize("damage", ["cut", "another's", "a pickle", "a link", "no facts"])
def test_features_of_others_are_not_taken_and_nothing_of_theirs_is_changed(
    tmp_path: Path, damage: str
) -> None:
    values = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
    file, other = FeatureFile("a" * 32, "a"), FeatureFile("b" * 32, "b")
    for each, own in ((file, values), (other, -values)):
        with each.lock(), each.growing(10, 4, max_gib=1) as table:
            table.append(as_batch(own, table))
            each.seal(table, 4, [], 1.0)
    mine = tmp_path / "mine"
    mine.touch()
    if damage == "another's":
        file.path.write_bytes(other.path.read_bytes())
        file.about.write_bytes(other.about.read_bytes())
    elif damage == "a link":
        file.path.unlink()
        file.path.symlink_to(mine)
        file.about.unlink()
    elif damage == "no facts":
        file.about.write_text("[" * 100_000)
    else:
        cut = file.path.read_bytes()[:-30]
        file.path.write_bytes(cut if damage == "cut" else pickle.dumps(print))
    assert file.load() is None
    with file.growing(10, 4, max_gib=1) as table:
        assert table.rows == 0
        table.append(as_batch(values, table))
        file.seal(table, 4, [], 1.0)
    stored = file.load()
    assert stored is not None
    assert np.array_equal(stored.values, values)
    assert mine.read_bytes() == b""
