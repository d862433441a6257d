"""DiffAugment: the reference's numbers, gradients, and what is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tightrope.augment import augment, colour, cutout, translate


@pytest.mark.parity
def test_same_numbers_as_the_reference(parity: Path) -> None:
    vectors = torch.load(parity / "diffaugment.pt", weights_only=True)
    x = vectors["inputs"]["x"]
    torch.manual_seed(vectors["inputs"]["seed"])
    assert torch.allclose(colour(x), vectors["outputs"]["color"], atol=1e-5)
    torch.manual_seed(vectors["inputs"]["seed"])
    assert torch.allclose(translate(x, "constant"), vectors["outputs"]["translation"], atol=1e-6)
    torch.manual_seed(vectors["inputs"]["seed"])
    assert torch.allclose(cutout(x), vectors["outputs"]["cutout"], atol=1e-6)
    torch.manual_seed(vectors["inputs"]["seed"])
    assert torch.allclose(cutout(colour(x)), vectors["outputs"]["color,cutout"], atol=1e-5)
    torch.manual_seed(vectors["inputs"]["seed"])
    assert torch.allclose(cutout(translate(colour(x), "constant")), vectors["outputs"]["color,translation,cutout"], atol=1e-5)


def test_probability_is_the_share_of_images_that_change() -> None:
    torch.manual_seed(0)
    x = torch.rand(400, 3, 8, 8) * 2 - 1
    assert augment(x, 0.0) is x
    changed = (augment(x, 0.3) != x).flatten(1).any(1).float().mean().item()
    assert changed == pytest.approx(0.3, abs=0.08)


def test_a_tensor_of_a_probability_is_as_good_as_a_number() -> None:
    x = torch.rand(8, 3, 8, 8)
    torch.manual_seed(0)
    by_number = augment(x, 0.5)
    torch.manual_seed(0)
    assert torch.equal(augment(x, torch.tensor(0.5)), by_number)


def test_cutout_leaves_the_rest_alone() -> None:
    torch.manual_seed(0)
    left = cutout(torch.ones(500, 2, 12, 12))
    assert set(left.unique().tolist()) == {0.0, 1.0}
    assert (left == 0).sum((1, 2, 3)).max() == 2 * 36
    assert torch.equal(left[:, 0], left[:, 1])


def test_translation_moves_content_and_repeats_the_edge() -> None:
    torch.manual_seed(0)
    x = torch.zeros(64, 1, 16, 16)
    x[:, :, 8, 8] = 1
    moved = translate(x)
    places = moved.flatten(1).argmax(1)
    assert len(set(places.tolist())) > 10
    assert ((places // 16 - 8).abs() <= 2).all()
    assert translate(torch.ones(8, 1, 16, 16)).min() == 1


def test_gradients_pass_through() -> None:
    x = torch.randn(2, 3, 8, 8, dtype=torch.double, requires_grad=True)

    def seeded(x: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(1)
        return augment(x, 1.0)

    assert torch.autograd.gradcheck(seeded, (x,))
