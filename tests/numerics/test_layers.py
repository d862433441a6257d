"""Layers against closed forms, against plain loops and against PyTorch's own where that is right."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tightrope.core.errors import InputError
from tightrope.networks.layers.attention import SelfAttention
from tightrope.networks.layers.batch import MinibatchDiscrimination, MinibatchStd
from tightrope.networks.layers.convolution import FastConv2d
from tightrope.networks.layers.normalisation import (
    ConditionalBatchNorm2d,
    InstanceNorm2d,
    LayerNorm2d,
    PixelNorm,
    SelfModulation2d,
    VirtualBatch,
    VirtualBatchNorm2d,
)
from tightrope.networks.layers.resampled import down_convolution, up_convolution
from tightrope.networks.layers.spectral import SNConv2d, SNEmbedding, SNLinear, leading, spectral


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def largest(weight: Tensor) -> float:
    return float(torch.linalg.svdvals(weight.detach().flatten(1).double())[0])


def perturb(net: nn.Module) -> nn.Module:
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return net


# ---------------------------------------------------------------- normalisation
def test_layer_norm_is_over_channels_and_pixels_with_an_affine_map_a_channel() -> None:
    layer, x = perturb(LayerNorm2d(5)), torch.randn(3, 5, 4, 6)
    plain = F.layer_norm(x, (5, 4, 6), eps=1e-5)
    assert torch.allclose(layer(x), plain * layer.weight[:, None, None] + layer.bias[:, None, None], atol=1e-5)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("over", [(2, 3), (1, 2, 3)])
def test_gradients_at_batch_one_with_channels_last_gradients(batch: int, over: tuple[int, ...]) -> None:
    """Where PyTorch's instance norm is wrong; ours against plain arithmetic in float64."""
    layer = perturb(LayerNorm2d(6) if 1 in over else InstanceNorm2d(6, affine=True))
    x, cotangent = torch.randn(batch, 6, 5, 7), torch.randn(batch, 6, 5, 7)

    def gradients(dtype: torch.dtype, form: torch.memory_format) -> list[Tensor]:
        points = x.to(dtype).contiguous(memory_format=form).requires_grad_()
        net = layer.to(dtype)
        y = net(points)
        return [y, *torch.autograd.grad(y, [points, *net.parameters()], cotangent.to(dtype).contiguous(memory_format=form))]

    exact = gradients(torch.float64, torch.contiguous_format)
    points = x.double().requires_grad_()
    mean, var = points.mean(over, keepdim=True), points.var(over, unbiased=False, keepdim=True)
    plain = (points - mean) / (var + 1e-5).sqrt() * layer.weight[:, None, None] + layer.bias[:, None, None]
    expected = [plain, *torch.autograd.grad(plain, [points, *layer.parameters()], cotangent.double())]
    assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(exact, expected, strict=True))
    for form in (torch.contiguous_format, torch.channels_last):
        for ours, theirs in zip(gradients(torch.float32, form), expected, strict=True):
            assert torch.allclose(ours.double(), theirs, atol=1e-4)


