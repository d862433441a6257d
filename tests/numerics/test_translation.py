"""Networks that are given pictures: their layers against float64 and PyTorch's own, their options against plain ones, their sizes."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tightrope.core.errors import InputError
from tightrope.core.schedules import linear
from tightrope.networks.layers.instance import InstanceNorm2d, normalised
from tightrope.networks.layers.powered import PoweredConv2d
from tightrope.networks.layers.tiled import TiledConv2d, correlated, worth
from tightrope.networks.patch import PatchCritic, PixelCritic
from tightrope.networks.sr import RRDBNet, SRVGGNet
from tightrope.networks.translation import LocalEnhancer, ResNetTranslator
from tightrope.networks.unet import UNetCritic, UNetTranslator
from tightrope.objectives import least_squares, non_saturating
from tightrope.objectives.pool import Draws, ImagePool

LAYOUTS = (torch.contiguous_format, torch.channels_last)
Affine = partial(InstanceNorm2d, affine=True)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


# ---------------------------------------------------------------- instance normalisation
def exact(x: Tensor, g: Tensor, eps: float = 1e-5) -> tuple[Tensor, Tensor]:
    """(y, dx) by autograd through plain arithmetic in float64."""
    points = x.detach().double().clone().requires_grad_()
    var, mean = torch.var_mean(points, (2, 3), unbiased=False, keepdim=True)
    y = (points - mean) / (var + eps).sqrt()
    return y.detach(), torch.autograd.grad(y, points, g.double())[0]


@pytest.mark.parametrize("of_g", LAYOUTS)
@pytest.mark.parametrize("of_x", LAYOUTS)
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-14), (torch.float32, 1e-6), (torch.bfloat16, 8e-3)])
def test_gradients_wherever_pixels_lie(
    dtype: torch.dtype, bound: float, batch: int, of_x: torch.memory_format, of_g: torch.memory_format
) -> None:
    """PyTorch's layer is off by 1.4 of the gradient for a batch of one with a channels-last gradient."""
    x, g = ((2 * torch.randn(batch, 6, 5, 7) + k).to(dtype) for k in (3, 0))
    points = x.contiguous(memory_format=of_x).detach().requires_grad_()
    y = normalised(points)
    (slope,) = torch.autograd.grad(y, points, g.contiguous(memory_format=of_g))
    with torch.no_grad():
        unheard = normalised(points)
    (right, right_slope) = exact(x, g)
    for ours, theirs in ((y, right), (unheard, right), (slope, right_slope)):
        assert ours.dtype == dtype
        assert (ours.double() - theirs).norm() < bound * theirs.norm()


def test_second_derivatives_and_slices() -> None:
    x = torch.randn(2, 3, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(normalised, x) and torch.autograd.gradgradcheck(normalised, x)
    part = torch.randn(2, 6, 5, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda whole: normalised(whole[:, ::2, 1:, ::2]), part)


@pytest.mark.parametrize("affine", [False, True])
def test_running_moments_are_pytorchs(affine: bool) -> None:
    ours, theirs = InstanceNorm2d(4, affine=affine, tracked=True), nn.InstanceNorm2d(4, affine=affine, track_running_stats=True)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for _ in range(3):
        x = 3 + 2 * torch.randn(2, 4, 5, 6)
        assert torch.allclose(ours(x), theirs(x), atol=1e-5)
    for key, value in theirs.state_dict().items():
        assert torch.allclose(ours.state_dict()[key], value, atol=1e-5), key
    assert torch.allclose(ours.eval()(x), theirs.eval()(x), atol=1e-5) and not torch.allclose(ours(x), ours.train()(x), atol=0.1)


def test_a_single_pixel_is_refused() -> None:
    with pytest.raises(InputError, match="single pixel"):
        InstanceNorm2d(3)(torch.randn(2, 3, 1, 1))


# ---------------------------------------------------------------- spectral normalisation of PyTorch's first kind
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_power_iteration_is_that_of_pytorchs_hook() -> None:
    theirs = torch.nn.utils.spectral_norm(nn.Conv2d(3, 5, 3, bias=False))
    ours = PoweredConv2d(3, 5, 3, bias=False)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 3, 6, 6)
    for mode in (True, True, False):
        assert torch.allclose(ours.train(mode)(x), theirs.train(mode)(x), atol=1e-6)
        assert all(torch.allclose(ours.state_dict()[key], value, atol=1e-6) for key, value in theirs.state_dict().items())


