"""The perceptrons and DCGAN's networks with labels, packs, other normalisations and heads; the fields of `gan` that shape its game."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tightrope.core.errors import InputError
from tightrope.core.game import Batch, Knobs
from tightrope.core.hyper import fields
from tightrope.networks.dcgan import DCGANCritic, DCGANGenerator
from tightrope.networks.layers.normalisation import LayerNorm2d
from tightrope.networks.mlp import LabelledMLPCritic, LabelledMLPGenerator, MLPCritic, MLPGenerator
from tightrope.networks.shapes import packed
from tightrope.objectives import ALL
from tightrope.objectives.shaping import pack
from tightrope.recipes.gan import GAN
from tightrope.recipes.infogan import InfoGAN
from toys import ToyDataset, normal

LABELS = torch.tensor([2, 0, 1])
SIZES: dict[str, Any] = {"channels": 1, "size": 16, "width": 4}


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def test_a_label_beside_the_latent_is_three_numbers_more() -> None:
    torch.manual_seed(0)
    g = DCGANGenerator(5, classes=3, **SIZES).eval()
    z, shares = normal(3, 5, 1), torch.eye(3)[LABELS]
    assert torch.equal(g(z, LABELS), g(torch.cat([z, shares], 1)))
    assert torch.equal(g(z, LABELS), g(z, shares))


def test_a_label_beside_the_image_is_one_constant_plane_a_class() -> None:
    torch.manual_seed(0)
    d = DCGANCritic(classes=3, **SIZES).eval()
    x = normal(3, 256, 1).view(3, 1, 16, 16)
    planes = torch.eye(3)[LABELS][:, :, None, None].expand(3, 3, 16, 16)
    assert torch.equal(d(x, LABELS), d(torch.cat([x, planes], 1)))
    assert d(x, LABELS).shape == (3,)


def test_the_published_perceptrons_for_mnist() -> None:
    """Mirza & Osindero 2014, section 4.1: G 200 + 1,000, 1,200, 784; D 240 x 5 and 50 x 5, 240 x 4, 1."""
    g = LabelledMLPGenerator(100, 10, (1, 28, 28), width=1200)
    assert count(g) == 101 * 200 + 11 * 1000 + 1201 * 1200 + 1201 * 784
    d = LabelledMLPCritic((1, 28, 28), 10, width=240)
    joint = (240 + 48 + 1) * 240 * 4  # a fifth of 240 is 48, the paper's 50
    assert count(d) == 785 * 240 * 5 + 11 * 48 * 5 + joint + 241


def test_features_are_the_input_of_the_last_layer() -> None:
    torch.manual_seed(0)
    d = DCGANCritic(outputs=4, norm=False, **SIZES)
    x = normal(3, 256, 1).view(3, 1, 16, 16)
    logits, features = d(x, features=True)
    assert torch.equal(logits, d(x))
    assert features.shape == (3, d.features)
    last = d.main[-1]
    assert torch.allclose(features @ last.weight.flatten(1).T + last.bias, logits, atol=1e-6)


def test_another_normalisation_and_another_head() -> None:
    d = DCGANCritic(norm=LayerNorm2d, head=lambda n: nn.Sequential(nn.Flatten(), nn.Linear(n, 1)), **SIZES)
    assert sum(isinstance(m, LayerNorm2d) for m in d.modules()) == 1
    assert not any(isinstance(m, nn.BatchNorm2d) for m in d.modules())
    assert d(torch.zeros(2, 1, 16, 16)).shape == (2,)


def test_pacgan_networks() -> None:
    """G 2-400-400-400-400-2 with batch normalisation, D 2m-200-200-200-1 with maxout of 5; weights of deviation 0.02."""
    recipe = GAN(pack=3, width=400, depth=4, norm=True, d_width=200, d_depth=3, init=0.02, z=2, batch=300)
    nets = recipe.networks(ToyDataset((2,)).spec)
    assert count(nets["G"]) == 2 * 400 + 3 * 400 * 400 + 4 * 800 + 401 * 2
    assert count(nets["D"]) == 7 * 1000 + 2 * 201 * 1000 + 201
    linear = [m for net in nets.values() for m in net.modules() if isinstance(m, nn.Linear) and m.weight.numel() > 1000]
    assert all(m.weight.std().item() == pytest.approx(0.02, rel=0.05) for m in linear)
    assert nets["D"](pack(normal(6, 2, 1), 3)).shape == (2,)


def test_a_pack_that_does_not_divide_the_batch_is_refused() -> None:
    assert packed((3, 8, 8), 2, 4) == (6, 8, 8)
    with pytest.raises(InputError, match="--pack 3"):
        GAN(pack=3, batch=64).networks(ToyDataset((2,)).spec)


def test_the_plain_game_knows_every_adversarial_loss() -> None:
    assert fields(GAN)["objective"].choices == tuple(ALL)


def g_gradient(recipe: GAN, nets: dict[str, nn.Module], batch: Batch) -> list[Tensor]:
    loss = recipe.g_terms(nets, batch, Knobs()).total
    return list(torch.autograd.grad(loss, list(nets["G"].parameters())))


def test_unrolling_shows_g_another_critic_and_leaves_d_as_it_was() -> None:
    torch.manual_seed(0)
    nets: dict[str, nn.Module] = {"G": MLPGenerator(2, (2,), width=8, depth=2), "D": MLPCritic((2,), width=8, depth=2)}
    batch = Batch(normal(6, 2, 1), normal(6, 2, 2), None, 0)
    before = [p.clone() for p in nets["D"].parameters()]
    plain, none, ahead = (g_gradient(GAN(unroll=n, unroll_lr=lr), nets, batch) for n, lr in ((0, 0.1), (3, 1e-7), (3, 0.5)))
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(plain, none, strict=True))
    assert not all(torch.allclose(a, b, atol=1e-5) for a, b in zip(plain, ahead, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(before, nets["D"].parameters(), strict=True))


def test_top_k_learns_from_the_best_alone() -> None:
    torch.manual_seed(0)
    nets: dict[str, nn.Module] = {"G": MLPGenerator(2, (2,), width=8, depth=2), "D": MLPCritic((2,), width=8, depth=2)}
    batch = Batch(normal(6, 2, 1), normal(6, 2, 2), None, 0)
    best = nets["D"](nets["G"](batch.z)).topk(3).indices
    some = g_gradient(GAN(top_k=0.5), nets, batch)
    alone = g_gradient(GAN(), nets, Batch(batch.real, batch.z[best], None, 0))
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(some, alone, strict=True))


def test_infogan_latents_are_noise_a_code_and_places() -> None:
    recipe = InfoGAN(codes=4, continuous=2, z=3)
    z = recipe.latents(500, torch.Generator().manual_seed(0))
    noise, code, place = z.split([3, 4, 2], 1)
    assert torch.equal(code.sum(1), torch.ones(500))
    assert (code.mean(0) - 0.25).abs().max() < 0.06
    assert noise.abs().max() <= 1
    assert place.abs().max() <= 1
    assert abs(place.std().item() - 3**-0.5) < 0.03


def test_infogan_samples_with_the_code_asked_for() -> None:
    recipe = InfoGAN(codes=4, continuous=2, z=3)
    z = recipe.latents(2, torch.Generator().manual_seed(0))
    nets = {"G": nn.Identity()}
    asked = recipe.sample(nets, z, torch.tensor([3, 1]))
    assert torch.equal(asked[:, 3:7], torch.eye(4)[[3, 1]])
    assert torch.equal(asked[:, :3], z[:, :3])
    assert torch.equal(asked[:, 7:], z[:, 7:])
