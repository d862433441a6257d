"""StyleGAN2 against the reference implementation's vectors, and against itself written as its papers write it, in float64."""

from __future__ import annotations

import ast
import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import plain_stylegan2 as plain
from tightrope.core.errors import InputError
from tightrope.core.game import Adam, Knobs
from tightrope.networks.layers import bilinear, tiled
from tightrope.networks.layers.activated import activated
from tightrope.networks.layers.bilinear import convolution, transposed
from tightrope.networks.layers.filters import downsample2d, filter2d, fir, upfirdn2d, upsample2d
from tightrope.networks.layers.modulated import modulated, resampled
from tightrope.networks.mapping import MappingNetwork
from tightrope.networks.stylegan2 import StyleGAN2Generator
from tightrope.networks.stylegan2_critic import StyleGAN2Critic
from tightrope.penalties import r1
from tightrope.penalties.path_length import PathLength, path_length_penalty, path_lengths
from tightrope.training.optimizers import Optimizer

IMAGE = {"atol": 2e-5, "rtol": 1e-5}
SKIP_UPDATE = {"update_emas": False}


def load(parity: Path, name: str) -> dict[str, Any]:
    return torch.load(parity / f"sg2ada_{name}.pt", weights_only=True)


def published(vectors: dict[str, Any]) -> tuple[StyleGAN2Generator, StyleGAN2Critic]:
    """Our networks with the reference's weights, under its own keys."""
    g, d = StyleGAN2Generator(**vectors["meta"]["G_kwargs"]), StyleGAN2Critic(**vectors["meta"]["D_kwargs"])
    g.load_state_dict(vectors["G"])
    d.load_state_dict(vectors["D"])
    return g, d


def norms_agree(net: nn.Module, expected: dict[str, float], scale: float = 1.0) -> None:
    found = {name: 0.0 if p.grad is None else p.grad.norm().item() for name, p in net.named_parameters()}
    assert expected.keys() <= found.keys()
    for name, value in found.items():
        assert value * scale == pytest.approx(expected.get(name, 0.0), rel=1e-4, abs=1e-7), name


# ---------------------------------------------------------------- vectors
@pytest.mark.parity
def test_primitives(parity: Path) -> None:
    vectors = load(parity, "primitives")
    x, b = vectors["inputs"]["x"], vectors["inputs"]["b"]
    sampled = {"upsample2d": upsample2d, "downsample2d": downsample2d, "filter2d": filter2d}
    for key, expected in vectors["outputs"].items():
        what, *how = key.split("|")
        if what == "upfirdn2d":
            taps, up, down, padding, flip, gain = (ast.literal_eval(word) for word in how)
            ours = upfirdn2d(x, fir(taps), up, down, padding, flip, gain)
        elif what in sampled:
            ours = sampled[what](x, fir(ast.literal_eval(how[0])))
        elif what == "bias_act":
            ours = activated(x, b, how[0], **({"gain": 2, "clamp": 0.5} if len(how) > 1 else {}))  # type: ignore[arg-type]
        else:
            kernel, up, down, flip = how
            weight = vectors["inputs"][f"w{kernel[1:]}"]
            ours = resampled(
                x[:, :, :8, :8], weight, fir([1, 3, 3, 1]), up=int(up), down=int(down), flip_weight=flip == "flipTrue"
            )
        assert ours.shape == expected.shape, key
        assert torch.allclose(ours, expected, atol=1e-6, rtol=1e-5), key


@pytest.mark.parity
def test_outputs(parity: Path) -> None:
    vectors = load(parity, "default")
    (g, d), out = published(vectors), vectors["outputs"]
    z, c = vectors["inputs"]["z"], vectors["inputs"]["c"]
    g.eval(), d.eval()
    with torch.no_grad():
        assert torch.allclose(g.mapping(z, c), out["ws"], **IMAGE)
        assert torch.allclose(g.mapping(z, None, truncation_psi=0.7), out["ws_psi07"], **IMAGE)
        assert torch.allclose(g.mapping(z, c, truncation_psi=0.7, truncation_cutoff=3), out["ws_psi07_cut3"], **IMAGE)
        assert torch.allclose(g(z, c, noise_mode="const"), out["img_const"], **IMAGE)
        assert torch.allclose(g(z, c, noise_mode="const"), out["img_const_unfused"], **IMAGE)
        assert torch.allclose(g(z, None, noise_mode="none"), out["img_none"], **IMAGE)
        assert torch.allclose(g(z, c, truncation_psi=0.5, noise_mode="const"), out["img_psi05"], **IMAGE)
        torch.manual_seed(7)
        assert torch.allclose(g(z, c), out["img_random_seed7"], **IMAGE)
        assert torch.allclose(d(vectors["inputs"]["x"], c), out["logits"], atol=1e-5)
        g.train()(z, c)
    assert torch.allclose(g.mapping.w_avg, out["w_avg_after_train_forward"], atol=1e-6)