# ---------------------------------------------------------------- fewer products for 3x3 kernels
@pytest.mark.parametrize("border", [0, 1])
def test_tiles_with_a_border_of_their_own(border: int) -> None:
    x = torch.randn(2, 3, 10 - 2 * border, 14 - 2 * border, dtype=torch.float64)
    weight = torch.randn(4, 3, 3, 3, dtype=torch.float64)
    assert torch.allclose(correlated(x, weight, border), F.conv2d(x, weight, padding=border), atol=1e-12)
    small, kernel = (value[:1, :1].clone().requires_grad_() for value in (x[:, :, : 6 - 2 * border, : 6 - 2 * border], weight))
    assert torch.autograd.gradcheck(lambda *given: correlated(*given, border), (small, kernel))
    assert torch.autograd.gradgradcheck(lambda *given: correlated(*given, border), (small, kernel))


@pytest.mark.parametrize("border", [0, 1])
def test_tiled_layers_are_pytorchs_outside_of_training(border: int) -> None:
    ours, theirs = TiledConv2d(128, 128, 3, padding=border), nn.Conv2d(128, 128, 3, padding=border)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(1, 128, 26 - 2 * border, 26 - 2 * border)
    assert worth(x, ours.weight, border)
    slopes = []
    for layer in (ours, theirs):
        y = layer(x)
        slopes.append([y, *torch.autograd.grad(y.square().sum(), list(layer.parameters()))])
    for a, b in zip(*slopes, strict=True):
        assert not torch.equal(a, b) and (a - b).norm() < 3e-5 * b.norm()
    assert torch.equal(ours.eval()(x), theirs(x))


# ---------------------------------------------------------------- networks
def test_sizes_are_the_published_ones() -> None:
    with torch.device("meta"):
        nets = {
            54_413_955: UNetTranslator(), 11_378_179: ResNetTranslator(), 2_768_705: PatchCritic(6),
            2_764_737: PatchCritic(3, norm=InstanceNorm2d, bias=True), 182_546_755: ResNetTranslator(36, downs=4),
            182_857_059: LocalEnhancer(36), 16_697_987: RRDBNet(), 4_467_779: RRDBNet(blocks=6), 621_424: SRVGGNet(),
            1_213_296: SRVGGNet(layers=32), 4_376_897: UNetCritic(),
        }  # fmt: skip
    for count, net in nets.items():
        assert sum(p.numel() for p in net.parameters()) == count


def plain_norm(x: Tensor, state: dict[str, Tensor], place: str) -> Tensor:
    """Whatever norm the state has there, in the mode of use."""
    weight, bias = state.get(f"{place}.weight"), state.get(f"{place}.bias")
    if f"{place}.running_mean" in state:
        return F.batch_norm(x, state[f"{place}.running_mean"], state[f"{place}.running_var"], weight, bias)
    return F.instance_norm(x, weight=weight, bias=bias)


def plain_resnet(x: Tensor, net: ResNetTranslator, mode: str, at: tuple[int, int], normed: bool) -> Tensor:
    """The network as a loop over the list of its layers; `at` are the places of a block's convolutions."""
    state = net.state_dict()
    norm = plain_norm if normed else lambda x, state, place: x

    def conv(x: Tensor, place: str, pad: int, how: str = "reflect", **options: Any) -> Tensor:
        padded = F.pad(x, (pad,) * 4, how) if pad else x
        return F.conv2d(padded, state[f"{place}.weight"], state.get(f"{place}.bias"), **options)

    x, place = F.relu(norm(conv(x, "model.1", 3), state, "model.2")), 4
    for _ in range(net.downs):
        x = F.relu(norm(conv(x, f"model.{place}", 1, "constant", stride=2), state, f"model.{place + 1}"))
        place += 3
    for _ in range(net.blocks):
        y, block = x, f"model.{place}.conv_block."
        for k, index in enumerate(at):
            y = norm(conv(y, f"{block}{index}", 1, mode), state, f"{block}{index + 1}")
            y = y if k else F.relu(y)
        x, place = x + y, place + 1
    for _ in range(net.downs):
        weight, bias = state[f"model.{place}.weight"], state.get(f"model.{place}.bias")
        x = F.conv_transpose2d(x, weight, bias, 2, 1, 1)
        x, place = F.relu(norm(x, state, f"model.{place + 1}")), place + 3
    return conv(x, f"model.{place + 1}", 3).tanh()


def lively(net: nn.Module) -> nn.Module:
    """Away from zeros and ones, in float64, as it is used."""
    for value in net.state_dict().values():
        if value.is_floating_point():
            value.add_(0.3 * torch.rand_like(value))
    return net.double().eval()


