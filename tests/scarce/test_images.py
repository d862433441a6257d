"""Few pictures: classic augmentation, the classifier, the audit of copies, and the files that are written. No GAN is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import tightrope
from tightrope import data
from tightrope.core.errors import InputError
from tightrope.options import Options
from tightrope.scarce import classic, classifier, images, makers
from tightrope.scarce.classifier import Lesson, balanced_accuracy, learn
from tightrope.scarce.copies import audit
from tightrope.scarce.makers import Makers, _common
from tightrope.scarce.pictures import Pictures, pictures


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def fashion(start: int, count: int, *labels: int) -> Pictures:
    """`count` pictures each of some classes, from the `start`-th of them on."""
    whole = data.load("fashion")
    every = whole.labels(torch.arange(len(whole)))
    assert every is not None
    index = torch.cat([(every == k).nonzero().flatten()[start : start + count] for k in labels])
    numbers = torch.arange(len(labels)).repeat_interleave(count)
    return Pictures(whole.batch(index), numbers, tuple(whole.spec.classes[k] for k in labels))


class Stored:
    """Stands for a generator: its pictures, one a call after the other."""

    def __init__(self, made: torch.Tensor) -> None:
        self.made = made

    def sample(self, *, seeds: list[int]) -> torch.Tensor:
        return self.made[: len(seeds)].clone()


def test_classic_augmentation_keeps_the_range_and_the_picture() -> None:
    x = fashion(0, 40, 1, 9).images
    moved = classic.classic(x, dice(), flips=True)
    assert moved.shape == x.shape and moved.min() >= -1 and moved.max() <= 1
    assert torch.equal(moved, classic.classic(x, dice(), flips=True)) and not torch.equal(moved, classic.classic(x, dice(1)))
    nearest = torch.cdist(classic.classic(x, dice()).flatten(1), x.flatten(1)).argmin(1)
    assert (nearest == torch.arange(len(x))).double().mean() > 0.2, (
        "nearer to what they were made of than to 79 others, oftener than chance"
    )


def test_nothing_drawn_is_nothing_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    x = fashion(0, 4, 1).images
    for name in ("TURN", "SHIFT", "ZOOM", "LIGHT", "CONTRAST"):
        monkeypatch.setattr(classic, name, 0.0)
    torch.testing.assert_close(classic.classic(x, dice()), x, atol=1e-4, rtol=0)


def test_mixup_mixes_targets_as_it_mixes_pictures() -> None:
    x = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 1, 2, 2)
    mixed, targets = classic.mixup(x, torch.eye(8), np.random.default_rng(0))
    torch.testing.assert_close(mixed[:, 0, 0, 0], targets @ torch.arange(8.0))
    torch.testing.assert_close(targets.sum(1), torch.ones(8))


def test_the_data_says_whether_mirror_images_are_of_their_class() -> None:
    trousers = fashion(0, 60, 1, 3)
    assert classic.may_flip(trousers.images, trousers.labels)
    ramp = torch.linspace(-1, 1, 16).expand(40, 1, 16, 16) + 0.1 * torch.randn(40, 1, 16, 16, generator=dice())
    both = torch.cat([ramp, ramp.flip(3) + 0.01])
    assert not classic.may_flip(both, torch.arange(2).repeat_interleave(40)), "mirrored, either class is the other"


def test_balanced_accuracy_counts_classes_and_not_pictures() -> None:
    labels = torch.tensor([0, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    assert balanced_accuracy(torch.ones(10, dtype=torch.long), labels, 3) == 0.5
    assert balanced_accuracy(labels, labels, 3) == 1.0


def test_the_classifier_learns_and_is_a_function_of_its_seed() -> None:
    train, test = fashion(0, 30, 1, 9), fashion(100, 50, 1, 9)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    lesson = Lesson(balanced=True, classic=True, mixed=True, each=20)
    found = learn(train, lesson, 0)
    assert torch.equal(before, torch.get_rng_state())
    assert classifier.score(found, test) > 0.9
    torch.rand(3)
    again, other = learn(train, lesson, 0), learn(train, lesson, 1)
    assert all(torch.equal(a, b) for a, b in zip(found.parameters(), again.parameters(), strict=True))
    assert not torch.equal(found.head.weight, other.head.weight)


def test_every_class_has_its_places_and_generated_pictures_their_share_of_them() -> None:
    labels = torch.tensor([0] * 2 + [1] * 8 + [0] * 5 + [1] * 5)
    chance = classifier._chances(labels, 10, 3, share=0.25, balanced=True)
    parts = {(k, real): chance[(labels == k) & ((torch.arange(20) < 10) == real)].sum() for k in (0, 1) for real in (True, False)}
    assert {key: round(float(value), 6) for key, value in parts.items()} == {
        (0, True): 0.75, (0, False): 0.25, (1, True): 0.75, (1, False): 0.25,
    }  # fmt: skip
    plain = classifier._chances(labels, 10, 3, share=0.25, balanced=False)
    assert float(plain[labels == 0].sum() / plain.sum()) == pytest.approx(0.2), "as often as in the real pictures"


def test_pictures_that_help_are_seen_to_help() -> None:
    """Real pictures in the place of generated ones: a way that takes them must gain."""
    few, test, more = fashion(0, 4, 2, 6), fashion(300, 200, 2, 6), fashion(20, 150, 2, 6)
    way = images.Way("given more", Lesson(balanced=True, classic=True, each=30), generated=True)
    assert images.measure(way, few, test, 0, more) > images.measure(way, few, test, 0) + 0.02


def test_planted_copies_are_caught() -> None:
    """5 % copies among fresh pictures: as they are, brighter and paler, mirrored, moved by a pixel."""
    real, fresh = fashion(0, 60, 9).images, fashion(200, 190, 9).images
    honest = audit(real, fresh)
    assert not honest.copied.any() and not honest.fails
    planted = torch.cat([real[:3], 0.8 * real[3:6] + 0.1, real[6:8].flip(3), real[8:10].roll(1, 3)])
    found = audit(real, torch.cat([fresh, planted]))
    assert found.copied[190:].all() and not found.copied[:190].any()
    assert float(found.copied.double().mean()) > found.null + 0.04


def test_a_generator_that_knows_nothing_but_its_data_fails() -> None:
    real = fashion(0, 60, 9).images
    assert audit(real, real).fails, "nothing is left"
    near = real + 0.15 * torch.randn(real.shape, generator=dice())
    found = audit(real, near.clamp(-1, 1))
    assert found.fails and found.authentic < found.authentic_null - found.tolerance


def test_copies_are_dropped_before_anything_is_written(tmp_path: Path) -> None:
    few = fashion(0, 40, 1, 9)
    made = [torch.cat([few.of(0).images[:5], fashion(100, 45, 1).images]), fashion(100, 50, 9).images]
    maker = Makers([Stored(part) for part in made], few)
    audits = images.write(maker, tmp_path / "out", 50)
    assert [int(found.copied.sum()) for found in audits] == [5, 0]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["ankle-boot", "trouser"]
    assert [len(list((tmp_path / "out" / name).iterdir())) for name in ("trouser", "ankle-boot")] == [45, 50]
    originals = {part.tobytes() for part in data.Images().to_array(few.images)[..., 0]}
    files = (tmp_path / "out").rglob("*.png")
    assert not any(np.asarray(Image.open(file)).tobytes() in originals for file in files)


def test_nothing_is_written_where_the_audit_fails(tmp_path: Path) -> None:
    few = fashion(0, 40, 1, 9)
    maker = Makers([Stored(few.of(0).images), Stored(fashion(100, 40, 9).images)], few)
    with pytest.raises(InputError, match=r"class Trouser: .* nothing is written"):
        images.write(maker, tmp_path / "out", 40)
    assert not (tmp_path / "out").exists()
    kept, audits = maker.fill(40)
    assert kept is not None and kept.labels.unique().tolist() == [1] and [found.fails for found in audits] == [True, False]


def test_shares_are_chosen_on_pictures_that_no_generator_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    few, seen = fashion(0, 8, 1, 9), []

    def train(rest: Pictures, minutes: float, seed: int) -> Makers:
        seen.append(rest)
        return Makers([Stored(fashion(100, 40, k).images) for k in (1, 9)], rest)

    tested: list[Pictures] = []
    monkeypatch.setattr(images.makers, "train", train)
    monkeypatch.setattr(images, "MADE", 40)
    monkeypatch.setattr(images, "measure", lambda way, rest, held, *more: (tested.append(held), more[-1])[1])
    found = images.chosen_share(images.WAYS[-1], few, 1.0, seed=0)
    assert found == {0.0: 0.0, 0.25: 0.25, 0.5: 0.5, 0.75: 0.75} and len(seen) == 2
    for rest, held in zip(seen, tested[:: len(found)], strict=True):
        assert rest.counts == held.counts == [4, 4]
        assert torch.cdist(rest.images.flatten(1), held.images.flatten(1)).min() > 0


def test_others_begin_from_the_class_that_has_most_of_the_pictures() -> None:
    few = fashion(0, 20, 1, 9)
    assert _common(few) is None
    assert _common(few.at(torch.arange(15, 40))) == 1


def test_data_that_cannot_be_augmented_is_told_in_one_sentence(tmp_path: Path) -> None:
    def saved(name: str, **arrays: Any) -> Any:
        np.savez(tmp_path / f"{name}.npz", **arrays)
        return data.load(tmp_path / f"{name}.npz")

    pixels = np.random.default_rng(0).integers(0, 255, (16, 16, 16), dtype=np.uint8)
    with pytest.raises(InputError, match="at least two classes"):
        pictures(saved("plain", images=pixels))
    with pytest.raises(InputError, match="at least two classes"):
        pictures(data.load("ring8"))
    with pytest.raises(InputError, match="class 1 holds 2 pictures; at least 8"):
        pictures(saved("rare", images=pixels, labels=np.array([0] * 14 + [1] * 2)))
    found = pictures(saved("good", images=pixels, labels=np.array([0] * 8 + [1] * 8)))
    assert found.counts == [8, 8] and pictures(data.load(found.save(tmp_path / "again.npz"))).counts == [8, 8]


def test_rare_classes_begin_from_the_common_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []
    train = tightrope.train

    def toy(recipe: str, path: Path, *, minutes: float, options: Options, **more: Any) -> Any:
        asked.append((recipe, len(data.load(path)), minutes, options.start is not None))
        return train(recipe, path, preset="toy", seen=8, options=options, **more)

    monkeypatch.setattr(tightrope, "train", toy)
    few = fashion(0, 20, 1, 9).at(torch.arange(12, 40))
    made = makers.train(few, 1.0, seed=3)
    assert asked == [("swift", 20, 0.5, False), ("swift", 8, 0.5, True)]
    drawn = made.draw(0, 3)
    assert drawn.shape == (3, 1, 32, 32) and torch.equal(drawn[:2], made.draw(0, 2)) and not torch.equal(drawn, made.draw(1, 3))
    asked.clear()
    even = makers.train(few.at(torch.arange(16)), 1.0, seed=3)
    assert asked == [("cgan", 16, 1.0, False)] and even.draw(1, 2).shape == (2, 1, 32, 32)
