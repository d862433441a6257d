"""The contrast of patches against the sum that it is, and what its gradient reaches."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tightrope.networks.heads import Heads
from tightrope.objectives.contrast import at_places, patch_nce, places


def of_length_one(*shape: int, seed: int = 0) -> Tensor:
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x / x.norm(dim=-1, keepdim=True)


def slow(queries: Tensor, keys: Tensor, t: float) -> float:
    """-log of the share of the piece's own key, piece by piece."""
    total = 0.0
    for q, k in zip(queries, keys, strict=True):
        for s in range(len(q)):
            likeness = [math.exp(float(q[s] @ k[r]) / t) for r in range(len(k))]
            total -= math.log(likeness[s] / sum(likeness))
    return total / (queries.shape[0] * queries.shape[1])


@pytest.mark.parametrize("t", [0.07, 1.0])
def test_the_contrast_is_the_mean_over_pieces_and_knows_no_other_picture(t: float) -> None:
    q, k = of_length_one(3, 5, 4), of_length_one(3, 5, 4, seed=1)
    assert patch_nce(q, k, t).item() == pytest.approx(slow(q, k, t), rel=1e-5)
    each = [patch_nce(a[None], b[None], t) for a, b in zip(q, k, strict=True)]
    assert patch_nce(q, k, t).item() == pytest.approx(torch.stack(each).mean().item(), rel=1e-5)


def test_the_contrast_of_equal_keys_is_that_of_guessing_and_of_clear_ones_nothing() -> None:
    q = of_length_one(2, 6, 4)
    assert patch_nce(q, q[:, :1].expand(-1, 6, -1)).item() == pytest.approx(math.log(6), rel=1e-5)
    clear = torch.eye(6, dtype=torch.float64)[None]
    assert patch_nce(clear, clear).item() < 1e-5
    assert patch_nce(clear, clear.roll(1, 1)).item() > 10


def test_no_gradient_reaches_the_keys() -> None:
    q, k = of_length_one(1, 5, 4).requires_grad_(), of_length_one(1, 5, 4, seed=1).requires_grad_()
    patch_nce(q, k).backward()
    assert q.grad is not None and q.grad.abs().sum() > 0
    assert k.grad is None


def test_places_are_different_pixels_and_their_features_those_of_the_maps() -> None:
    maps = torch.arange(2 * 3 * 4 * 5.0).view(2, 3, 4, 5)
    chosen = places(maps, 7)
    assert len(set(chosen.tolist())) == 7
    assert len(places(maps, 256)) == 20
    found = at_places(maps, chosen)
    assert found.shape == (2, 7, 3)
    for s, at in enumerate(chosen.tolist()):
        assert torch.equal(found[1, s], maps[1, :, at // 5, at % 5])


def test_heads_bring_all_layers_to_one_sphere() -> None:
    torch.manual_seed(0)
    heads = Heads([3, 8], units=6)
    first, second = heads([torch.randn(2, 5, 3), torch.randn(2, 9, 8)])
    assert (first.shape, second.shape) == ((2, 5, 6), (2, 9, 6))
    assert torch.allclose(second.norm(dim=2), torch.ones(2, 9), atol=1e-5)