def test_instance_norm_has_right_second_derivatives() -> None:
    x = torch.randn(1, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(InstanceNorm2d(2), x)


def test_pixel_norm_leaves_vectors_of_unit_mean_square() -> None:
    assert torch.allclose(PixelNorm()(torch.randn(2, 8, 3, 3)).square().mean(1), torch.ones(2, 3, 3), atol=1e-5)
    assert torch.allclose(PixelNorm()(torch.randn(4, 8)).square().mean(1), torch.ones(4), atol=1e-5)


def test_conditional_batch_norm_starts_plain_and_mixes_classes_linearly() -> None:
    layer, x = ConditionalBatchNorm2d(4, 3), torch.randn(6, 4, 5, 5)
    shares = torch.eye(3)[[0, 1, 2, 0, 1, 2]]
    plain = F.batch_norm(x, None, None, training=True)
    assert torch.allclose(layer(x, shares), plain, atol=1e-6)
    perturb(layer)
    k = torch.tensor([0, 1, 2, 0, 1, 2])
    gain, bias = 1 + layer.gain.weight.T[k], layer.bias.weight.T[k]
    assert torch.allclose(layer(x, shares), plain * gain[:, :, None, None] + bias[:, :, None, None], atol=1e-6)
    layer.eval()
    half = torch.tensor([[0.5, 0.5, 0.0]])
    of_each = [layer(x[:1], torch.eye(3)[[j]]) for j in (0, 1)]
    assert torch.allclose(layer(x[:1], half), (of_each[0] + of_each[1]) / 2, atol=1e-6)


def test_self_modulation_follows_the_latent() -> None:
    layer, x, z = SelfModulation2d(4, 6, hidden=8), torch.randn(5, 4, 3, 3), torch.randn(5, 6)
    hidden = F.relu(z @ layer.hidden.weight.T + layer.hidden.bias)
    gain, bias = layer.gain(hidden)[:, :, None, None], layer.bias(hidden)[:, :, None, None]
    assert torch.allclose(layer(x, z), F.batch_norm(x, None, None, training=True) * gain + bias, atol=1e-6)
    assert torch.equal(layer.gain.bias, torch.ones(4))


def test_virtual_batch_norm_by_hand_and_without_mixing() -> None:
    layer = perturb(VirtualBatchNorm2d(3, reference=4)).double()
    x = torch.randn(7, 3, 5, 5, dtype=torch.float64)
    out = layer(x)
    for i in range(7):  # the moments of the four, or of the four and this one
        members = x[:4] if i < 4 else torch.cat([x[:4], x[i : i + 1]])
        mean, var = members.mean((0, 2, 3)), members.var((0, 2, 3), unbiased=False)
        expected = (x[i] - mean[:, None, None]) / (var + 1e-5).sqrt()[:, None, None]
        assert torch.allclose(out[i], expected * layer.weight[:, None, None] + layer.bias[:, None, None], atol=1e-10)


def test_virtual_batch_keeps_its_first_batch() -> None:
    net = VirtualBatch(nn.Sequential(VirtualBatchNorm2d(3, 4), nn.Flatten()), 4, (3, 2, 2))
    first, later = torch.randn(5, 3, 2, 2), torch.randn(6, 3, 2, 2)
    net(first)
    assert torch.equal(net.reference, first[:4])
    together = net(later)
    assert torch.equal(net.reference, first[:4])
    assert torch.allclose(together[:1], net(later[:1]), atol=1e-6)
    with pytest.raises(ValueError, match="4 samples"):
        VirtualBatch(nn.Identity(), 4, (3, 2, 2))(first[:2])


# ---------------------------------------------------------------- over the batch
def test_minibatch_std_against_a_loop() -> None:
    x = torch.randn(12, 6, 3, 3, dtype=torch.float64)
    out = MinibatchStd(group=4, features=2)(x)
    assert torch.equal(out[:, :6], x)
    for i in range(12):
        group = x[[j for j in range(12) if j % 3 == i % 3]]  # strided: i, i + 3, i + 6, i + 9
        for f in range(2):
            values = group[:, 3 * f : 3 * f + 3]
            spread = sum(
                math.sqrt(float(values[:, c, h, w].var(unbiased=False)) + 1e-8)
                for c in range(3)
                for h in range(3)
                for w in range(3)
            )
            assert torch.allclose(out[i, 6 + f], torch.tensor(spread / 27, dtype=torch.float64), atol=1e-12)


def test_minibatch_std_of_equal_samples_and_of_odd_batches() -> None:
    x = torch.randn(1, 4, 2, 2).repeat(4, 1, 1, 1)
    assert torch.allclose(MinibatchStd()(x)[:, 4], torch.full((4, 2, 2), 1e-4), atol=1e-6)
    assert MinibatchStd(group=4)(x[:3]).shape == (3, 5, 2, 2)  # one group of three
    with pytest.raises(InputError, match="groups of 4"):
        MinibatchStd(group=4)(x.repeat(2, 1, 1, 1)[:6])


def test_minibatch_discrimination_against_a_loop() -> None:
    layer, x = perturb(MinibatchDiscrimination(6, kernels=3, dims=2)).double(), torch.randn(5, 6, dtype=torch.float64)
    maps = layer.theta / layer.theta.norm(dim=0) * layer.log_scale.exp()
    out = layer(x)
    assert torch.equal(out[:, :6], x)
    for i in range(5):
        for k in range(3):
            near = sum(math.exp(-((x[i] - x[j]) @ maps[:, k]).abs().sum().item()) for j in range(5) if j != i)
            assert out[i, 6 + k].item() == pytest.approx(near + layer.bias[k].item(), abs=1e-12)
    assert torch.autograd.gradcheck(layer, x.requires_grad_())


def test_minibatch_discrimination_initialised_by_a_batch() -> None:
    layer, x = MinibatchDiscrimination(6, kernels=3, dims=2), torch.randn(32, 6)
    layer.initialise_(x)
    assert torch.allclose(layer(x)[:, 6:].mean(0), torch.zeros(3), atol=1e-5)
    assert torch.allclose(layer.distances(x).amin(1).mean(0), torch.full((3,), 2.0), atol=1e-4)


# ---------------------------------------------------------------- spectral normalisation
@pytest.mark.parametrize("shape", [(4, 9), (9, 4)])
def test_leading_vectors_are_those_of_the_decomposition(shape: tuple[int, int]) -> None:
    matrix = torch.randn(*shape, dtype=torch.float64)
    u, v = leading(matrix)
    assert float(u @ matrix @ v) == pytest.approx(largest(matrix), abs=1e-10)


def test_both_rules_make_the_largest_singular_value_one() -> None:
    for make in (lambda: nn.Conv2d(6, 8, 3), lambda: nn.Linear(10, 4), lambda: nn.ConvTranspose2d(6, 8, 4)):
        layer = make()
        before = layer.weight.detach().clone()
        spectral(layer)
        dim = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
        assert largest(layer.weight.transpose(0, dim)) == pytest.approx(1, abs=1e-5)
        assert torch.allclose(layer.weight * largest(before.transpose(0, dim)), before, atol=1e-5)
    conv, linear, table = SNConv2d(6, 8, 3), SNLinear(10, 4), SNEmbedding(5, 7)
    x, y = torch.randn(2, 6, 5, 5), torch.tensor([0, 4])
    for _ in range(200):  # the power method converges to the same
        conv(x), linear(torch.randn(2, 10)), table(y)
    assert torch.allclose(conv(x), F.conv2d(x, conv.weight / largest(conv.weight), conv.bias), atol=1e-4)
    assert torch.allclose(table(y), table.weight[y] / largest(table.weight), atol=1e-4)
    assert linear.sv0.item() == pytest.approx(largest(linear.weight), rel=1e-4)


def test_torchs_rule_is_torchs_step_by_step() -> None:
    ours, theirs = nn.Conv2d(6, 8, 3), nn.Conv2d(6, 8, 3)
    spectral(ours)
    nn.utils.parametrizations.spectral_norm(theirs)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 6, 5, 5)
    for _ in range(3):
        assert torch.allclose(ours(x), theirs(x), atol=1e-6)
    for key, value in theirs.state_dict().items():
        assert torch.allclose(ours.state_dict()[key], value, atol=1e-6), key
    ours.eval(), theirs.eval()
    assert torch.allclose(ours(x), theirs(x), atol=1e-6)
    assert torch.equal(ours.state_dict()["parametrizations.weight.0._u"], ours.eval().parametrizations.weight[0]._u)


