"""The domain extractor: it learns, it is deterministic, its file gives the same features, bad input gets one sentence."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.core.spec import DataSpec
from tightrope.metrics.domain_training import known_again, missing_class_power
from tightrope.metrics.extractor import Extractor
from tightrope.metrics.extractors import domain
from tightrope.metrics.extractors.coordinates import load as coordinates

CLASSES = ("bars", "columns", "blob")


class Data:
    """Bars, columns and blobs at random places, told by their labels or not."""

    name, licence, fingerprint = "shapes", "CC0", "0" * 64
    source: dict[str, Any] = {}
    modality: Any = None

    def __init__(self, count: int = 300, size: int = 16, channels: int = 1, classes: tuple[str, ...] = CLASSES) -> None:
        draw = np.random.default_rng(0)
        self.images, self.truth = np.full((count, size, size, channels), 10, np.uint8), draw.integers(0, 3, count)
        for image, kind in zip(self.images, self.truth, strict=True):
            y, x = draw.integers(2, size - 5, 2)
            where = [(slice(y, y + 2), slice(None)), (slice(None), slice(x, x + 2)), (slice(y, y + 5), slice(x, x + 5))][kind]
            image[where] = draw.integers(150, 255)
        self.spec = DataSpec(modality="images", shape=(channels, size, size), classes=classes, count=count)

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, index: Tensor) -> Tensor:
        return torch.from_numpy(self.images[index.numpy()]).permute(0, 3, 1, 2).float() / 127.5 - 1

    def labels(self, index: Tensor) -> Tensor | None:
        return torch.from_numpy(self.truth[index.numpy()]) if self.spec.classes else None


@pytest.fixture(scope="module")
def trained() -> Extractor:
    return domain.train(Data(), minutes=0.03)


@pytest.fixture(scope="module")
def unlabelled() -> Extractor:
    return domain.train(Data(classes=()), minutes=0.03)


def test_it_learns_the_classes_and_says_how_well(trained: Extractor) -> None:
    assert trained.classes == CLASSES
    assert trained.facts["accuracy"] > 0.9
    assert trained.facts["power"]["worst"] > 1
    assert trained.facts["labels"] == "used" and trained.licence == "CC0" and trained.facts["seed"] == 0
    fresh = Data(count=60)
    reading = trained.read(fresh.images)
    assert reading.features.shape == (60, trained.dimensions) and reading.logits is not None
    assert (reading.logits.argmax(1).numpy() == fresh.truth).mean() > 0.9


def test_features_are_standardised(trained: Extractor) -> None:
    features = trained.read(Data().images).features
    assert features.mean().abs() < 0.1 and abs(features.std() - 1) < 0.2


def test_without_labels_the_features_still_tell_the_classes_apart(unlabelled: Extractor) -> None:
    data = Data()
    reading = unlabelled.read(data.images)
    assert reading.logits is None and unlabelled.classes == () and "accuracy" not in unlabelled.facts
    distance = torch.cdist(reading.features, reading.features).fill_diagonal_(torch.inf)
    assert (data.truth[distance.argmin(1).numpy()] == data.truth).mean() > 0.8


def test_the_file_gives_the_same_features_and_the_same_bytes(trained: Extractor, tmp_path: Path) -> None:
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    domain.save(paths[0], trained)
    again = domain.load(paths[0])
    domain.save(paths[1], again)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert again.protocol == trained.protocol and again.facts == trained.facts
    images = Data(count=20).images
    assert torch.equal(again.read(images).features, trained.read(images).features)


def test_the_same_seed_gives_the_same_weights_and_leaves_the_global_state_alone() -> None:
    state = torch.random.get_rng_state()
    first, second, other = (domain.train(Data(count=60), minutes=0.004, seed=seed).weights_sha256 for seed in (1, 1, 2))
    assert first == second != other
    assert torch.equal(state, torch.random.get_rng_state())


def test_colour_and_other_sizes(trained: Extractor) -> None:
    extractor = domain.train(Data(count=60, size=56, channels=3), minutes=0.004)
    assert "RGB" in extractor.input_rule and "64 px" in extractor.input_rule
    assert extractor.read(Data(count=3, size=20).images).features.shape == (3, extractor.dimensions)
    assert trained.read(Data(count=3, size=20, channels=3).images).features.isfinite().all()
    assert trained.read(np.empty((0, 16, 16, 1), np.uint8)).features.shape == (0, trained.dimensions)


def test_progress_ends_where_it_said() -> None:
    seen: list[tuple[int, int]] = []
    domain.train(Data(count=60), minutes=0.004, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] == len(seen)


def test_one_class_is_trained_on_without_labels() -> None:
    data = Data(count=60)
    data.truth[:] = 0
    assert domain.train(data, minutes=0.004).facts["labels"] == "not used"


def test_power_sees_a_missing_group_and_needs_some_samples() -> None:
    draw = torch.Generator().manual_seed(0)
    groups = torch.arange(600) % 3
    features = torch.randn(600, 4, generator=draw) + 10 * groups[:, None]
    power = missing_class_power(features, groups)
    assert power is not None and power.worst > 5 and power.n == 200
    assert missing_class_power(features[:20], groups[:20]) is None
    assert missing_class_power(features, torch.zeros(600, dtype=torch.long)) is None


def test_known_again_is_small_for_equal_views_and_log_of_the_others_for_constant_ones() -> None:
    views = torch.eye(8)
    assert known_again(views, views) < known_again(views, views.roll(1, 0))
    assert known_again(torch.ones(8, 4), torch.ones(8, 4)).item() == pytest.approx(np.log(15), rel=1e-5)


def broken(**changes: Any) -> Data:
    data = Data(count=60)
    for name, value in changes.items():
        setattr(data, name, value)
    return data


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (Data(count=49), "at least 50"),
        (broken(batch=lambda index: torch.full((len(index), 1, 16, 16), torch.nan)), "NaN"),
        (broken(images=np.zeros((60, 16, 16, 1), np.uint8)), "equal"),
        (broken(spec=DataSpec(modality="points", shape=(2,), count=60)), "images"),
    ],
)
def test_bad_data_gets_a_sentence(data: Data, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        domain.train(data, minutes=0.004)


def test_bad_arguments_and_files_get_a_sentence(trained: Extractor, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="minutes"):
        domain.train(Data(), minutes=0)
    with pytest.raises(InputError, match="domain extractor"):
        domain.load(tmp_path / "missing.safetensors")
    (tmp_path / "text.safetensors").write_text("no weights")
    with pytest.raises(InputError, match="domain extractor"):
        domain.load(tmp_path / "text.safetensors")
    with pytest.raises(InputError, match="only an extractor"):
        domain.save(tmp_path / "points.safetensors", coordinates(2))
    with pytest.raises(InputError, match="uint8"):
        trained.read(np.zeros((2, 16, 16, 1), np.float32))
    with pytest.raises(InputError, match="only an extractor"):
        domain.save(tmp_path / "x.safetensors", dataclasses.replace(trained, read=lambda stored: trained.read(stored)))
