"""Adaptive discriminator augmentation: the reference's numbers op by op, closed forms, gradients, and what steers p."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tightrope import recipes
from tightrope.augment import BGC, BGCFNC, BLIT, AdaptiveProbability, Policy, adaptive, matrices, pretended, probability
from tightrope.augment.ada import Draws, band_gains, geometry
from tightrope.augment.resampling import SYM6, amplified, filter_bank, resampled
from tightrope.core.errors import InputError
from tightrope.core.game import Batch, Knobs
from tightrope.core.spec import DataSpec

TOLERANCE = {"atol": 1e-4, "rtol": 1e-4}
POLICIES = {"blit": BLIT, "bgc": BGC, "bgcfnc": BGCFNC}
NAMES = {
    "xflip": "flip", "rotate90": "turn", "xint": "shift", "aniso": "stretch", "xfrac": "slide", "lumaflip": "invert",
    "imgfilter": "bands",
}  # fmt: skip


class Percentile(Draws):
    """Strikes every image, with a given percentile in place of every random number.

    As the reference has it: a normal number is erfinv without the square root of 2, and the second rotation is by nothing.
    """

    def __init__(self, n: int, percentile: float, op: str) -> None:
        super().__init__(n, 1.0, torch.device("cpu"))
        self.percentile, self.op, self.drawn = percentile, op, 0

    def uniform(self, *shape: int) -> Tensor:
        self.drawn += 1
        return torch.full((self.n, *shape), 0.5 if self.op == "rotate" and self.drawn == 2 else self.percentile)

    def normal(self, *shape: int) -> Tensor:
        return torch.erfinv(torch.full((self.n, *shape), 2 * self.percentile - 1))

    def struck(self, share: float | Tensor, dims: int = 1) -> Tensor:
        return torch.ones(self.n, *[1] * (dims - 1))


@pytest.fixture(scope="module")
def vectors(parity: Path) -> dict[str, Any]:
    return torch.load(parity / "sg2ada_augment.pt", weights_only=True)


@pytest.mark.parity
def test_filters_are_the_references(vectors: dict[str, Any]) -> None:
    assert torch.allclose(torch.tensor(SYM6) / sum(SYM6), vectors["state"]["Hz_geom"], atol=1e-7)
    assert torch.allclose(filter_bank().float(), vectors["state"]["Hz_fbank"], atol=1e-7)


@pytest.mark.parity
def test_each_operation_at_three_percentiles(vectors: dict[str, Any]) -> None:
    x, compared = vectors["inputs"]["img"], 0
    for name, expected in vectors["outputs"].items():
        op, _, percentile = name.partition("|pct")
        if percentile:
            policy = Policy(**{NAMES.get(op, op): 1.0})
            ours = adaptive(x, 1.0, policy, Percentile(len(x), float(percentile), op))
            assert torch.allclose(ours, expected, **TOLERANCE), name
            compared += 1
    assert compared == 42


@pytest.mark.parity
def test_whole_policies_draw_the_same_numbers(vectors: dict[str, Any]) -> None:
    x, compared = vectors["inputs"]["img"], 0
    for name, expected in vectors["outputs"].items():
        if "|seed11" in name:
            policy, p, _ = name.split("|")
            torch.manual_seed(11)
            assert torch.allclose(adaptive(x, torch.tensor(float(p[1:])), POLICIES[policy]), expected, **TOLERANCE), name
            compared += 1
    assert compared == 9


@pytest.mark.parity
def test_gradient_of_the_squares(vectors: dict[str, Any]) -> None:
    x = vectors["inputs"]["img"].clone().requires_grad_(True)
    torch.manual_seed(12)
    (gradient,) = torch.autograd.grad(adaptive(x, 1.0, BGC).square().sum(), x)
    assert torch.allclose(gradient, vectors["outputs"]["bgc|grad"], **TOLERANCE)


# ---------------------------------------------------------------- geometry
def test_whole_shifts_move_pixels_exactly_and_mirrors_and_turns_nearly() -> None:
    """Nearly: sym6 is not symmetric, so that what is mirrored between doubling and halving is not quite what it was."""
    torch.manual_seed(0)
    x = F.interpolate(torch.rand(2, 3, 4, 4), size=12, mode="bicubic")
    one = torch.ones(2)
    moves = (
        (matrices.translation(torch.tensor([[-2.0, 0.0]]).repeat(2, 1)), F.pad(x, (2, 0, 0, 0), mode="reflect")[..., :12], 1e-5),
        (matrices.translation(torch.tensor([[0.0, 3.0]]).repeat(2, 1)), F.pad(x, (0, 0, 0, 3), mode="reflect")[..., 3:, :], 1e-5),
        (matrices.scale(-one, 1), x.flip(3), 0.05),
        (matrices.scale(1, -one), x.flip(2), 0.05),
        (matrices.rotation(math.pi / 2 * one), x.rot90(1, (2, 3)), 0.05),
        (matrices.rotation(math.pi * one), x.rot90(2, (2, 3)), 0.05),
    )
    for matrix, expected, tolerance in moves:
        assert torch.allclose(resampled(x, matrix), expected, atol=tolerance)


def test_images_that_are_not_square_and_places_far_outside() -> None:
    x = torch.rand(1, 1, 9, 14)
    still = torch.eye(3)[None]
    assert torch.allclose(resampled(x, still), x, atol=1e-5)
    period = matrices.translation(torch.tensor([[26.0 * 3, -16.0 * 2]]))  # mirrored rows repeat after 2 (W - 1)
    assert torch.allclose(resampled(x, period), x, atol=1e-4)


def test_a_mirrored_plane_is_what_reflection_padding_gives() -> None:
    torch.manual_seed(1)
    x = torch.rand(4, 3, 16, 16)
    torch.manual_seed(2)
    matrix = geometry(Draws(4, 1.0, x.device), BGC, (16, 16))
    wide = F.pad(x, (15, 15, 15, 15), mode="reflect")
    assert torch.allclose(resampled(wide, matrix)[..., 15:-15, 15:-15], resampled(x, matrix), atol=1e-4)


# ---------------------------------------------------------------- colours, bands, corruption
def test_colour_matrices() -> None:
    n = torch.tensor([0.3, -1.2])
    for matrix in (matrices.hue(n), matrices.along_luma(n), matrices.across_luma(n)):
        grey = matrix[:, :3, :3] @ torch.ones(3)
        assert torch.allclose(grey / grey[:, :1], torch.ones(2, 3), atol=1e-6)  # grey stays grey
    assert torch.allclose(matrices.hue(n) @ matrices.hue(-n), torch.eye(4).expand(2, 4, 4), atol=1e-6)
    third = matrices.hue(torch.full((1,), 2 * math.pi / 3))[0, :3, :3]
    assert torch.allclose(third, torch.eye(3)[[2, 0, 1]], atol=1e-6)  # red becomes green
    inverted = matrices.along_luma(torch.tensor([-1.0]))[0, :3, :3]
    assert torch.allclose(inverted @ torch.tensor([0.2, 0.2, 0.2]), torch.full((3,), -0.2))
    assert torch.allclose(inverted @ torch.tensor([0.2, -0.2, 0.0]), torch.tensor([0.2, -0.2, 0.0]))


def test_grey_images_take_the_mean_of_three_channels() -> None:
    x = torch.rand(5, 1, 8, 8)
    colour = Policy(brightness=1, contrast=1, invert=1, hue=1, saturation=1)
    torch.manual_seed(3)
    grey = adaptive(x, 1.0, colour)
    torch.manual_seed(3)
    assert torch.allclose(adaptive(x.repeat(1, 3, 1, 1), 1.0, colour).mean(1, keepdim=True), grey, atol=1e-5)
    with pytest.raises(InputError, match="channels"):
        adaptive(torch.rand(5, 4, 8, 8), 1.0, colour)


class OnlyFirst(Draws):
    """Strikes with the first operation alone."""

    count = 0

    def struck(self, share: float | Tensor, dims: int = 1) -> Tensor:
        self.count += 1
        return torch.full((self.n,), float(self.count == 1))


def test_bands_sum_to_the_image_and_keep_the_expected_power() -> None:
    x = torch.rand(3, 3, 12, 10)
    assert torch.allclose(amplified(x, torch.ones(3, 4)), x, atol=1e-5)
    assert torch.allclose(amplified(torch.ones(1, 1, 8, 8), torch.tensor([[2.0, 5.0, 7.0, 9.0]])), torch.full((1, 1, 8, 8), 4.0))
    torch.manual_seed(0)
    gains = band_gains(OnlyFirst(64, 1.0, torch.device("cpu")), BGCFNC)
    power = (torch.tensor([10, 1, 1, 1]) / 13 * gains.square()).sum(1)
    assert torch.allclose(power, torch.ones(64), atol=1e-5)
    assert gains.std(0).min() > 0.1


def test_cutout_takes_a_square_of_half_the_side_about_its_centre() -> None:
    x = torch.ones(2000, 1, 16, 16)
    torch.manual_seed(0)
    left = adaptive(x, 1.0, Policy(cutout=1))
    zeros = (left == 0).float().flatten(1)
    assert zeros.sum(1).max() == 64
    assert zeros.mean().item() == pytest.approx((0.5 * (1 - 0.5 / 4)) ** 2, abs=0.01)  # what of it lies inside, on the average


def test_noise_has_the_strength_that_was_drawn() -> None:
    torch.manual_seed(0)
    added = adaptive(torch.zeros(4000, 1, 8, 8), 0.5, Policy(noise=1))
    deviations = added.flatten(1).std(1)
    assert (deviations == 0).float().mean().item() == pytest.approx(0.5, abs=0.03)
    assert deviations.square().mean().item() == pytest.approx(0.5 * 0.01, rel=0.1)  # E sigma^2 = 0.1^2 where struck


# ---------------------------------------------------------------- probability and gradients
def test_nothing_happens_at_p_0() -> None:
    x = torch.rand(4, 3, 16, 16)
    assert adaptive(x, 0.0) is x
    assert adaptive(x, torch.tensor(0.0)) is x
    assert torch.allclose(adaptive(x, 0.0, BGCFNC, Draws(4, torch.tensor(0.0), x.device)), x, atol=1e-5)


def test_probability_is_the_share_of_images_that_each_operation_strikes() -> None:
    x = torch.rand(3000, 1, 8, 8)
    for policy, share in (
        (Policy(brightness=1), 0.3),
        (Policy(brightness=0.5), 0.15),
        (Policy(rotate=1), 0.3),
        (Policy(flip=1), 0.15),
    ):
        torch.manual_seed(0)
        changed = ((adaptive(x, 0.3, policy) - x).abs() > 1e-4).flatten(1).any(1).float().mean().item()
        assert changed == pytest.approx(share, abs=0.03)  # two rotations strike with p together; half of the flips are none


def test_gradients_pass_through_twice() -> None:
    x = torch.randn(1, 1, 5, 5, dtype=torch.double, requires_grad=True)
    matrix = geometry(Draws(1, 1.0, x.device), BGC, (5, 5))
    gains = torch.rand(1, 4, dtype=torch.double)

    def pipeline(x: Tensor) -> Tensor:
        return amplified(resampled(x, matrix), gains)

    assert torch.autograd.gradcheck(pipeline, (x,), fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda x: pipeline(x).square(), (x,), fast_mode=True)


def test_bf16_autocast_leaves_pixels_their_precision() -> None:
    x = torch.rand(2, 3, 16, 16)
    torch.manual_seed(0)
    plain = adaptive(x, 1.0)
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        shown = adaptive(x.contiguous(memory_format=torch.channels_last), 1.0)
    assert torch.allclose(shown, plain, atol=1e-5)


# ---------------------------------------------------------------- what steers p
def test_p_rises_while_d_is_too_sure_and_falls_otherwise() -> None:
    steering = AdaptiveProbability(target=0.6, images=1000, every=4)
    sure, unsure = torch.tensor([3.0, 0.1, 2.0, 1.0]), torch.tensor([1.0, -1.0, 2.0, -0.5])
    for round in range(40):
        steering(sure, 10, round)
        assert steering.p.item() == pytest.approx((round + 1) // 4 * 4 * 10 / 1000)
    assert steering.sureness.item() == 1.0
    for round in range(40, 44):
        steering(unsure, 10, round)
    assert steering.p.item() == pytest.approx(0.4 - 0.04)
    assert steering.sureness.item() == 0.0
    for round in range(44, 44 + 400):
        steering(unsure, 10, round)
    assert steering.p.item() == 0.0
    for round in range(444, 444 + 400):
        steering(sure, 10, round)
    assert steering.p.item() == 1.0
    assert probability(steering, 0.2) is steering.p
    assert probability(None, 0.2) == 0.2


def test_pretended_reals_are_fakes_of_the_neighbour_with_probability_p() -> None:
    torch.manual_seed(0)
    real, fake = torch.zeros(4000, 2), torch.arange(1, 4001).float()[:, None].repeat(1, 2)
    told = pretended(real, fake, torch.tensor(0.25))
    struck = told[:, 0] != 0
    assert struck.float().mean().item() == pytest.approx(0.25, abs=0.02)
    assert torch.equal(told[struck], fake.roll(1, 0)[struck])
    assert torch.equal(pretended(real, fake, 0.0), real)


# ---------------------------------------------------------------- in the recipe
SPEC = DataSpec(modality="images", shape=(3, 16, 16), count=100)


@pytest.mark.parametrize("augmentation", ["diffaugment", "ada", "apa"])
def test_swift_steers_its_augmentation(augmentation: str) -> None:
    recipe = recipes.find("swift")(
        width=16, z=4, batch=8, augmentation=augmentation, augment=0.5, augment_target=0.6, augment_images=320
    )
    torch.manual_seed(0)
    nets = recipe.networks(SPEC)
    batch = Batch(torch.rand(8, 3, 16, 16) * 2 - 1, torch.randn(8, 4), None, 3)
    terms = recipe.d_terms(nets, batch, Knobs())
    assert terms.signals["augment"].item() == 0.5
    assert abs(nets["steering"].p.item() - 0.5) == pytest.approx(0.1)
    assert terms.total.isfinite()
    assert recipe.g_terms(nets, batch, Knobs()).total.isfinite()


def test_swift_without_a_target_has_no_steering_and_points_no_ada() -> None:
    swift = recipes.find("swift")
    assert set(swift(width=16, z=4).networks(SPEC)) == {"G", "D"}
    points = DataSpec(modality="points", shape=(2,), count=100)
    with pytest.raises(InputError, match="apa"):
        swift(width=16, z=2, augment=0.5, augmentation="ada").networks(points)
    assert "steering" in swift(width=16, z=2, augment_target=0.6, augmentation="apa").networks(points)