@pytest.mark.parity
def test_penalties(parity: Path) -> None:
    """R1 with gamma 10 over the batch of 4; path lengths about a running mean of .3 with weight 2."""
    vectors = load(parity, "default")
    (g, d), out = published(vectors), vectors["outputs"]
    z, c, noise = vectors["inputs"]["z"], vectors["inputs"]["c"], vectors["inputs"]["pl_noise"]
    g.eval(), d.eval()
    slopes = r1(lambda x: d(x, c)[:, 0], vectors["inputs"]["x"])
    assert torch.allclose(slopes, out["r1_penalty"], rtol=1e-4)
    (10 / 2 * slopes.mean()).backward()
    norms_agree(d, out["r1_param_gradnorm"])
    ws = g.mapping(z, c)
    lengths = path_lengths(g.synthesis(ws, noise_mode="const"), ws, noise * 32)  # theirs is divided by the root of 32 x 32
    assert torch.allclose(lengths, out["pl_lengths"], rtol=1e-4)
    (2 * path_length_penalty(lengths, torch.tensor(0.3)).mean()).backward()
    norms_agree(g, out["pl_param_gradnorm"])


@pytest.mark.parity
def test_train_step(parity: Path) -> None:
    """G, its path lengths, D, its R1, each on latents of its own, by Adam whose constants are those of lazy regularisation."""
    vectors = load(parity, "trainstep")
    kwargs = {"img_resolution": 16, "img_channels": 3}
    widths = {"channel_base": 256, "channel_max": 16, "conv_clamp": 256}
    g = StyleGAN2Generator(24, 0, 20, **kwargs, mapping_kwargs={"num_layers": 2}, synthesis_kwargs=widths)
    d = StyleGAN2Critic(0, **kwargs, **widths, epilogue_kwargs={"mbstd_group_size": 4})
    g.load_state_dict(vectors["G"])
    d.load_state_dict(vectors["D"])
    ema, paths = copy.deepcopy(g), PathLength()
    zs, real, out = vectors["inputs"]["zs"], vectors["inputs"]["real"], vectors["outputs"]
    adam = Adam(lr=0.0025, beta1=0.0, beta2=0.99)
    g_optimizer, d_optimizer = Optimizer(g, adam.lazy(4)), Optimizer(d, adam.lazy(16))

    def styles(z: Tensor) -> Tensor:
        ws = g.mapping(z)
        cutoff = int(torch.empty([], dtype=torch.int64).random_(1, g.num_ws))
        mixes = bool(torch.rand([]) < 0.9)
        other = g.mapping(torch.randn_like(z), **SKIP_UPDATE)
        return torch.cat([ws[:, :cutoff], other[:, cutoff:]], 1) if mixes else ws

    def drawn(z: Tensor) -> Tensor:
        return g.synthesis(styles(z), noise_mode="random")

    def paths_loss(z: Tensor) -> Tensor:
        ws = styles(z[:2])
        images = g.synthesis(ws, noise_mode="random")
        return 4 * 2 * paths(images, ws)

    def d_loss(z: Tensor) -> Tensor:
        return F.softplus(d(drawn(z).detach())).mean() + F.softplus(-d(real)).mean()

    phases: list[tuple[str, nn.Module, Optimizer, Callable[[Tensor], Tensor]]] = [
        ("Gmain", g, g_optimizer, lambda z: F.softplus(-d(drawn(z))).mean()),
        ("Greg", g, g_optimizer, paths_loss),
        ("Dmain", d, d_optimizer, d_loss),
        ("Dreg", d, d_optimizer, lambda z: 16 * 1 / 2 * r1(lambda x: d(x)[:, 0], real).mean()),
    ]
    for (name, net, optimizer, loss), z, seed in zip(phases, zs, vectors["inputs"]["phase_seeds"], strict=True):
        torch.manual_seed(seed)
        net.zero_grad()
        loss(z).backward()
        norms_agree(net, out[f"{name}_gradnorm"])
        optimizer.step(Knobs())
    assert paths.mean.item() == pytest.approx(out["pl_mean"].item(), rel=1e-4)
    for mean, now in zip(ema.parameters(), g.parameters(), strict=True):
        mean.data.copy_(now.data.lerp(mean.data, out["ema_beta"]))
    for mean, now in zip(ema.buffers(), g.buffers(), strict=True):
        mean.copy_(now)
    for net, expected in ((g, out["G_after"]), (d, out["D_after"]), (ema, out["G_ema_after"])):
        for key, value in net.state_dict().items():
            assert torch.allclose(value, expected[key], atol=1e-4, rtol=1e-4), key


