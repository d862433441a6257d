"""Views that are alike for pictures and those given for them: pairs stay pairs, also at another scale."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tightrope.augment.aligned import cropped, flipped, shifted, turned
from tightrope.core.errors import InputError

View = Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]
VIEWS: dict[str, View] = {
    "flipped": flipped,
    "turned": turned,
    "cropped": lambda real, given, dice: cropped(real, given, 4 * real.shape[-1] // given.shape[-1], dice),
    "shifted": lambda real, given, dice: shifted(real, given, 3, dice),
}


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pairs(scale: int, n: int = 12) -> tuple[Tensor, Tensor]:
    """Pictures whose pixels all differ, and the same ones enlarged."""
    given = torch.arange(n * 2 * 8 * 8.0).view(n, 2, 8, 8)
    return given.repeat_interleave(scale, 2).repeat_interleave(scale, 3), given


@pytest.mark.parametrize("scale", [1, 3])
@pytest.mark.parametrize("name", VIEWS)
def test_pairs_stay_pairs_and_not_all_are_treated_alike(name: str, scale: int) -> None:
    real, given = pairs(scale)
    seen, of = VIEWS[name](real, given, dice())
    assert torch.equal(seen, of.repeat_interleave(scale, 2).repeat_interleave(scale, 3))
    first = of - given[:, :1, :1, :1]  # what differs between them now is where their pixels went
    assert len({tuple(picture.flatten().tolist()) for picture in first}) > 1


@pytest.mark.parametrize("name", VIEWS)
def test_pure_in_the_generator(name: str) -> None:
    real, given = pairs(2)
    before = real.clone(), given.clone()
    one, other, third = (VIEWS[name](real, given, dice(seed)) for seed in (5, 5, 6))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert not torch.equal(one[0], third[0])
    assert torch.equal(real, before[0])
    assert torch.equal(given, before[1])


@pytest.mark.parametrize("function", [flipped, turned])
def test_pictures_without_partners_are_drawn_for_apart(function: Callable[..., tuple[Tensor, Tensor]]) -> None:
    real, _ = pairs(1)
    assert not torch.equal(*function(real, real, dice(), alike=False))
    assert torch.equal(*function(real, real, dice()))


def test_a_flip_mirrors_and_a_turn_reaches_all_eight_positions() -> None:
    _, given = pairs(1, n=64)
    for seen, was in zip(flipped(given, given, dice())[0], given, strict=True):
        assert torch.equal(seen, was) or torch.equal(seen, was.flip(2))
    relative = turned(given, given, dice())[0] - given[:, :1, :1, :1]
    assert len({tuple((picture - picture.min()).flatten().tolist()) for picture in relative}) == 8


def test_a_crop_reaches_every_place_and_a_shift_mirrors_the_border() -> None:
    _, given = pairs(1, n=200)
    corners = cropped(given, given, 6, dice())[0][:, 0, 0, 0] - given[:, 0, 0, 0]
    assert set(corners.tolist()) == {8.0 * line + column for line in range(3) for column in range(3)}
    row = torch.arange(5.0).view(1, 1, 1, 5).expand(64, 1, 5, 5)
    lines = {tuple(picture[0, 0].tolist()) for picture in shifted(row, row, 2, dice())[0]}
    assert lines == {(1, 0, 0, 1, 2), (0, 0, 1, 2, 3), (0, 1, 2, 3, 4), (1, 2, 3, 4, 4), (2, 3, 4, 4, 3)}


def test_what_does_not_fit_is_told() -> None:
    real, given = pairs(2)
    with pytest.raises(InputError, match="squares of 5 px"):
        cropped(real, given, 5, dice())
    with pytest.raises(InputError, match="squares of 18 px cannot be cut out of 16x16"):
        cropped(real, given, 18, dice())
    with pytest.raises(InputError, match="moved by 9 px"):
        shifted(real, given, 9, dice())