@pytest.mark.parametrize(
    ("options", "mode", "at", "normed"),
    [
        ({"downs": 2}, "reflect", (1, 5), True),
        ({"downs": 1, "norm": Affine, "dropout": True}, "reflect", (1, 6), True),
        ({"downs": 3, "norm": nn.BatchNorm2d, "bias": False, "pad": None}, "constant", (0, 3), True),
        ({"downs": 2, "norm": nn.BatchNorm2d, "bias": False, "pad": None, "dropout": True}, "constant", (0, 4), True),
        ({"downs": 2, "norm": nn.Identity, "bias": False, "pad": nn.ReplicationPad2d}, "replicate", (1, 5), False),
    ],
)
def test_resnet_translators_are_their_layers_in_a_row(
    options: dict[str, Any], mode: str, at: tuple[int, int], normed: bool
) -> None:
    net = lively(ResNetTranslator(2, 4, width=2, blocks=2, **options))
    assert isinstance(net, ResNetTranslator)
    x = torch.randn(2, 2, 16, 24, dtype=torch.float64)
    assert torch.allclose(net(x), plain_resnet(x, net, mode, at, normed), atol=1e-12)
    assert torch.equal(net.features(x, [0, 4])[1], net.model[:5](x)) and len(net.features(x, [0, 4])) == 2


def plain_unet(x: Tensor, state: dict[str, Tensor], place: str, first: bool = True) -> Tensor:
    """A level and those within it, by their names."""
    down = f"{place}.{0 if first else 1}"
    y = F.conv2d(x if first else F.leaky_relu(x, 0.2), state[f"{down}.weight"], state.get(f"{down}.bias"), 2, 1)
    innermost = state.get(f"{place}.3.weight", torch.zeros(1)).dim() == 4 and not first
    if not innermost:
        y = y if first else plain_norm(y, state, f"{place}.2")
        y = plain_unet(y, state, f"{place}.{1 if first else 3}.model", False)
    up = f"{place}.{3 if first or innermost else 5}"
    y = F.conv_transpose2d(F.relu(y), state[f"{up}.weight"], state.get(f"{up}.bias"), 2, 1)
    if first:
        return y.tanh()
    return torch.cat([x, plain_norm(y, state, f"{place}.{4 if innermost else 6}")], 1)


@pytest.mark.parametrize(
    "options", [{"downs": 6}, {"downs": 5, "norm": InstanceNorm2d, "bias": True}, {"downs": 7, "dropout": False}]
)
def test_unets_are_levels_within_levels(options: dict[str, Any]) -> None:
    net = lively(UNetTranslator(2, 4, width=2, **options))
    side = 2 << options["downs"]  # two pixels are left, so that none is alone
    x = torch.randn(2, 2, side, side, dtype=torch.float64)
    assert torch.allclose(net(x), plain_unet(x, net.state_dict(), "model.model"), atol=1e-12)


def test_dropout_is_in_the_inner_levels_and_in_training_alone() -> None:
    net = UNetTranslator(width=2, downs=7, norm=InstanceNorm2d, bias=True)
    assert sum(isinstance(layer, nn.Dropout) for layer in net.modules()) == 2  # the published rule: downs - 5
    x = torch.randn(1, 3, 256, 256)
    assert torch.equal(net.eval()(x), net(x)) and not torch.equal(net.train()(x), net(x))


@pytest.mark.parametrize(("layers", "field"), [(1, 16), (3, 70), (5, 286)])
def test_patches_have_the_published_size(layers: int, field: int) -> None:
    """How much of a picture a logit sees: where its gradient is not zero."""
    net = PatchCritic(1, width=2, layers=layers, norm=nn.Identity).eval()
    x = torch.randn(1, 1, 400, 400, requires_grad=True)
    logits = net(x)
    middle = logits.shape[2] // 2
    logits[0, 0, middle, middle].backward()
    assert x.grad is not None
    seen = (x.grad[0, 0] != 0).nonzero()
    assert (seen.amax(0) - seen.amin(0) + 1).tolist() == [field, field]