# ---------------------------------------------------------------- the same, as its papers write it
EXACT = {"atol": 1e-9, "rtol": 1e-7}
GENERATORS: dict[str, dict[str, Any]] = {
    "as published": {"conv_clamp": 256},
    "smallest": {"size": 4},
    "resnet, clamped": {"architecture": "resnet", "conv_clamp": 0.8, "size": 64, "channel_base": 320},
    "orig, classes, odd channels": {"architecture": "orig", "channel_base": 112, "channel_max": 7, "c_dim": 3, "img_channels": 1},
    "another filter": {"resample_filter": (1.0, 2.0, 1.0), "channel_max": 5},
    "long filter, no noise": {"resample_filter": (1, 2, 5, 9, 9, 5, 2, 1), "use_noise": False, "architecture": "resnet"},
    "swish": {"activation": "swish", "resample_filter": (1.0, 1.0)},
}
CRITICS: dict[str, dict[str, Any]] = {
    "as published": {"conv_clamp": 256},
    "smallest": {"size": 8},
    "skip, clamped": {"architecture": "skip", "conv_clamp": 0.7, "size": 64, "channel_base": 320},
    "orig, classes": {"architecture": "orig", "c_dim": 3, "cmap_dim": 5, "mapping_kwargs": {"num_layers": 2}},
    "odd channels, other filter": {"channel_max": 7, "block_kwargs": {"resample_filter": (1.0, 2.0, 1.0)}, "img_channels": 2},
    "long filter": {"block_kwargs": {"resample_filter": (1, 2, 5, 9, 9, 5, 2, 1)}},
    "two channels of spread": {"epilogue_kwargs": {"mbstd_group_size": 2, "mbstd_num_channels": 2}},
    "no spread, classes": {"c_dim": 4, "architecture": "skip", "epilogue_kwargs": {"mbstd_num_channels": 0}},
}


def shaken(net: nn.Module) -> nn.Module:
    """In float64, and with no parameter at 0 or 1, so that what ignores one fails."""
    torch.manual_seed(1)
    net.double().eval()
    with torch.no_grad():
        for p in net.parameters():
            p += 0.3 * torch.randn_like(p)
    return net


def classes(count: int, samples: int) -> Tensor | None:
    return F.one_hot(torch.arange(samples) % count, count).double() if count else None


def twice(loss: Tensor, at: Tensor, parameters: list[Tensor]) -> list[Tensor]:
    """The gradient of the loss in the parameters, and that of the squared norm of its gradient in `at`."""
    (slope,) = torch.autograd.grad(loss, at, create_graph=True)
    how: dict[str, Any] = {"allow_unused": True, "materialize_grads": True}
    first = torch.autograd.grad(loss, parameters, retain_graph=True, **how)
    return [slope.detach(), *first, *torch.autograd.grad(slope.square().sum(), parameters, **how)]


def agree(ours: list[Tensor], theirs: list[Tensor]) -> None:
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(a, b, rtol=1e-6, atol=1e-9 * max(1.0, b.abs().max().item()))


@pytest.mark.parametrize("name", GENERATORS)
def test_generator_is_the_papers(name: str) -> None:
    kwargs = {"channel_base": 64, "channel_max": 6, **GENERATORS[name]}
    size, c_dim, colours = kwargs.pop("size", 16), kwargs.pop("c_dim", 0), kwargs.pop("img_channels", 3)
    g = shaken(StyleGAN2Generator(5, c_dim, 6, size, colours, {"num_layers": 2}, kwargs))
    state = {**dict(g.named_parameters()), **dict(g.named_buffers())}
    z, c = torch.randn(3, 5, dtype=torch.double), classes(c_dim, 3)
    w = g.mapping(z, c)
    assert torch.allclose(w[:, 0], plain.mapped(state, "mapping.", z, c), **EXACT)
    ws = (w + torch.randn_like(w)).detach().requires_grad_()  # a style of its own a layer
    parameters = [p for k, p in g.named_parameters() if k.startswith("synthesis")]
    for mode in ("const", "random"):
        torch.manual_seed(2)
        ours = g.synthesis(ws, noise_mode=mode)
        torch.manual_seed(2)
        theirs = plain.synthesised(state, ws, kwargs, size, mode)
        assert torch.allclose(ours, theirs, **EXACT)
    assert torch.allclose(g.synthesis(ws, noise_mode="none"), plain.synthesised(state, ws, kwargs, size, "none"), **EXACT)
    y = torch.randn_like(ours)
    agree(twice((ours * y).sum(), ws, parameters), twice((theirs * y).sum(), ws, parameters))


