"""Equivariance measures on pictures that are functions of the plane, which move exactly, and on others that stick to their pixels."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.metrics.equivariance import rotation, translation

SIZE = 32


def waves(to_source: Tensor, size: int = SIZE, fastest: float = 0.2) -> Tensor:
    """Two pictures that are sums of waves of at most `fastest` cycles a pixel, seen through a motion: (2, 3, size, size)."""
    random = torch.Generator().manual_seed(0)
    frequencies = fastest * size / math.sqrt(2) * (2 * torch.rand(2, 3, 8, 2, generator=random, dtype=torch.float64) - 1)
    phases = torch.rand(2, 3, 8, generator=random, dtype=torch.float64)
    along = (torch.arange(size, dtype=torch.float64) + 0.5) / size - 0.5
    y, x = torch.meshgrid(along, along, indexing="ij")
    places = torch.stack([x, y, torch.ones_like(x)], 2) @ to_source.double().t()[:, :2]
    turns = torch.einsum("ncfk,hwk->ncfhw", frequencies, places) + phases[..., None, None]
    return torch.sin(2 * math.pi * turns).mean(2)


def stuck(to_source: Tensor) -> Tensor:
    """The same with a faint pattern that stays with the pixels."""
    pattern = torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return waves(to_source) + 0.05 * pattern


def test_functions_of_the_plane_move_exactly() -> None:
    assert translation(waves) > 120  # whole pixels: the matrix's float32
    assert translation(waves, fractional=True) > 60
    assert rotation(waves) > 80


def test_slower_waves_are_interpolated_more_exactly() -> None:
    def waving(fastest: float) -> float:
        return translation(lambda to_source: waves(to_source, fastest=fastest), fractional=True)

    assert waving(0.1) > waving(0.2) + 2 > waving(0.3) + 4


def test_what_sticks_to_the_pixels_costs() -> None:
    clean = 10 * math.log10(4 / (2 * 0.05**2))  # the pattern counts on both sides
    assert translation(stuck, moves=64) == pytest.approx(clean, abs=0.5)
    assert translation(stuck, fractional=True) < clean + 3
    assert rotation(stuck) < clean + 6  # half of the pattern's frequencies are outside of the circle


def test_a_picture_that_does_not_move_is_low() -> None:
    picture = waves(torch.eye(3))
    for measure in (translation, rotation):
        assert measure(lambda _: picture) < 20


@pytest.mark.parametrize("measure", [translation, rotation])
def test_directions_are_those_of_the_matrix(measure) -> None:  # type: ignore[no-untyped-def]
    """Whoever moves the other way is as bad as who does not move."""
    assert measure(lambda to_source: waves(torch.linalg.inv(to_source))) < 20


def test_nothing_is_asked_of_a_flat_picture() -> None:
    assert translation(lambda _: torch.zeros(1, 3, SIZE, SIZE)) == math.inf
    assert rotation(lambda _: torch.ones(1, 3, SIZE, SIZE)) > 200


def test_seeds_and_more_motions() -> None:
    assert rotation(stuck, seed=3) == rotation(stuck, seed=3) != rotation(stuck, seed=4)
    assert abs(translation(stuck, moves=32) - translation(stuck, moves=64)) < 0.5


def test_bad_input_is_refused() -> None:
    for measure in (translation, rotation):
        with pytest.raises(InputError, match="square"):
            measure(lambda _: torch.zeros(1, 3, SIZE, SIZE + 1))
        with pytest.raises(InputError, match="16 px"):
            measure(lambda _: torch.zeros(1, 3, 8, 8))
    with pytest.raises(InputError, match="at least one"):
        rotation(waves, turns=0)
