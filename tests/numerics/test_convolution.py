"""The fast convolutions agree with PyTorch's: values, gradients, second gradients, every route and fallback."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from tightrope.networks.layers import convolution, winograd
from tightrope.networks.layers.convolution import FastConv2d, FastConvTranspose2d
from tightrope.networks.layers.rectifier import rectified

LAYERS = {
    "down": (nn.Conv2d(32, 48, 4, 2, 1, bias=False), (3, 32, 8, 16)),
    "down 4x4": (nn.Conv2d(32, 32, 4, 2, 1), (1, 32, 4, 4)),
    "down, odd tiles": (nn.Conv2d(32, 32, 4, 2, 1), (2, 32, 6, 8)),
    "down, thin": (nn.Conv2d(3, 16, 4, 2, 1), (2, 3, 8, 6)),
    "last": (nn.Conv2d(32, 1, 4, 1, 0, bias=False), (5, 32, 4, 4)),
    "last, larger input": (nn.Conv2d(32, 2, 4, 1, 0), (5, 32, 6, 5)),
    "other kernel": (nn.Conv2d(32, 32, 3, 1, 1), (2, 32, 8, 8)),
    "grouped": (nn.Conv2d(64, 64, 4, 2, 1, groups=2), (2, 64, 8, 8)),
    "reflected": (nn.Conv2d(32, 32, 4, 2, 1, padding_mode="reflect"), (2, 32, 8, 8)),
    "up": (nn.ConvTranspose2d(48, 32, 4, 2, 1, bias=False), (3, 48, 4, 8)),
    "up 2x2": (nn.ConvTranspose2d(32, 32, 4, 2, 1), (1, 32, 2, 2)),
    "up, odd tiles": (nn.ConvTranspose2d(32, 32, 4, 2, 1), (2, 32, 3, 4)),
    "up, thin": (nn.ConvTranspose2d(16, 3, 4, 2, 1), (2, 16, 5, 4)),
    "first": (nn.ConvTranspose2d(20, 32, 4, 1, 0, bias=False), (5, 20, 1, 1)),
    "first, output padding": (nn.ConvTranspose2d(20, 32, 4, 2, 1, output_padding=1), (5, 20, 1, 1)),
}


@pytest.fixture(autouse=True)
def _small_layers_take_the_routes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_BROAD", "_DEEP", "_WHOLE"):
        monkeypatch.setattr(convolution, name, 1 if name != "_DEEP" else 32)


def accelerate(model: nn.Module) -> nn.Module:
    """The same layers, weights and all, by the fast routes."""
    for module in model.modules():
        if type(module) is nn.Conv2d:
            module.__class__ = FastConv2d
        elif type(module) is nn.ConvTranspose2d:
            module.__class__ = FastConvTranspose2d
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def gradients(layer: nn.Module, x: Tensor, g: Tensor | None) -> tuple[Tensor, Tensor, list[Tensor]]:
    x = x.detach().requires_grad_()
    y = layer(x)
    g = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).sin().view(y.shape) if g is None else g
    return y, g, list(torch.autograd.grad(y, [x, *layer.parameters()], g))


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_matches_pytorch(name: str, channels_last: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "_CHUNK", 2 * 32 * 8 * 16)  # blocks of two images: the last one is smaller
    torch.manual_seed(0)
    layer = copy.deepcopy(LAYERS[name][0]).double()
    x = torch.randn(LAYERS[name][1], dtype=torch.double)
    y, g, expected = gradients(layer, x, None)
    ours = accelerate(nn.Sequential(copy.deepcopy(layer)))
    assert isinstance(ours[0], FastConv2d | FastConvTranspose2d)
    assert layer.state_dict().keys() == ours[0].state_dict().keys()
    z, _, got = gradients(ours, x.to(memory_format=torch.channels_last) if channels_last else x, g)
    torch.testing.assert_close(z, y, rtol=1e-10, atol=1e-10)
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["down", "down, thin", "last", "up", "up, thin", "first"])
def test_gradient_penalty(name: str) -> None:
    layer, shape = LAYERS[name]
    x = torch.randn(shape, dtype=torch.double, requires_grad=True)

    def penalty(m: nn.Module) -> list[Tensor]:
        (d,) = torch.autograd.grad(m(x).tanh().square().sum(), x, create_graph=True)
        return list(torch.autograd.grad(d.square().sum(), [x, m.weight]))  # type: ignore[list-item]

    layer = copy.deepcopy(layer).double()
    for a, b in zip(penalty(accelerate(copy.deepcopy(layer))), penalty(layer), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("function", [winograd.Down, winograd.Up, convolution._ThinUp, convolution._ThinDown])
def test_gradcheck(function: type[torch.autograd.Function]) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 2, 4, 4, dtype=torch.double, requires_grad=True)
    w = torch.randn(2, 2, 4, 4, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(function.apply, (x, w))
    assert torch.autograd.gradgradcheck(function.apply, (x, w))


@pytest.mark.parametrize("name", ["down", "down, thin", "last", "up", "up, thin", "first"])
def test_autocast_stays_near_fp32(name: str) -> None:
    layer, shape = LAYERS[name]
    layer, x = copy.deepcopy(layer).float(), torch.randn(shape)
    y, g, expected = gradients(layer, x, None)
    ours = accelerate(copy.deepcopy(layer))
    with torch.autocast("cpu", torch.bfloat16):
        z, _, got = gradients(ours, x, g.bfloat16())
    assert z.dtype == torch.bfloat16 and all(t.dtype == torch.float32 for t in got)
    for a, b in zip([z, *got], [y, *expected], strict=True):
        assert torch.cosine_similarity(a.double().flatten(), b.double().flatten(), dim=0) > 0.9999


@pytest.mark.parametrize("name", ["down", "down, thin"])
def test_gradient_penalty_in_bf16_stays_near_fp32(name: str) -> None:
    layer, shape = copy.deepcopy(LAYERS[name][0]).float(), LAYERS[name][1]
    x = torch.randn(shape)

    def penalty(m: nn.Module) -> Tensor:
        points = x.clone().requires_grad_(True)
        (d,) = torch.autograd.grad(m(points).tanh().square().sum(), points, create_graph=True)
        return torch.autograd.grad(d.float().square().sum(), m.weight)[0]  # type: ignore[arg-type]

    expected = penalty(layer)
    with torch.autocast("cpu", torch.bfloat16):
        found = penalty(accelerate(copy.deepcopy(layer)))
    assert found.dtype == torch.float32
    assert torch.cosine_similarity(found.flatten(), expected.flatten(), dim=0) > 0.999


class Count(TorchDispatchMode):
    """How often gradients of convolutions are computed by PyTorch's kernels."""

    def __init__(self) -> None:
        super().__init__()
        self.backward = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.backward += function is torch.ops.aten.convolution_backward.default
        return function(*args, **(kwargs or {}))


