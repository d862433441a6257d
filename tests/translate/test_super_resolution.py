"""Super-resolution: its networks, aligned squares, and a run for exactness from which one with a critic starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

import tightrope
from tightrope import recipes, translate
from tightrope.api import Options, Run
from tightrope.cli.main import main
from tightrope.core.errors import InputError
from tightrope.core.game import Batch, Knobs
from tightrope.core.spec import DataSpec
from tightrope.networks.srresnet import LightSR, SRResNet, VGGCritic, enlargement
from tightrope.training import probe
from toys import drawings, write_images

QUIET: dict[str, Any] = {"judge": 0, "precision": "fp32", "watch": False, "care": False, "tick": 16, "guard": "off"}


def spec(given: tuple[int, ...] = (3, 8, 8), shape: tuple[int, ...] = (3, 32, 32)) -> DataSpec:
    return DataSpec(modality="pairs", shape=shape, given=given, count=9)


def cubic(x: Tensor, scale: int) -> Tensor:
    return F.interpolate(x, scale_factor=scale, mode="bicubic", align_corners=False)


def built(name: str, **fields: Any) -> Any:
    return recipes.find(name)(**recipes.header(name).resolve("toy", fields))


# ---------------------------------------------------------------- networks
@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_generators_enlarge_by_any_whole_number(scale: int) -> None:
    x = torch.rand(2, 3, 5, 7) * 2 - 1
    for net in (LightSR(3, scale=scale, width=4, blocks=1), SRResNet(3, scale=scale, width=4, blocks=1)):
        assert net(x).shape == (2, 3, 5 * scale, 7 * scale)


def test_the_papers_generator_has_its_size() -> None:
    """Two 9x9 convolutions, 33 of 3x3 in the trunk with batch normalisation, two of four times the channels, 19 PReLUs."""
    with torch.device("meta"):
        net = SRResNet(3, scale=4)
    wide, deep, ups = 3 * 64 * 81 + 64 + 64 * 3 * 81 + 3, 33 * (64 * 64 * 9 + 64 + 128), 2 * (64 * 256 * 9 + 256)
    assert sum(p.numel() for p in net.parameters()) == wide + deep + ups + 19


def test_a_fresh_light_network_nearly_interpolates() -> None:
    torch.manual_seed(0)
    x = torch.rand(2, 3, 12, 12) * 2 - 1
    with torch.no_grad():
        added = LightSR(3, scale=4, width=16, blocks=4)(x) - cubic(x, 4)
    assert 0 < added.abs().mean() < 0.02


def test_the_critic_sees_all_of_a_square_and_hands_out_what_it_saw() -> None:
    torch.manual_seed(0)
    critic, x = VGGCritic(3, size=40, width=4).eval(), torch.rand(2, 3, 40, 40)
    found = critic.features(x)
    assert [tuple(each.shape[1:]) for each in found[:2]] == [(4, 40, 40), (4, 20, 20)]
    assert tuple(found[7].shape[1:]) == (32, 3, 3)
    assert torch.equal(found[-1], critic(x)) and found[-1].shape == (2,)
    x.requires_grad_(True)
    critic(x).sum().backward()
    assert x.grad is not None and (x.grad.abs().sum((1, 2, 3)) > 0).all()


@pytest.mark.parametrize(("given", "shape"), [((1, 8, 8), (3, 32, 32)), ((3, 12, 12), (3, 32, 32)), ((3, 32, 32), (3, 8, 8))])
@pytest.mark.parametrize("name", ["srgan", "esrgan"])
def test_pairs_of_other_channels_or_no_whole_factor_are_refused(name: str, given: Any, shape: Any) -> None:
    with pytest.raises(InputError, match=f"{name} makes the same picture a whole number of times larger"):
        built(name).networks(spec(given, shape))
    assert enlargement(spec(), name) == 4


# ---------------------------------------------------------------- the recipes
@pytest.mark.parametrize("name", ["srgan", "esrgan"])
def test_squares_and_turns_keep_pairs_together(name: str) -> None:
    real = torch.rand(6, 3, 32, 32)
    large, small = built(name, crop=16).views(real, F.avg_pool2d(real, 4), torch.Generator().manual_seed(0))
    assert large.shape == (6, 3, 16, 16)
    assert torch.allclose(F.avg_pool2d(large, 4), small)
    assert not torch.allclose(large, real[:, :, :16, :16])
    whole, _ = built(name, crop=96, turn=False).views(real, F.avg_pool2d(real, 4), torch.Generator().manual_seed(0))
    assert torch.equal(whole, real)


@pytest.mark.parametrize("name", ["srgan", "esrgan"])
def test_without_the_adversarial_loss_g_is_alone(name: str) -> None:
    recipe = built(name, adversarial=0.0)
    nets = recipe.networks(spec())
    assert set(nets) == set(recipe.optimizers()) == {"G"}
    assert [(phase.name, phase.clock) for phase in recipe.phases()] == [("G", True)]
    batch = Batch(torch.rand(2, 3, 32, 32), torch.rand(2, 3, 8, 8), None, 0)
    terms = recipe.g_terms(nets, batch, Knobs())
    assert set(terms) == {"content"}
    assert torch.allclose(terms["content"], F.l1_loss(recipe.sample(nets, batch.given), batch.real))


@pytest.mark.parametrize(("name", "fields"), [("srgan", {"matching": 1.0}), ("esrgan", {}), ("esrgan", {"critic": "vgg"})])
def test_g_is_pulled_by_every_term_and_d_not_by_gs(name: str, fields: dict[str, Any]) -> None:
    torch.manual_seed(0)
    recipe = built(name, **fields)
    nets = {player: net.train() for player, net in recipe.networks(spec()).items()}
    batch = Batch(torch.rand(4, 3, 8, 8), torch.rand(4, 3, 2, 2), None, 0)
    recipe.d_terms(nets, batch, Knobs())
    for player in nets:
        nets[player].requires_grad_(player == "G")
    for term, value in recipe.g_terms(nets, batch, Knobs()).items():
        weight: Any = next(nets["G"].parameters())
        assert torch.autograd.grad(value, weight, retain_graph=True)[0].abs().sum() > 0, term


# ---------------------------------------------------------------- runs
@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("super-resolution")
    write_images(folder / "pictures", np.stack([drawings(60, seed, 32) for seed in (0, 1, 2)], -1))
    return folder


def train(place: Path, name: str, recipe: str, **given: Any) -> Run:
    options = Options(**QUIET, start=given.pop("start", None))
    data = f"down4:{place / 'pictures'}"
    return tightrope.train(recipe, data, preset="toy", run=place / name, seen=64, options=options, **given)


@pytest.fixture(scope="module", params=["srgan", "esrgan"])
def runs(request: pytest.FixtureRequest, place: Path) -> tuple[Run, Run]:
    """One for exactness, and one with a critic that starts from it."""
    patience, probe.PATIENCE = probe.PATIENCE, 0.0
    try:
        exact = train(place, f"{request.param}-exact", request.param, adversarial=0.0)
        return exact, train(place, f"{request.param}-gan", request.param, start=exact.path)
    finally:
        probe.PATIENCE = patience


def weights(network: translate.Translator) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in network.net.state_dict().items()}


def test_the_game_starts_from_the_exact_run_with_a_fresh_critic(runs: tuple[Run, Run]) -> None:
    start = runs[1].record["start"]["players"]
    assert start["G"]["share"] == 1.0 and not start["G"]["fresh"]
    assert start["D"]["taken"] == 0


def test_pictures_of_any_size_become_larger_and_weights_mix(runs: tuple[Run, Run]) -> None:
    exact, gan = (translate.opened(run.path) for run in runs)
    pixels = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)
    assert translate.array(exact, pixels).shape == (36, 52, 3)
    assert translate.array(exact, pixels[..., :1]).shape == (36, 52, 1)  # a grey one stays grey
    one, other = weights(exact), weights(gan)
    assert any(not torch.equal(one[key], other[key]) for key in one)
    mixed = weights(translate.between(exact, gan, 0.25))
    assert all(torch.allclose(mixed[key], torch.lerp(one[key], other[key], 0.25)) for key in one if one[key].is_floating_point())


def test_windows_are_as_far_apart_as_the_networks_look(runs: tuple[Run, Run]) -> None:
    """Nothing beyond `reach` changes a pixel."""
    network = translate.opened(runs[1].path)
    net: nn.Module = network.net
    x = torch.rand(1, 3, 1, 4 * network.reach + 3).expand(-1, -1, 5, -1).clone()
    changed = x.clone()
    changed[..., 0] += 1
    with torch.no_grad():
        differs = (net(x) != net(changed)).any(0).any(0).any(0).nonzero().max().item() // 4
    assert 0 < differs <= network.reach


def test_the_command_line_enlarges_towards_the_other_run(runs: tuple[Run, Run], place: Path, capsys: Any) -> None:
    exact, gan = (str(run.path) for run in runs)
    given, out = place / "given.png", place / f"{runs[0].path.name}.png"
    Image.fromarray(drawings(1, 5)[0]).convert("RGB").save(given)
    code = main(["translate", exact, str(given), "--towards", gan, "--strength", "0.5", "--out", str(out), "--json"])
    assert code == 0
    json.loads(capsys.readouterr().out)
    with Image.open(out) as image:
        assert image.size == (64, 64)
