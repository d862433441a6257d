"""The doctor: each fault gets its name, real data gets none, and the evidence points at the right samples."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.metrics import diagnosis_figures as figures
from tightrope.metrics.diagnosis import Sample, diagnose

KINDS = tuple("abcdefghij")
WIDTH = 24  # dimensions of the features


def drawn(count: int, seed: int, kinds: tuple[int, ...] = tuple(range(10)), spread: float = 1.0) -> Sample:
    """Ten kinds of Gaussian features whose logits tell them apart; no pictures."""
    draw = torch.Generator().manual_seed(seed)
    centres = 4 * torch.randn(10, WIDTH, generator=torch.Generator().manual_seed(99))
    kind = torch.tensor(kinds)[torch.randint(len(kinds), (count,), generator=draw)]
    scale = torch.linspace(1.5, 0.1, WIDTH)
    features = centres[kind] + spread * scale * torch.randn(count, WIDTH, generator=draw)
    return Sample(None, features, -torch.cdist(features, centres), KINDS)


def pictured(count: int, seed: int, shrink: float = 1.0) -> Sample:
    """Smooth random pictures, 12 x 12, and coarse averages as features."""
    draw = np.random.default_rng(seed)
    waves = draw.normal(size=(count, 3, 3))
    line = np.cos(np.outer(np.arange(12) + 0.5, np.arange(3)) * np.pi / 12)
    pixels = np.einsum("yi,nij,xj->nyx", line, waves * np.array([[1, 0.8, 0.5], [0.8, 0.6, 0.4], [0.5, 0.4, 0.3]]), line)
    stored = np.clip(128 + shrink * 25 * pixels, 0, 255).round().astype(np.uint8)[..., None]
    return Sample(stored, torch.from_numpy(stored.reshape(count, 6, 2, 6, 2).mean((2, 4)).reshape(count, 36)).float())


def joined(*samples: Sample) -> Sample:
    logits = [sample.logits for sample in samples if sample.logits is not None]
    stored = [sample.stored for sample in samples if sample.stored is not None]
    return Sample(
        np.concatenate(stored) if stored else None,
        torch.cat([sample.features for sample in samples]),
        torch.cat(logits) if logits else None,
        samples[0].classes,
    )


def at(sample: Sample, index: Tensor) -> Sample:
    return Sample(
        None if sample.stored is None else sample.stored[index.numpy()],
        sample.features[index],
        None if sample.logits is None else sample.logits[index],
        sample.classes,
    )


REAL = drawn(2_000, 1)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("given", [False, True])
def test_real_data_is_healthy(seed: int, given: bool) -> None:
    diagnosis = diagnose(REAL, drawn(1_000, 10 + seed), held_out=drawn(1_000, 20 + seed) if given else None, seed=seed)
    assert diagnosis.verdict == "healthy"
    assert len(diagnosis.findings) == 1 and len(diagnosis.checks) == 5 and not any(check.alarm for check in diagnosis.checks)


def test_missing_classes_are_named() -> None:
    diagnosis = diagnose(REAL, drawn(1_000, 2, kinds=(0, 1, 2, 3, 5, 6, 8)))
    assert diagnosis.verdict == "mode dropping"
    finding = diagnosis.findings[0]
    assert finding.evidence["classes"] == ["e", "h", "j"]
    assert finding.figure == 0 and 0.25 < finding.null < 0.35
    assert finding.sentence.startswith("3 of 10 classes are missing (e, h, j): 0.0% of the samples")
    assert REAL.logits is not None
    assert set(REAL.logits[finding.evidence["uncovered"]].argmax(1).tolist()) <= {4, 7, 9}


def test_missing_modes_are_seen_without_classes() -> None:
    diagnosis = diagnose(REAL._replace(logits=None), drawn(1_000, 2, kinds=(0, 1, 2, 3, 5, 6, 8))._replace(logits=None))
    assert diagnosis.verdict == "mode dropping" and "reach" in diagnosis.findings[0].sentence


def test_shrinking() -> None:
    diagnosis = diagnose(REAL, drawn(1_000, 2, spread=0.8))
    assert diagnosis.verdict == "shrinking" and 0.75 < diagnosis.findings[0].figure < 0.87


def test_duplicating_comes_before_what_follows_from_it() -> None:
    few = drawn(50, 2)
    diagnosis = diagnose(REAL, at(few, torch.arange(1_000) % 50))
    assert diagnosis.verdict == "duplicating"
    assert len(diagnosis.findings[0].evidence["clusters"]) == 50
    assert all(len({i % 50 for i in group}) == 1 for group in diagnosis.findings[0].evidence["clusters"])
    assert diagnose(REAL, at(REAL, torch.arange(1_000) % 50)).verdict == "duplicating"  # copies, too


def test_memorising_points_at_the_pairs() -> None:
    fake = joined(drawn(900, 2), at(REAL, torch.arange(100, 200)))
    diagnosis = diagnose(REAL, fake)
    assert diagnosis.verdict == "memorising" and diagnosis.findings[0].figure == pytest.approx(0.1, abs=0.02)
    pairs = diagnosis.findings[0].evidence["copies"]
    assert len(pairs) == 64 and all(real == i - 900 + 100 for i, real in pairs)


def test_unfaithful() -> None:
    mostly = diagnose(REAL, REAL._replace(features=20 * torch.randn(2_000, WIDTH, generator=torch.Generator().manual_seed(3))))
    assert mostly.verdict == "unfaithful" and mostly.findings[0].evidence["mostly"]
    some = drawn(1_000, 2)
    some.features[:200] += 3 * torch.randn(200, WIDTH, generator=torch.Generator().manual_seed(3))
    diagnosis = diagnose(REAL, some)
    assert diagnosis.verdict == "unfaithful" and max(diagnosis.findings[0].evidence["strangers"]) < 200


def test_pictures_show_what_the_features_hide() -> None:
    real, fake = pictured(1_500, 1), pictured(700, 2)
    assert diagnose(real, fake).verdict == "healthy"
    blind = pictured(700, 3, shrink=0.8)._replace(features=fake.features)
    assert diagnose(real, blind).verdict == "shrinking"
    assert real.stored is not None and fake.stored is not None
    copied = fake._replace(stored=fake.stored.copy())
    assert copied.stored is not None
    copied.stored[:70] = real.stored[:70, :, ::-1]  # mirrored
    diagnosis = diagnose(real, copied)
    assert diagnosis.verdict == "memorising" and all(i == j < 70 for i, j in diagnosis.findings[0].evidence["copies"])


def test_points() -> None:
    draw = np.random.default_rng(0)

    def ring(count: int, modes: int = 8) -> Sample:
        angle = 2 * np.pi * draw.integers(0, modes, count) / 8
        points = np.stack([np.cos(angle), np.sin(angle)], 1) * 2 + draw.normal(0, 0.05, (count, 2))
        return Sample(points.astype(np.float32), torch.from_numpy(points).float())

    real = ring(3_000)
    assert diagnose(real, ring(1_500)).verdict == "healthy"
    assert diagnose(real, ring(1_500, modes=6)).verdict == "mode dropping"
    assert diagnose(real, at(ring(50), torch.arange(1_500) % 50)).verdict == "duplicating"
    assert diagnose(real, joined(ring(1_350), at(real, torch.arange(150)))).verdict == "memorising"


def test_json_has_the_promised_shape() -> None:
    record = json.loads(json.dumps(diagnose(REAL, drawn(500, 2, spread=0.8)).to_json()))
    assert record["verdict"] == "shrinking"
    assert set(record["findings"][0]) == {"name", "figure", "null", "sentence"}


def test_the_same_seed_gives_the_same_words() -> None:
    fake = drawn(500, 2)
    assert diagnose(REAL, fake, seed=3) == diagnose(REAL, fake, seed=3)


def test_too_few_samples() -> None:
    assert diagnose(REAL, drawn(199, 2)).verdict == "too few samples"
    assert diagnose(drawn(399, 1), drawn(500, 2)).findings[0].sentence.startswith("399 real samples")
    assert diagnose(REAL, drawn(1, 2)).to_json()["verdict"] == "too few samples"
    with pytest.raises(InputError, match="5 held-out samples"):
        diagnose(drawn(400, 1), drawn(200, 2), held_out=drawn(5, 3))


def test_one_sample_repeated_and_equal_real_data_give_words_not_nan() -> None:
    one = at(REAL, torch.zeros(500, dtype=torch.long))
    diagnosis = diagnose(REAL, one)
    assert diagnosis.verdict == "duplicating"
    for degenerate in (diagnosis, diagnose(one, drawn(500, 2)), diagnose(one, one)):
        assert all(np.isfinite([check.figure, check.null]).all() for check in degenerate.checks)


@pytest.mark.parametrize(
    ("fake", "sentence"),
    [
        (REAL._replace(features=torch.full((2_000, WIDTH), torch.nan)), "NaN"),
        (REAL._replace(features=torch.zeros(2_000, 3)), "one extractor"),
        (REAL._replace(features=torch.zeros(0, WIDTH)), "n >= 1"),
        (REAL._replace(stored=np.zeros((3, 8, 8, 1), np.uint8)), "one each"),
    ],
)
def test_bad_input_gets_a_sentence(fake: Sample, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        diagnose(REAL, fake)


def test_images_of_other_sizes_get_a_sentence() -> None:
    other = pictured(500, 2)
    with pytest.raises(InputError, match="one size"):
        diagnose(pictured(500, 1), other._replace(stored=np.zeros((500, 8, 8, 1), np.uint8)))


def test_colour_and_large_pictures_fit() -> None:
    images = np.random.default_rng(0).integers(0, 255, (300, 40, 48, 3), dtype=np.uint8)
    pixels, spectrum = figures.image_spaces(images[:200], images[200:], None)
    assert pixels.real.shape == (200, 65) and spectrum.fake.shape == (100, 65)


def test_principal_components_keep_distances_and_the_length_of_the_rest() -> None:
    points = torch.randn(400, 10, generator=torch.Generator().manual_seed(0)) * torch.linspace(3, 0.1, 10)
    whole = figures.principal(points, 10)(points)
    assert torch.allclose(torch.cdist(points, points), torch.cdist(whole, whole), atol=1e-2)
    part = figures.principal(points, 4)(points)
    assert torch.allclose(part.norm(dim=1), (points - points.mean(0)).norm(dim=1), atol=1e-4)