@pytest.mark.parametrize("name", CRITICS)
def test_critic_is_the_papers(name: str) -> None:
    kwargs = {"channel_base": 64, "channel_max": 6, **CRITICS[name]}
    size, c_dim, colours = kwargs.pop("size", 16), kwargs.pop("c_dim", 0), kwargs.pop("img_channels", 3)
    d = shaken(StyleGAN2Critic(c_dim, size, colours, **kwargs))
    state = {**dict(d.named_parameters()), **dict(d.named_buffers())}
    x, c = torch.randn(4, colours, size, size, dtype=torch.double, requires_grad=True), classes(c_dim, 4)
    ours, theirs = d(x, c), plain.judged(state, x, c, kwargs, size)
    assert ours.shape == (4, 1)
    assert torch.allclose(ours, theirs, **EXACT)
    y = torch.randn_like(ours)
    parameters = list(d.parameters())
    agree(twice((ours * y).sum(), x, parameters), twice((theirs * y).sum(), x, parameters))


def test_few_products_are_the_papers_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Winograd's route, which small networks do not take by themselves."""
    monkeypatch.setattr(tiled, "_WIDE", 1)
    monkeypatch.setattr(tiled, "_TILES", 1)
    test_generator_is_the_papers("as published")
    test_critic_is_the_papers("as published")


@pytest.mark.parametrize("size", [(4, 4), (8, 12)])
def test_convolutions_have_exact_derivatives(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(bilinear, "_WIDE", 1)
    x, w = torch.randn(2, 3, *size, dtype=torch.double), torch.randn(5, 3, 3, 3, dtype=torch.double)
    x, w, y = x.requires_grad_(), w.requires_grad_(), torch.randn(2, 5, *size, dtype=torch.double)

    def thrice(convolved: Callable[[Tensor, Tensor], Tensor]) -> list[Tensor]:
        z = convolved(x, w)
        both = z[..., : y.shape[2], : y.shape[3]] * y[..., : z.shape[2], : z.shape[3]]
        first = torch.autograd.grad(both.sum(), (x, w), create_graph=True)
        second = torch.autograd.grad(sum(g.pow(3).sum() for g in first), (x, w), create_graph=True)
        return [z, *first, *second, *torch.autograd.grad(sum(g.square().sum() for g in second), (x, w))]

    agree(thrice(tiled.correlated), thrice(lambda x, w: F.conv2d(x, w, padding=1)))
    agree(thrice(lambda x, w: convolution(x, w, 2, 1)), thrice(lambda x, w: F.conv2d(x, w, stride=2, padding=1)))
    agree(thrice(lambda x, w: convolution(x, w, 2)), thrice(lambda x, w: F.conv2d(x, w, stride=2)))
    up = [lambda x, w, f=f: f(x, w.transpose(0, 1), stride=2) for f in (transposed, F.conv_transpose2d)]
    agree(*map(thrice, up))


@pytest.mark.parametrize(("up", "kernel"), [(1, 3), (1, 1), (2, 3), (2, 1)])
def test_scaling_pixels_is_a_kernel_a_sample(up: int, kernel: int) -> None:
    torch.manual_seed(0)
    x, w, s = (torch.randn(*shape, dtype=torch.double) for shape in ((3, 5, 6, 6), (4, 5, kernel, kernel), (3, 5)))
    f = fir([1, 3, 3, 1])
    shift = torch.randn(4, dtype=torch.double)
    ours = modulated(x, w, s, f, up=up, gain=1.5, shift=shift)
    assert torch.allclose(ours, 1.5 * plain.modulated(x, w, s, f, up) + shift[:, None, None], **EXACT)


@pytest.mark.parametrize(
    ("up", "down", "padding"), [(1, 1, (2, -1, 0, 3)), (2, 1, (2, 1, 2, 1)), ((3, 2), 1, 4), (1, (2, 3), 3), (2, 3, 5)]
)
def test_filters_have_exact_derivatives(up: Any, down: Any, padding: Any) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 2, 8, 9, dtype=torch.double, requires_grad=True)
    for f in (fir([1, 3, 2]).double(), torch.rand(2, 5, dtype=torch.double), fir(torch.rand(8)).double()):

        def filtered(x: Tensor, f: Tensor = f) -> Tensor:
            return upfirdn2d(x, f, up, down, padding, flip_filter=True, gain=1.5)

        assert torch.autograd.gradcheck(filtered, (x,), fast_mode=True)
        assert torch.autograd.gradgradcheck(filtered, (x,), fast_mode=True)


