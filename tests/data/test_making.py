"""Inputs made of targets: against Pillow, by hand, and never by accident."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from pictures import picture
from PIL import Image
from torch import Tensor

from tightrope.data import degradations as degrade
from tightrope.data import load, making
from tightrope.data.making import Making

ZERO = torch.zeros(1, dtype=torch.int64)


def tensor(image: Image.Image) -> Tensor:
    pixels = np.asarray(image)
    pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return torch.from_numpy(pixels.copy()).float()[None] / 127.5 - 1


def levels(x: Tensor) -> Tensor:
    return (x + 1) * 127.5


def test_grey_is_pillows():
    image = picture(1)
    made = levels(Making("grey", making.grey, grey=True)(tensor(image), ZERO))
    assert (made - levels(tensor(image.convert("L")))).abs().max() <= 1 and made.shape[1] == 1


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_smaller_pictures_are_pillows_antialiased_bicubic(factor):
    image = picture(2, width=48, height=48)
    made = levels(Making("down", making.down(factor), factor)(tensor(image), ZERO))
    side = 48 // factor
    assert (made - levels(tensor(image.resize((side, side), Image.Resampling.BICUBIC)))).abs().max() <= 1.001
    assert torch.equal(made.round(), made.round().clamp(0, 255)) and (made - made.round()).abs().max() < 1e-3


def test_edges_are_dark_where_the_picture_steps():
    x = torch.full((1, 3, 16, 16), -1.0)
    x[:, 2, :, 8:] = 0.0  # a step of half the range in blue alone
    lines = making.edges(x, ZERO)
    assert lines.shape == (1, 1, 16, 16) and (lines[..., 7:9] == -1).all() and (lines[..., :7] == 1).all()
    assert (lines[..., 9:] == 1).all(), "also at the border"
    assert torch.allclose(making.edges(x.transpose(2, 3), ZERO), lines.transpose(2, 3))
    fainter = making.edges(torch.where(x == 0, -0.75, x), ZERO)
    assert torch.allclose(fainter[..., 8], torch.tensor(0.5))


def test_a_hole_is_a_square_of_mean_grey_where_its_number_says():
    x = torch.full((200, 3, 16, 16), 0.5)
    holes = making.masked(x, torch.arange(200) * 7919) == 0
    assert (holes.sum((1, 2, 3)) == 3 * 64).all()
    corners = {tuple(hole.nonzero()[0].tolist()) for hole in holes[:, 0]}
    assert {0, 8} <= {row for row, _ in corners} and len(corners) > 50 and max(map(max, corners)) == 8
    first = holes[0, 0].nonzero()
    assert (first.amax(0) - first.amin(0)).tolist() == [7, 7]
    assert torch.equal(making.masked(x[:1], ZERO + 5), making.masked(x[:1], ZERO + 5))


def test_degraded_pictures_depend_on_their_number_alone():
    way = Making("degraded4", making.worse(4), 4)
    x = torch.cat([tensor(picture(i, width=32, height=32)) for i in range(6)])
    numbers = torch.arange(6) + 10
    made = way(x, numbers)
    assert made.shape == (6, 3, 8, 8) and made.min() >= -1 and made.max() <= 1 and torch.isfinite(made).all()
    assert torch.equal(way(x[3:4], numbers[3:4]), made[3:4]) and not torch.equal(way(x, numbers + 1), made)
    assert way(x[:, :1], numbers).shape == (6, 1, 8, 8)
    means = (made.mean((2, 3)) - x.mean((2, 3))).abs()
    assert means.mean() < 0.15, "worse, but the same pictures"


def test_data_gives_the_same_and_draws_anew(folder):
    data = load(f"degraded4:{folder}", size=32)
    index = torch.tensor([0, 2])
    assert data.spec.given == (3, 8, 8) and torch.equal(data.given(index), data.given(index))
    assert torch.equal(data.given(index)[1], data.given(index[1:])[0])
    draws = [data.drawn(index, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(draws[0][1], draws[1][1]) and not torch.equal(draws[0][1], draws[2][1])
    assert torch.equal(draws[0][0], data.batch(index))
    plain = load(f"down4:{folder}", size=32)
    assert torch.equal(plain.drawn(index, torch.Generator())[1], plain.given(index))


def test_kernels_keep_the_light_and_are_what_they_are_called():
    dice = degrade.Dice(torch.Generator().manual_seed(0))
    for _ in range(50):
        for kernel in (degrade.blurring((0.2, 3.0), dice), degrade.ringing(dice)):
            assert kernel.sum().item() == pytest.approx(1, abs=1e-5) and len(kernel) in degrade.SIDES
            assert torch.allclose(kernel, kernel.flip(0, 1), atol=1e-6)
        assert degrade.blurring((0.2, 3.0), dice).min() >= 0
    assert any(degrade.ringing(dice).min() < -0.01 for _ in range(20)), "it rings"


def test_noise_and_jpeg():
    dice, order = degrade.Dice(torch.Generator().manual_seed(0)), degrade.FIRST
    flat, spreads = torch.full((3, 64, 64), 0.5), []
    for _ in range(30):
        noise = degrade.noisy(flat, order, dice) - flat
        spreads.append(noise.std().item())
        assert abs(noise.mean().item()) < 0.02
    assert min(spreads) > 0.001 and 0.05 < max(spreads) < 30 / 255 + 0.03
    x = (tensor(picture(3, width=32, height=32))[0] + 1) / 2
    again = degrade.jpeg(x, degrade.Dice(torch.Generator().manual_seed(1)))
    quality, file = round(degrade.Dice(torch.Generator().manual_seed(1)).uniform(*degrade.QUALITY)), io.BytesIO()
    picture(3, width=32, height=32).save(file, "JPEG", quality=quality)
    assert torch.equal(again, torch.from_numpy(np.asarray(Image.open(file)).transpose(2, 0, 1).copy()).float() / 255)