def test_bigans_rule_steps_in_eval_without_storing() -> None:
    layer, x = SNLinear(7, 4), torch.randn(3, 7)
    layer.eval()
    start = layer.u0.clone()
    v = F.normalize(start @ layer.weight)
    u = F.normalize(v @ layer.weight.T)
    sigma = (v @ layer.weight.T @ u.T).squeeze()
    assert torch.allclose(layer(x), F.linear(x, layer.weight / sigma, layer.bias), atol=1e-6)
    assert torch.equal(layer.u0, start)
    layer.train()(x)
    assert torch.allclose(layer.u0, u, atol=1e-6)


def test_gradient_goes_through_sigma() -> None:
    """d/dW of f(W / sigma) is (G - <G, W / sigma> u v^T) / sigma (Miyato et al. 2018, equation 12)."""
    layer, x = spectral(nn.Linear(7, 4, bias=False).double()), torch.randn(3, 7, dtype=torch.float64)
    cotangent = torch.randn(3, 4, dtype=torch.float64)
    layer(x).backward(cotangent)
    (raw,) = layer.parameters()
    u, _, vh = torch.linalg.svd(raw.detach())
    sigma = largest(raw)
    plain = cotangent.T @ x
    along = (plain * raw.detach() / sigma).sum() * torch.outer(u[:, 0], vh[0])
    assert raw.grad is not None
    assert torch.allclose(raw.grad, (plain - along) / sigma, atol=1e-6)