def test_autocast_keeps_images_in_fp32_and_near() -> None:
    torch.manual_seed(0)
    how: dict[str, Any] = {"channel_base": 512, "channel_max": 32}
    g, d = StyleGAN2Generator(16, 0, 16, 16, 3, {"num_layers": 2}, how), StyleGAN2Critic(0, 16, 3, **how)
    z = torch.randn(4, 16)
    image = g(z, noise_mode="const")
    logits = d(image)
    with torch.autocast("cpu", torch.bfloat16):
        rough = g(z, noise_mode="const")
        judged = d(image)
    assert rough.dtype == judged.dtype == torch.float32
    assert (rough - image).norm() < 0.02 * image.norm()
    assert (judged - logits).abs().max() < 0.05 * max(1.0, logits.abs().max().item())


# ---------------------------------------------------------------- what is asked for wrongly
def test_mapping_moves_its_mean_when_it_should() -> None:
    torch.manual_seed(0)
    z = torch.randn(4, 3)
    ada, sg3 = (
        MappingNetwork(3, 0, 5, 2, 1, w_avg_beta=beta, always_averages=always) for beta, always in ((0.995, True), (0.998, False))
    )
    assert torch.allclose(ada(z)[:, 0].mean(0) * 0.005, ada.w_avg, atol=1e-7)
    before = ada.w_avg.clone()
    ada(z, update_emas=False), ada.eval()(z), sg3(z)
    assert torch.equal(ada.w_avg, before)
    assert not sg3.w_avg.any()
    w = sg3(z, update_emas=True)
    assert torch.allclose(w[:, 0].mean(0) * 0.002, sg3.w_avg, atol=1e-7)


def test_wrong_calls_are_told() -> None:
    how: dict[str, Any] = {"channel_base": 32, "channel_max": 4}
    g, d = StyleGAN2Generator(4, 3, 5, 8, 3, {"num_layers": 1}, how), StyleGAN2Critic(3, 8, 3, **how)
    z, x, c = torch.randn(6, 4), torch.randn(6, 3, 8, 8), classes(3, 6)
    wrong: list[tuple[str, Callable[[], Any]]] = [
        ("power of two", lambda: StyleGAN2Generator(4, 0, 4, 12, 3)),
        ("architecture", lambda: StyleGAN2Critic(0, 8, 3, architecture="unet")),
        ("activation", lambda: StyleGAN2Generator(4, 0, 4, 8, 3, {"activation": "gelu"})),
        ("one-hot classes", lambda: g(z)),
        ("latents z", lambda: g(z[:, :2], c)),
        ("noise_mode", lambda: g(z, c, noise_mode="loud")),
        ("this synthesis takes", lambda: g.synthesis(torch.randn(6, 2, 5))),
        ("this critic takes", lambda: d(x[:, :, :4], c)),
        ("groups of 4", lambda: d(x, c)),
        ("sum 0", lambda: fir([1, -1])),
    ]
    for words, call in wrong:
        with pytest.raises(InputError, match=words):
            call()


def test_path_length_of_a_linear_generator() -> None:
    """Of images A w the length is ||A^T y||; the penalty's gradient knows that this batch is in the mean."""
    torch.manual_seed(0)
    a = torch.randn(12, 5, dtype=torch.double, requires_grad=True)
    ws, y = torch.randn(2, 1, 5, dtype=torch.double, requires_grad=True), torch.randn(2, 3, 2, 2, dtype=torch.double)
    images = (ws[:, 0] @ a.t()).view(2, 3, 2, 2)
    lengths = path_lengths(images, ws, y)
    expected = (y.flatten(1) @ a / math.sqrt(4)).norm(dim=1)
    assert torch.allclose(lengths, expected)
    paths = PathLength().double()
    assert torch.allclose(paths(images, ws, y), (expected - 0.01 * expected.mean()).square().mean())
    assert paths.mean.item() == pytest.approx(0.01 * expected.mean().item())