def test_features_of_a_critic_have_the_published_sizes() -> None:
    critic = PatchCritic(3, width=2, norm=InstanceNorm2d, bias=True, pad=2)
    assert [y.shape[2] for y in critic.features(torch.randn(1, 3, 64, 64))] == [33, 17, 9, 10, 11]


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_rrdbnet_enlarges_by_its_scale(scale: int) -> None:
    net = RRDBNet(3, 3, scale=scale, width=4, blocks=1, growth=2).double()
    x = torch.rand(1, 3, 8, 12, dtype=torch.float64)
    folded = 4 // scale
    y = net.conv_first(x.reshape(1, 3, 8 // folded, folded, 12 // folded, folded).permute(0, 1, 3, 5, 2, 4).flatten(1, 3))
    trunk = y
    known = []
    for dense in (net.body[0].rdb1, net.body[0].rdb2, net.body[0].rdb3):
        known = [trunk]
        for conv in dense.convolutions():
            known.append(F.leaky_relu(conv(torch.cat(known, 1)), 0.2 if conv is not dense.conv5 else 1.0))
        trunk = trunk + 0.2 * known[-1]
    y = y + net.conv_body(y + 0.2 * trunk)
    for conv in (net.conv_up1, net.conv_up2):
        y = F.leaky_relu(conv(y.repeat_interleave(2, 2).repeat_interleave(2, 3)), 0.2)
    expected = net.conv_last(F.leaky_relu(net.conv_hr(y), 0.2))
    assert net(x).shape[2:] == (8 * scale, 12 * scale) and torch.allclose(net(x), expected, atol=1e-12)
    if scale < 4:
        with pytest.raises(InputError, match=f"multiples of {folded}"):
            net(x[:, :, 1:])


@pytest.mark.parametrize(
    ("build", "sides"),
    [
        (lambda: ResNetTranslator(width=2, blocks=1), (16, 24)),
        (lambda: LocalEnhancer(width=2, downs=1, blocks=1, enhancers=2, local=1), (16, 24)),
        (lambda: UNetTranslator(width=2, downs=5, norm=InstanceNorm2d, bias=True), (64, 64)),
        (lambda: PatchCritic(width=2), (64, 64)),
        (lambda: PixelCritic(width=2), (8, 8)),
        (lambda: UNetCritic(width=2), (16, 24)),
        (lambda: SRVGGNet(width=2, layers=1), (8, 8)),
    ],
)
def test_bf16_and_channels_last_are_near(build: Callable[[], nn.Module], sides: tuple[int, int]) -> None:
    net = build().train()
    x = torch.rand(1, 3, *sides)
    state = {key: value.clone() for key, value in net.state_dict().items()}
    torch.manual_seed(1)
    expected = net(x)
    net.load_state_dict(state)
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16):
        found = net.to(memory_format=torch.channels_last)(x.contiguous(memory_format=torch.channels_last))
    assert found.dtype == torch.float32
    assert (found - expected).norm() < 0.1 * math.sqrt(expected.numel()) * expected.std() + 0.02 * expected.norm()


# ---------------------------------------------------------------- losses, pool and rate
@pytest.mark.parity
def test_losses_and_rate_of_cyclegan(parity: Path) -> None:
    """The reference's least squares are without Mao's halves, and D's two terms are for the caller to halve."""
    vectors = torch.load(parity / "cyclegan_misc.pt", weights_only=True)
    p, out = vectors["inputs"]["p"].flatten(), vectors["outputs"]
    for objective, name, factor in ((least_squares, "lsgan", 2), (non_saturating, "vanilla", 1)):
        on_real, on_fake = out["ganloss"][name]
        assert factor * objective.g(p, None).item() == pytest.approx(on_real, rel=1e-6)
        assert factor * objective.d(p, p).item() == pytest.approx(on_real + on_fake, rel=1e-6)
    constant, decay = 2, 4
    for epoch, rate in enumerate(out["linear_lr_after_step"][:-1], 1):  # the last is below zero
        total = constant + decay + 1
        assert linear(2e-4, 0.0, epoch / total, constant / total) == pytest.approx(rate, abs=1e-12)


@pytest.mark.parity
def test_pool_of_cyclegan(parity: Path) -> None:
    expected = torch.load(parity / "cyclegan_misc.pt", weights_only=True)["outputs"]["pool_seed3_size5"]
    dice, pool, seen = random.Random(3), ImagePool(5, (1, 2, 2)), 0
    for i, wanted in enumerate(expected):
        new = torch.tensor([float(i), i + 0.5]).view(2, 1, 1, 1).expand(2, 1, 2, 2)
        draws = []
        for _ in range(2):  # the reference draws nothing while the pool fills, and no place where nothing is swapped
            swap = seen >= 5 and dice.uniform(0, 1) > 0.5
            draws.append((swap, dice.randint(0, 4) if swap else 0))
            seen += 1
        swaps, places = zip(*draws, strict=True)
        assert pool(new, Draws(torch.tensor(swaps), torch.tensor(places)))[:, 0, 0, 0].tolist() == wanted


def test_pool_swaps_half_and_is_in_checkpoints() -> None:
    pool = ImagePool(4, (1, 1, 1))
    pool(torch.zeros(4, 1, 1, 1))
    given = torch.cat([pool(torch.full((1, 1, 1, 1), float(k))) for k in range(1, 400)]).flatten()
    same = (given == torch.arange(1.0, 400.0)).double().mean().item()
    assert 0.4 < same < 0.6
    other = ImagePool(4, (1, 1, 1))
    other.load_state_dict(pool.state_dict())
    results = []
    for each in (pool, other):
        torch.manual_seed(5)
        results.append(each(torch.randn(3, 1, 1, 1)))
    assert torch.equal(*results) and torch.equal(pool.kept, other.kept)
    fakes = torch.randn(2, 1, 1, 1)
    assert ImagePool(0, (1, 1, 1))(fakes) is fakes
