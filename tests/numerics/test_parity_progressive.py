"""Progressive growing: the reference implementations' weights, the authors' layers evaluated apart, and what a stage is."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tightrope import recipes
from tightrope.core.errors import InputError
from tightrope.networks.layers.equalised import (
    EqualisedConv2d,
    EqualisedDoubling,
    EqualisedHalving,
    EqualisedLinear,
    EqualisedSquare,
)
from tightrope.networks.progressive import (
    AKANIMAX,
    ProgressiveCritic,
    ProgressiveGenerator,
    at_stage,
    enlarged,
    from_tensorflow,
    full_size,
    parted,
)
from tightrope.objectives import wasserstein
from tightrope.penalties import interpolated

TOLERANCE = {"atol": 1e-4, "rtol": 1e-4}


# ---------------------------------------------------------------- the PyTorch version
@pytest.fixture(scope="module")
def vectors(parity: Path) -> dict[str, Any]:
    return torch.load(parity / "progan_akanimax.pt", weights_only=True)


def reference(vectors: dict[str, Any]) -> tuple[ProgressiveGenerator, ProgressiveCritic]:
    widths = [16, 16, 8, 4]
    g = ProgressiveGenerator(8, 3, widths=widths, layout=AKANIMAX)
    d = ProgressiveCritic(3, widths=widths, features=8, layout=AKANIMAX)
    g.load_state_dict({**vectors["G"], "stage": torch.tensor(3.0)})
    d.load_state_dict(vectors["D"])
    return g, d


def stage_of(depth: int, alpha: float) -> float:
    """Theirs: depth 2 is 4 px, and alpha the share of the newest resolution."""
    return 0.0 if depth == 2 else depth - 3 + alpha


@pytest.mark.parity
def test_images_and_scores_at_several_depths_and_fades(vectors: dict[str, Any]) -> None:
    g, d = reference(vectors)
    with torch.no_grad():
        for name, expected in vectors["outputs"].items():
            if not name.startswith("img|"):
                continue
            depth, alpha = int(name.split("|")[1]), float(name.split("|")[2])
            stage, size = stage_of(depth, alpha), 2**depth
            assert torch.allclose(enlarged(g(vectors["inputs"]["z"], stage), size), expected, **TOLERANCE), name
            x = torch.randn(8, 3, size, size, generator=torch.Generator().manual_seed(depth))
            shown = F.avg_pool2d(x, 2) if depth > 2 and alpha == 0 else x  # a fade of 0 is the resolution below
            assert torch.allclose(d(shown, stage), vectors["outputs"][name.replace("img", "score")], **TOLERANCE), name


@pytest.mark.parity
def test_scores_for_classes(vectors: dict[str, Any]) -> None:
    d = ProgressiveCritic(3, widths=[16, 16, 8], features=8, layout=AKANIMAX, classes=3)
    d.load_state_dict(vectors["Dc"])
    x, labels, expected = vectors["inputs"]["xr"], torch.arange(8) % 3, vectors["outputs"]["cond_score"]
    with torch.no_grad():
        assert torch.allclose(d(x, 1.7, labels), expected, **TOLERANCE)
        assert torch.allclose(d(x, 1.7, F.one_hot(labels, 3).float()), expected, **TOLERANCE)


@pytest.mark.parity
def test_loss_of_the_critic(vectors: dict[str, Any]) -> None:
    """With its gradient penalty of weight 10 and a drift of 0.001, in the middle of the last fade."""
    g, d = reference(vectors)
    real = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    fake = g(vectors["inputs"]["z"], 2.5).detach()
    alpha = torch.rand(8, 1, 1, 1, generator=torch.Generator().manual_seed(6)).flatten()
    on_real = d(real, 2.5)
    penalty = interpolated(lambda x: d(x, 2.5), fake, real, alpha=1 - alpha)
    loss = wasserstein.d(on_real, d(fake, 2.5)) + 10 * penalty.mean() + 1e-3 * on_real.square().mean()
    assert loss.item() == pytest.approx(vectors["outputs"]["wgangp_dis_loss_seed6"].item(), abs=1e-4)


# ---------------------------------------------------------------- the authors' version
WIDTHS = [6, 5, 4]  # at 4, 8 and 16 px


def variables(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(5)
    return {
        name: torch.randn(shape, generator=generator, dtype=torch.double) * (0.3 if "bias" in name else 1)
        for name, shape in shapes.items()
    }


def with_biases(kernels: dict[str, tuple[int, ...]], transposed: str = "_up") -> dict[str, tuple[int, ...]]:
    def outputs(name: str, shape: tuple[int, ...]) -> int:
        if name == "4x4/Dense":
            return shape[-1] // 16
        return shape[-2] if name.endswith(transposed) else shape[-1]

    shapes = {f"{name}/weight": shape for name, shape in kernels.items()}
    return shapes | {f"{name}/bias": (outputs(name, shape),) for name, shape in kernels.items()} | {"lod": ()}


def their_conv(v: dict[str, Tensor], name: str, x: Tensor, gain: float) -> Tensor:
    """TensorFlow's layer on (h, w, in, out) kernels: plain, fused with doubling, or fused with halving."""
    w = v[f"{name}/weight"]
    inputs = w.shape[3] if name.endswith("_up") else w.shape[2]
    w = w * gain / math.sqrt(w.shape[0] * w.shape[1] * inputs)
    if name.endswith(("_up", "_down")):
        w = F.pad(w, (0, 0, 0, 0, 1, 1, 1, 1))
        w = w[1:, 1:] + w[:-1, 1:] + w[1:, :-1] + w[:-1, :-1]
        if name.endswith("_up"):
            y = F.conv_transpose2d(x, w.permute(3, 2, 0, 1), stride=2, padding=1)
        else:
            y = F.conv2d(x, w.permute(3, 2, 0, 1) / 4, stride=2, padding=1)
    else:
        y = F.conv2d(x, w.permute(3, 2, 0, 1), padding=w.shape[0] // 2)
    return y + v[f"{name}/bias"][:, None, None]


def act(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x)


def norm(x: Tensor) -> Tensor:
    return x / (x.pow(2).mean(1, keepdim=True) + 1e-8).sqrt()


def their_generator(v: dict[str, Tensor], z: Tensor) -> list[Tensor]:
    """Images of each resolution."""
    root = math.sqrt(2)
    dense = norm(z) @ (v["4x4/Dense/weight"] * root / 4 / math.sqrt(z.shape[1]))
    x = norm(act(dense.view(len(z), -1, 4, 4) + v["4x4/Dense/bias"][:, None, None]))
    x = norm(act(their_conv(v, "4x4/Conv", x, root)))
    images = [their_conv(v, "ToRGB_lod2", x, 1)]
    for place, lod in (("8x8", 1), ("16x16", 0)):
        x = norm(act(their_conv(v, f"{place}/Conv0_up", x, root)))
        x = norm(act(their_conv(v, f"{place}/Conv1", x, root)))
        images.append(their_conv(v, f"ToRGB_lod{lod}", x, 1))
    return images


def their_critic(v: dict[str, Tensor], x: Tensor) -> Tensor:
    root, n = math.sqrt(2), len(x)
    x = act(their_conv(v, "FromRGB_lod0", x, root))
    for place in ("16x16", "8x8"):
        x = act(their_conv(v, f"{place}/Conv0", x, root))
        x = act(their_conv(v, f"{place}/Conv1_down", x, root))
    groups = x.reshape(4, n // 4, *x.shape[1:])
    spread = ((groups - groups.mean(0)).square().mean(0) + 1e-8).sqrt().mean((1, 2, 3)).repeat(4)
    x = torch.cat([x, spread.view(n, 1, 1, 1).expand(n, 1, 4, 4)], 1)
    x = act(their_conv(v, "4x4/Conv", x, root))
    w0, w1 = v["4x4/Dense0/weight"], v["4x4/Dense1/weight"]
    x = act(x.flatten(1) @ (w0 * root / math.sqrt(len(w0))) + v["4x4/Dense0/bias"])
    return (x @ (w1 / math.sqrt(len(w1))) + v["4x4/Dense1/bias"])[:, 0]


def test_the_authors_generator_loads_and_agrees() -> None:
    a, b, c = WIDTHS
    v = variables(with_biases({
        "4x4/Dense": (7, 16 * a), "4x4/Conv": (3, 3, a, a), "8x8/Conv0_up": (3, 3, b, a), "8x8/Conv1": (3, 3, b, b),
        "16x16/Conv0_up": (3, 3, c, b), "16x16/Conv1": (3, 3, c, c),
        "ToRGB_lod2": (1, 1, a, 3), "ToRGB_lod1": (1, 1, b, 3), "ToRGB_lod0": (1, 1, c, 3),
    }))  # fmt: skip
    g = ProgressiveGenerator(7, 3, widths=WIDTHS).double()
    g.load_state_dict(from_tensorflow(v))
    z = torch.randn(4, 7, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    images = their_generator(v, z)
    with torch.no_grad():
        assert torch.allclose(g(z), images[2], atol=1e-9)  # it stands where theirs ends
        for stage, image in enumerate(images):
            assert torch.allclose(g(z, stage), image, atol=1e-9)
        faded = 0.75 * images[1].repeat_interleave(2, 2).repeat_interleave(2, 3) + 0.25 * images[2]
        assert torch.allclose(g(z, 1.25), faded, atol=1e-9)


def test_the_authors_critic_loads_and_agrees() -> None:
    a, b, c = WIDTHS
    kernels = {
        "FromRGB_lod0": (1, 1, 3, c), "FromRGB_lod1": (1, 1, 3, b), "FromRGB_lod2": (1, 1, 3, a),
        "16x16/Conv0": (3, 3, c, c), "16x16/Conv1_down": (3, 3, c, b), "8x8/Conv0": (3, 3, b, b), "8x8/Conv1_down": (3, 3, b, a),
        "4x4/Conv": (3, 3, a + 1, a), "4x4/Dense0": (16 * a, 8), "4x4/Dense1": (8, 1),
    }  # fmt: skip
    v = variables(with_biases(kernels))
    d = ProgressiveCritic(3, widths=WIDTHS, features=8).double()
    d.load_state_dict(from_tensorflow(v))
    x = torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    with torch.no_grad():
        assert torch.allclose(d(x, 2.0), their_critic(v, x), atol=1e-9)
    with pytest.raises(InputError, match="classes"):
        from_tensorflow(variables(with_biases({**kernels, "4x4/Dense1": (8, 11)})))


# ---------------------------------------------------------------- stages and layers
def test_a_stage_is_a_resolution_and_the_share_of_the_next() -> None:
    assert parted(0.0, 3) == (0, 0.0)
    assert parted(2.25, 3) == (2, 0.25)
    assert parted(3.0, 3) == (3, 0.0)
    assert parted(7.5, 3) == (3, 0.0)
    assert parted(-1.0, 3) == (0, 0.0)


def test_real_images_are_averaged_and_faded_as_generated_ones_are() -> None:
    x = torch.randn(2, 3, 16, 16, dtype=torch.double)
    boxes = [x.view(2, 3, k, 16 // k, k, 16 // k).mean((3, 5)) for k in (4, 8, 16)]
    for stage, box in enumerate(boxes):
        assert torch.allclose(at_stage(x, stage), box)
    assert at_stage(x, 5.0) is x
    assert torch.allclose(at_stage(x, 0.3), 0.7 * torch.kron(boxes[0], torch.ones(2, 2).double()) + 0.3 * boxes[1])


def test_samples_have_the_full_size_at_every_stage_and_the_stage_is_kept() -> None:
    g = ProgressiveGenerator(4, 1, widths=[4, 4, 4])
    z = torch.randn(2, 4)
    for stage, repeats in ((0.0, 4), (0.5, 2), (1.0, 2), (1.5, 1), (2.0, 1)):
        image = g(z, stage)
        other = ProgressiveGenerator(4, 1, widths=[4, 4, 4])
        other.load_state_dict(g.state_dict())
        assert torch.equal(full_size(other, z), image.repeat_interleave(repeats, 2).repeat_interleave(repeats, 3))


def test_the_critic_of_a_fade_goes_from_one_resolution_to_the_next() -> None:
    d = ProgressiveCritic(1, widths=[4, 4, 4])
    x = torch.randn(4, 1, 16, 16)
    assert torch.allclose(d(x, 1 + 1e-6), d(F.avg_pool2d(x, 2), 1.0), atol=1e-4)
    assert torch.allclose(d(x, 2 - 1e-6), d(x, 2.0), atol=1e-4)


def test_schedule_goes_through_all_stages() -> None:
    Progressive = recipes.find("progressive")
    shares = Progressive(fade=0.1, hold=0.1)
    stages = [shares.schedule(0, p).stage for p in (0.0, 0.1, 0.15, 0.2, 0.3, 0.35, 0.5, 0.59, 0.6, 0.7)]
    assert stages == pytest.approx([0, 0, 0.5, 1, 1, 1.5, 2, 2.9, 3, 3])
    images = Progressive(images=600_000)
    assert [images.schedule(s, 0.5).stage for s in (0, 600_000, 900_000, 1_500_000, 2_100_000)] == [0, 0, 0.5, 1, 1.5]


def test_equalised_layers_keep_the_scale_of_what_they_are_given() -> None:
    """Weights are standard normal; outputs have the variance gain squared."""
    torch.manual_seed(0)
    x = torch.randn(64, 256)
    for layer, given in (
        (EqualisedLinear(256, 256), x),
        (EqualisedLinear(256, 256, rate=0.01), x),
        (EqualisedConv2d(256, 64, 1), x[:, :, None, None]),
        (EqualisedSquare(256, 64, 2), x),
    ):
        assert layer.weight.std().item() * getattr(layer, "rate", 1.0) == pytest.approx(1, rel=0.05)
        assert layer(given).var().item() == pytest.approx(2, rel=0.1)
    square = EqualisedSquare(5, 3)
    torch.nn.init.normal_(square.bias)
    z = torch.randn(2, 5)
    expected = F.conv_transpose2d(z[:, :, None, None], square.weight * square.scale, square.bias)
    assert torch.allclose(square(z), expected, atol=1e-6)


def test_fused_layers_are_a_resampling_and_a_convolution() -> None:
    up, down = EqualisedDoubling(3, 5, 3).double(), EqualisedHalving(3, 5, 3).double()
    x = torch.randn(1, 3, 4, 4, dtype=torch.double, requires_grad=True)
    doubled = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.allclose(up(x), F.conv2d(doubled, up.weight * up.scale, up.bias, padding=1), atol=1e-12)
    assert torch.allclose(down(x), F.avg_pool2d(F.conv2d(x, down.weight * down.scale, down.bias, padding=1), 2), atol=1e-12)
    for layer in (up, down):
        assert torch.autograd.gradgradcheck(layer, (x,))