def test_a_penalty_sends_no_zeros_through_the_layers_below() -> None:
    """Four layers, rectified: four gradients to the input, and no second set of them that is zero. (The gradients in the
    weights are convolutions in PyTorch's double backward pass.)"""

    def penalise(rectify) -> int:
        torch.manual_seed(0)
        layers = nn.ModuleList([nn.Conv2d(4, 4, 3, 1, 1) for _ in range(4)])
        x = h = torch.randn(2, 4, 8, 8, requires_grad=True)
        with Count() as count:
            for layer in layers:
                h = rectify(layer(h))
            (gradient,) = torch.autograd.grad(h.sum(), x, create_graph=True)
            gradient.square().sum().backward()
        return count.backward

    assert penalise(lambda x: rectified(x, 0.2)) == penalise(rectified) == 4
    assert penalise(torch.relu) == 8, "if PyTorch learned it too, `rectified` can go"


@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_rectified(slope: float) -> None:
    x = torch.randn(3, 4, dtype=torch.double, requires_grad=True)
    assert torch.equal(rectified(x, slope), nn.functional.leaky_relu(x, slope))
    assert torch.equal(rectified(x.detach(), slope), nn.functional.leaky_relu(x.detach(), slope))
    assert torch.autograd.gradcheck(lambda x: rectified(x, slope), x)
    assert torch.autograd.gradgradcheck(lambda x: rectified(x, slope) ** 2, x)


def test_frozen_layer_gets_no_gradient() -> None:
    layer = accelerate(nn.Conv2d(32, 32, 4, 2, 1, bias=False)).requires_grad_(False)
    x = torch.randn(2, 32, 8, 8, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad is not None and layer.weight.grad is None


def test_weight_gradient_keeps_the_weight_layout() -> None:
    layer = accelerate(nn.Conv2d(32, 48, 4, 2, 1, bias=False))
    layer(torch.randn(2, 32, 8, 8)).sum().backward()
    assert isinstance(layer.weight, Tensor) and layer.weight.grad is not None
    assert layer.weight.grad.stride() == layer.weight.stride()
