"""StyleGAN3: the reference's weights, outputs and gradients; other shapes against a slow plain formulation."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tightrope import recipes
from tightrope.core.errors import InputError
from tightrope.core.game import Batch, Knobs
from tightrope.core.styled import Styled
from tightrope.metrics.equivariance import rotation, translation
from tightrope.networks.layers.filtered import low_pass
from tightrope.networks.stylegan3 import FilteredLayer, StyleGAN3Generator
from tightrope.networks.stylegan3_plan import StyleGAN3Plan
from tightrope.training.engine import Engine
from tightrope.training.feed import Feed
from tightrope.training.game import Game
from toys import ToyDataset

R = {"conv_kernel": 1, "use_radial_filters": True}


def load(parity: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(parity / f"{name}.pt", weights_only=True)
    return found


def theirs(parity: Path, name: str = "sg3_t32") -> tuple[StyleGAN3Generator, dict[str, Any]]:
    vectors = load(parity, name)
    g = StyleGAN3Generator(**load(parity, "sg3_t32")["meta"]["G_kwargs"])
    g.load_state_dict(vectors["G"])
    return g.eval(), vectors


def small(seed: int = 0, **kwargs: Any) -> StyleGAN3Generator:
    """A small generator whose every parameter and buffer matters."""
    torch.manual_seed(seed)
    g = StyleGAN3Generator(8, 0, 6, **{"img_resolution": 16, "channel_base": 64, "channel_max": 5, "num_layers": 4, **kwargs})
    for name, value in g.named_parameters():
        if "bias" in name or "input.affine" in name:
            value.data += 0.2 * torch.randn_like(value)
    for module in g.modules():
        if isinstance(module, FilteredLayer):
            module.magnitude_ema.copy_(0.5 + torch.rand(()))
    return g.eval()


@pytest.mark.parity
def test_outputs(parity: Path) -> None:
    g, vectors = theirs(parity)
    z, c, out = vectors["inputs"]["z"], vectors["inputs"]["c"], vectors["outputs"]
    with torch.no_grad():
        found = {
            "ws": g.mapping(z, c),
            "ws_psi07_cut3": g.mapping(z, c, truncation_psi=0.7, truncation_cutoff=3),
            "img": g(z, c, noise_mode="const"),
            "input": g.synthesis.input(out["ws"][:, 0]),
        }
        g.synthesis.input.transform.copy_(out["transform"])
        found["img_transformed"] = g(z, c)
    for name, value in found.items():
        assert torch.allclose(value, out[name], atol=1e-5, rtol=1e-5), name
    assert g.synthesis.layer_names == vectors["meta"]["layer_names"]


@pytest.mark.parity
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-5), (torch.float32, 1e-4)], ids=["float64", "float32"])
def test_gradients(parity: Path, dtype: torch.dtype, tolerance: float) -> None:
    """In float32 a pixel of millions, before a rectifier and 2e-7 from 0, may have the other sign: alone it is worth 1e-4."""
    g, vectors = theirs(parity)
    g, z = g.to(dtype), vectors["inputs"]["z"].to(dtype).requires_grad_(True)
    image = g(z, vectors["inputs"]["c"])
    cotangent = torch.randn(image.shape, generator=torch.Generator().manual_seed(99)).to(dtype)
    found = torch.autograd.grad(image, [z, *g.parameters()], cotangent)
    expected = vectors["grads"]["input_grads"][0]
    assert (found[0] - expected).norm() < tolerance * expected.norm()
    norms = {name: value.norm().item() for (name, _), value in zip(g.named_parameters(), found[1:], strict=True)}
    assert norms == pytest.approx(vectors["grads"]["param_grad_norms"], rel=tolerance)


@pytest.mark.parity
def test_running_means_move_only_when_asked(parity: Path) -> None:
    g, vectors = theirs(parity)
    before = {name: value.clone() for name, value in g.state_dict().items()}
    with torch.no_grad():
        g.train()(vectors["inputs"]["z"], vectors["inputs"]["c"])
        assert all(torch.equal(value, before[name]) for name, value in g.state_dict().items())
        g(vectors["inputs"]["z"], vectors["inputs"]["c"], update_emas=True)
    for name, value in vectors["outputs"]["emas_after_update"].items():
        assert torch.allclose(g.state_dict()[name], value, rtol=1e-6), name
        assert not torch.equal(g.state_dict()[name], before[name]), name


@pytest.mark.parity
def test_filters_are_those_of_the_published_files(parity: Path) -> None:
    g, vectors = theirs(parity)
    for name, module in g.named_modules():
        if isinstance(module, FilteredLayer):
            layer = module.layer
            for side, taps, band in (("up", layer.up_taps, layer.up_band), ("down", layer.down_taps, layer.down_band)):
                found, expected = low_pass(taps, *band), vectors["G"].get(f"{name}.{side}_filter")
                assert (found is None) == (expected is None)
                assert found is None or torch.allclose(found, expected, atol=1e-7)
            assert layer.padding == list(vectors["meta"]["padding"][layer.name])
            assert [layer.up, layer.down, layer.up_taps, layer.down_taps] == list(vectors["meta"]["up"][layer.name])


@pytest.mark.parity
def test_weights_out_of_a_container(parity: Path) -> None:
    g, vectors = theirs(parity, "pkl_sg3_expected")
    with torch.no_grad():
        image = g(vectors["inputs"]["z"], vectors["inputs"]["c"])
    assert torch.allclose(image, vectors["outputs"]["img"], atol=1e-5, rtol=1e-5)


@pytest.mark.parity
def test_plans_of_the_published_sizes(parity: Path) -> None:
    for name, expected in load(parity, "sg3_primitives")["plans"].items():
        side, wide = int(name[1:].rstrip("u")), 2 if name[0] == "r" else 1
        base = 16384 if name.endswith("u") else 32768
        plan = StyleGAN3Plan.of(img_resolution=side, channel_base=wide * base, channel_max=wide * 512, **(R if wide == 2 else {}))
        assert [layer.name for layer in plan.layers()] == expected


def test_plans_fit_together() -> None:
    """Every layer gives the canvas that it says, whatever the numbers."""
    for kwargs in (
        {}, R, {"num_layers": 3, "num_critical": 1}, {"num_layers": 21}, {"margin_size": 3}, {"filter_size": 4},
        {"lrelu_upsampling": 4}, {"num_critical": 0, "num_layers": 5}, {"lrelu_upsampling": 1},
    ):  # fmt: skip
        for layer, before in zip(
            (plan := StyleGAN3Plan.of(img_resolution=64, **kwargs)).layers(), [plan.bands()[0], *plan.bands()], strict=False
        ):
            finer = (before.size + layer.kernel - 1) * layer.up + sum(layer.padding[:2]) - (layer.up_taps - 1)
            given = (finer - (layer.down_taps - 1) - 1) // layer.down + 1
            assert layer.name.split("_")[1] == str(given), (kwargs, layer.name)


# the same networks as their paper writes them: a weight a sample, zeros between pixels, one whole filter


def plain_fir(x: Tensor, taps: Tensor | None, up: int, down: int, padding: list[int]) -> Tensor:
    n, c, h, w = x.shape
    wide = x.new_zeros(n, c, h, up, w, up)
    wide[:, :, :, 0, :, 0] = x
    y = F.pad(wide.reshape(n, c, h * up, w * up), padding)
    if taps is not None:
        full = torch.outer(taps, taps) if taps.dim() == 1 else taps
        y = F.conv2d(y.flatten(0, 1)[:, None], full.flip(0, 1)[None, None]).unflatten(0, (n, c))[:, :, 0]
    return y[:, :, ::down, ::down]


def plain_layer(layer: FilteredLayer, x: Tensor, w: Tensor) -> Tensor:
    plan, weights = layer.layer, []
    styles = w @ layer.affine.weight.t() / math.sqrt(w.shape[1]) + layer.affine.bias
    for style in styles:
        weight = layer.weight * style[None, :, None, None]
        if plan.to_image:
            weight = weight / math.sqrt(plan.inputs * plan.kernel**2)
        else:
            weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-12).sqrt()
        weights.append(weight / layer.magnitude_ema.sqrt())
    grown = [F.conv2d(one[None], weight, padding=plan.kernel - 1) for one, weight in zip(x, weights, strict=True)]
    y = torch.cat(grown) + layer.bias[:, None, None]
    y = plain_fir(y, layer.up_filter, plan.up, 1, plan.padding) * plan.up**2
    y = y if plan.to_image else torch.where(y > 0, y, 0.2 * y) * math.sqrt(2)
    y = y if layer.clamp is None else y.clamp(-layer.clamp, layer.clamp)
    return plain_fir(y, layer.down_filter, 1, plan.down, [0, 0, 0, 0])


def plain(g: StyleGAN3Generator, ws: Tensor) -> Tensor:
    x = g.synthesis.input(ws[:, 0])
    for index, name in enumerate(g.synthesis.layer_names):
        x = plain_layer(g.synthesis.get_submodule(name), x, ws[:, index + 1])  # type: ignore[arg-type]
    return x * g.synthesis.output_scale


SHAPES: dict[str, dict[str, Any]] = {
    "t": {"margin_size": 10},
    "r": R,
    "fewer": {"num_layers": 2, "num_critical": 1},
    "more": {"num_layers": 7, "channel_max": 3},
    "margin": {"margin_size": 0, "img_channels": 1},
    "filters": {"filter_size": 4, "lrelu_upsampling": 4, "conv_clamp": None, "channel_max": 3, "num_layers": 3},
    "clamped": {"conv_clamp": 0.7, "output_scale": 0.5, "last_stopband_rel": 2**0.5, "first_cutoff": 1.7},
    "r-odd": {**R, "filter_size": 5, "num_critical": 0, "img_channels": 2},
}


@pytest.mark.parametrize("kwargs", SHAPES.values(), ids=SHAPES.keys())
def test_a_plain_formulation_agrees(kwargs: dict[str, Any]) -> None:
    g = small(**{"margin_size": 3, **kwargs}).double()
    ws = torch.randn(2, g.num_ws, 6, dtype=torch.float64, requires_grad=True)
    found, expected = g.synthesis(ws), plain(g, ws)
    assert found.shape == (2, g.img_channels, 16, 16) and found.std() > 0.01
    assert torch.allclose(found, expected, atol=1e-7, rtol=1e-6)
    learn = [ws, *g.synthesis.parameters()]
    cotangent = torch.randn_like(found)
    for a, b in zip(torch.autograd.grad(found, learn, cotangent), torch.autograd.grad(expected, learn, cotangent), strict=True):
        assert torch.allclose(a, b, atol=1e-6 * float(b.abs().max()) + 1e-9)


def test_classes_and_calls_as_published() -> None:
    torch.manual_seed(0)
    g = StyleGAN3Generator(
        8, 3, 6, 16, 3, {"num_layers": 3}, channel_base=128, channel_max=4, num_layers=4, num_fp16_res=2
    ).eval()
    assert isinstance(g, Styled) and (g.num_ws, g.img_resolution, g.img_channels) == (6, 16, 3)
    z, c = torch.randn(2, 8), torch.eye(3)[:2]
    with torch.no_grad():
        image = g(z, c, truncation_psi=0.5, truncation_cutoff=2, update_emas=False, noise_mode="random")
        ws = g.mapping(z, c, truncation_psi=0.5, truncation_cutoff=2)
        assert torch.equal(image, g.synthesis(ws, noise_mode="none"))
        assert not torch.allclose(g(z, c), g(z, c.flip(0)))


def test_samples_do_not_depend_on_each_other() -> None:
    g, z = small(), torch.randn(4, 8)
    with torch.no_grad():
        assert torch.allclose(g(z), torch.cat([g(one[None]) for one in z]), atol=1e-6)


def test_images_move_as_they_are_told() -> None:
    """What the architecture is for, with random weights."""

    def measured(kwargs: dict[str, Any]) -> tuple[float, float, float]:
        g = small(img_resolution=32, num_layers=6, channel_base=128, channel_max=8, last_stopband_rel=2**0.5, **kwargs)
        ws = g.mapping(torch.randn(2, 8))

        @torch.no_grad()
        def draw(to_source: Tensor) -> Tensor:
            g.synthesis.input.transform.copy_(to_source)
            return g.synthesis(ws)

        return translation(draw, moves=4), translation(draw, moves=4, fractional=True), rotation(draw, turns=4)

    t, r = measured({}), measured(R)
    assert min(t[:2]) > 60 and min(r) > 60
    assert t[2] < 35
    assert measured({"margin_size": 0})[0] < 40  # the borders of every layer's canvas stick to the pixels


def test_waves_that_the_grid_cannot_hold_fade_out() -> None:
    """Seen from further away, frequencies grow: by 3 some of them are beyond half the sampling rate, by 100 all are."""
    g, w = small(), torch.randn(1, 6)
    sizes = []
    for further in (1.0, 3.0, 100.0):
        g.synthesis.input.transform.copy_(torch.diag(torch.tensor([further, further, 1.0])))
        sizes.append(g.synthesis.input(w).std().item())
    assert sizes[0] > sizes[1] > sizes[2]
    assert sizes[2] < 1e-6 * sizes[0]


def played(**fields: Any) -> tuple[Any, Game, Batch]:
    """A toy game, and a batch for it."""
    recipe = recipes.find("stylegan3")(**recipes.header("stylegan3").resolve("toy", fields))
    data = ToyDataset((3, 16, 16))
    engine = Engine("cpu")
    game = Game(recipe, data.spec, engine, 0)
    return recipe, game, Feed(recipe, data, engine, 0).draw(0, 0)


def test_running_means_move_in_the_phase_of_d_alone() -> None:
    recipe, game, batch = played()
    kept = [dict(game.nets["G"].named_buffers())["mapping.w_avg"], game.nets["G"].synthesis.L1_24_4.magnitude_ema]  # type: ignore[union-attr]
    moved = []
    for terms in (recipe.d_terms, recipe.g_terms, recipe.r1_terms):
        before = [value.clone() for value in kept]
        terms(game.nets, batch, Knobs())
        moved.append([not torch.equal(a, b) for a, b in zip(before, kept, strict=True)])
    assert moved == [[True, True], [False, False], [False, False]]


def test_what_d_sees_is_blurred_at_first() -> None:
    recipe, game, batch = played(blur=3.0)
    seen: list[Tensor] = []
    game.nets["D"].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    for round in (0, 3_000, 6_250):
        recipe.d_terms(game.nets, dataclasses.replace(batch, round=round), Knobs())
    rough = [(x[:, :, 1:] - x[:, :, :-1]).std().item() for x in seen[::2]]  # of reals
    assert rough[0] < rough[1] < rough[2]
    assert torch.equal(seen[4], batch.real)


def test_bad_input_is_refused() -> None:
    refused = {"conv_kernels": {"conv_kernels": 1}, "num_layers": {"num_layers": 2}, "24 px": {"img_resolution": 24}}
    for word, kwargs in refused.items():
        with pytest.raises(InputError, match=word):
            small(**kwargs)
    g = small()
    with pytest.raises(InputError, match="styles"):
        g.synthesis(torch.zeros(2, 3, 6))