def test_embedding_takes_labels_and_shares() -> None:
    table = SNEmbedding(3, 5).eval()
    assert torch.allclose(table(torch.tensor([2, 0])), table(torch.eye(3)[[2, 0]]))


# ---------------------------------------------------------------- resampling joined with a convolution
@pytest.mark.parametrize("wrap", [lambda conv: conv, spectral])
def test_resampled_convolutions_are_the_pairs_they_replace(wrap: Callable[[nn.Module], nn.Module]) -> None:
    conv, x = wrap(nn.Conv2d(3, 5, 3, padding=1).double()).eval(), torch.randn(2, 3, 8, 6, dtype=torch.float64)
    assert torch.allclose(up_convolution(x, conv), conv(F.interpolate(x, scale_factor=2)), atol=1e-12)
    assert torch.allclose(down_convolution(x, conv), F.avg_pool2d(conv(x), 2), atol=1e-12)


# ---------------------------------------------------------------- attention
def test_attention_against_plain_products() -> None:
    layer, x = SelfAttention(16, conv=nn.Conv2d), torch.randn(2, 16, 4, 4)
    assert torch.equal(layer(x), x)  # gamma starts at 0
    perturb(layer)
    for i in range(2):
        flat = x[i].flatten(1)  # 16, pixels
        queries = layer.theta.weight.flatten(1) @ flat
        keys, values = (
            F.max_pool2d((conv.weight.flatten(1) @ flat).view(1, -1, 4, 4), 2).flatten(1).squeeze(0).view(c, 4)
            for conv, c in ((layer.phi, 2), (layer.g, 8))
        )
        shares = torch.softmax(queries.T @ keys, 1)
        expected = x[i] + layer.gamma * (layer.o.weight.flatten(1) @ (values @ shares.T)).view(16, 4, 4)
        assert torch.allclose(layer(x)[i], expected, atol=1e-5)


def test_layers_run_in_bf16_and_in_channels_last() -> None:
    x = torch.randn(4, 16, 8, 8).contiguous(memory_format=torch.channels_last)
    y = torch.rand(4, 3)
    layers = [LayerNorm2d(16), InstanceNorm2d(16), PixelNorm(), MinibatchStd(), SelfAttention(16), spectral(nn.Conv2d(16, 4, 3))]
    for layer in layers:
        layer.eval()
        with torch.autocast("cpu", torch.bfloat16):
            low = layer(x.bfloat16())
        assert low.dtype == torch.bfloat16
        assert torch.allclose(low.float(), layer(x), atol=0.1), type(layer).__name__
    conditional = ConditionalBatchNorm2d(16, 3)
    with torch.autocast("cpu", torch.bfloat16):
        low = conditional(x.bfloat16(), y)
    assert torch.allclose(low.float(), conditional(x, y), atol=0.1)


def test_a_pass_of_a_fast_convolution_makes_one_step_of_the_power_method() -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(8, 8, 3)
    fast = FastConv2d(8, 8, 3)
    fast.load_state_dict(plain.state_dict())
    x = torch.randn(2, 8, 6, 6)
    for layer in (plain, fast):
        spectral(layer)
        with torch.no_grad():
            layer.parametrizations.weight.original.normal_(generator=torch.Generator().manual_seed(1))
        layer(x)
    for ours, theirs in zip(fast.buffers(), plain.buffers(), strict=True):
        assert torch.equal(ours, theirs)
