"""What is read at a tick beside terms and samples: measured steps, spectra, a critic that knows its data by heart."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rounds import IMAGES, POINTS, SMALL, built, differing, rounds, state
from tightrope.core.game import Adam, Knobs
from tightrope.core.rules import SGD, ExtraAdam, Lookahead
from tightrope.data.part import Part
from tightrope.recipes.cgan import CGAN
from tightrope.recipes.gan import GAN
from tightrope.recipes.sngan import SNGAN
from tightrope.steadied import Steadied
from tightrope.training.game import Game
from tightrope.training.gauge import Gauge, HeldOut, spectrum
from tightrope.training.meter import Meter
from tightrope.training.optimizers import Optimizer


def test_the_norms_of_a_step_are_those_of_a_known_one() -> None:
    net = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[3.0, 4.0]]))
    optimizer = Optimizer(net, SGD(lr=0.1))
    (net(torch.tensor([[6.0, 8.0]]))).sum().backward()
    optimizer.step(Knobs())
    assert optimizer.measured is None
    optimizer.measure = True
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[3.0, 4.0]]))
    optimizer.step(Knobs(rates={"D": 0.5}), "D")
    assert optimizer.measured is not None and not optimizer.measure
    assert optimizer.measured.tolist() == pytest.approx([10.0, 0.5 / 5.0])
    assert net.weight.tolist() == [pytest.approx([2.7, 3.6])]


def test_a_player_without_gradients_is_measured_when_it_has_some() -> None:
    net = nn.Linear(2, 1)
    optimizer = Optimizer(net, Adam(lr=0.1))
    optimizer.measure = True
    optimizer.step(Knobs())
    assert optimizer.measure and optimizer.measured is None
    net.weight.sum().backward()  # the bias has none
    optimizer.step(Knobs())
    assert optimizer.measured is not None and torch.isfinite(optimizer.measured).all()


def measured(game: Game) -> None:
    for optimizer in game.optimizers.values():
        optimizer.measure = True


@pytest.mark.parametrize("rule", [Adam(lr=0.01), ExtraAdam(lr=0.01), Lookahead(inner=Adam(lr=0.01), every=3)])
def test_measuring_changes_no_bit(rule: Any) -> None:
    class Ruled(GAN):  # type: ignore[misc]
        def optimizers(self) -> dict[str, Any]:
            return {"G": rule, "D": rule}

    found = []
    for ask in (measured, lambda game: None):
        game, feed = built(Ruled(**SMALL))
        for _ in range(4):
            ask(game)
            rounds(game, feed, 1)
        found.append(state(game))
    assert differing(*found) == []


GAUGED = {
    "spectral": (lambda: SNGAN(width=4, z=4, batch=4), IMAGES),
    "batch norm, dropout, classes": (lambda: CGAN(networks_of="mlp", units=12, z=4, batch=4), IMAGES),
    "batch norm": (lambda: SNGAN(width=4, z=4, batch=4, norm="batch"), IMAGES),
    "packs of three": (lambda: GAN(**{**SMALL, "batch": 6, "pack": 3}), POINTS),
    "resnet": (lambda: SNGAN(width=2, z=4, batch=4, network="resnet"), IMAGES),
}


@pytest.mark.parametrize("which", GAUGED)
def test_reading_changes_no_bit(which: str) -> None:
    make, data = GAUGED[which]
    index = torch.arange(len(data))
    learned, others = Part(data, index[:25], "learned"), Part(data, index[25:], "others")
    found, values = [], {}
    for read in (True, False):
        recipe = Steadied(make(), data.spec)
        game, feed = built(recipe, learned)
        meter = Meter()
        gauge = Gauge(game, HeldOut(learned, others, recipe.logits)) if read else None
        for count in (2, 1, 2):
            rounds(game, feed, count, meter=meter)
            if gauge is not None:
                values = gauge.read(meter)
                assert all(module.training for net in game.nets.values() for module in net.modules())
        found.append(state(game))
    assert differing(*found) == []
    names = {"balance/lead", *(f"{kind}/{p}" for kind in ("grad", "update", "spectrum") for p in "GD")}
    names |= {f"critic/{name}" for name in ("train", "held_out", "fake", "sure")}
    assert names <= values.keys() <= names | {"critic/overfit"}
    assert values["grad/D"] > 0 and values["update/G"] > 0
    assert all(torch.isfinite(torch.tensor(value)) for value in values.values())


def test_a_critic_that_knows_its_data_by_heart_is_told() -> None:
    game, _ = built()
    index = torch.arange(len(POINTS))
    learned, others = Part(POINTS, index[:25], "learned"), Part(POINTS, index[25:], "others")
    known = learned.batch(torch.arange(25))

    def knows(nets: Any, x: Tensor, labels: Any) -> Tensor:
        return torch.cdist(x, known, compute_mode="donot_use_mm_for_euclid_dist").amin(1).lt(1e-6).float() * 2 - 1

    values = Gauge(game, HeldOut(learned, others, knows)).read(Meter())
    assert values["critic/overfit"] == 1 and values["critic/sure"] == 1
    values = Gauge(game, HeldOut(learned, learned, knows)).read(Meter())
    assert values["critic/overfit"] == 0


def test_the_spectrum_is_the_largest_singular_value() -> None:
    torch.manual_seed(0)
    left, _, right = torch.linalg.svd(torch.randn(6, 9), full_matrices=False)
    left[:, 0] = left[:, 0].abs()
    net = nn.Sequential(nn.Linear(9, 6), nn.Linear(3, 3), nn.BatchNorm1d(3))
    with torch.no_grad():
        net[0].weight.copy_(7 * torch.outer(left[:, 0], right[0].abs()) + 0.1 * torch.randn(6, 9))  # type: ignore[union-attr, operator]
        net[1].weight.copy_(torch.eye(3))  # type: ignore[union-attr, operator]
    exact = torch.linalg.svdvals(net[0].weight.detach())[0].item()  # type: ignore[arg-type]
    assert spectrum(net) == pytest.approx(exact, rel=1e-3)
    convolution = nn.Conv2d(3, 8, 3)
    exact = torch.linalg.svdvals(convolution.weight.detach().flatten(1))[0].item()
    assert 0.7 * exact < spectrum(convolution) <= exact * (1 + 1e-5)
    assert spectrum(nn.BatchNorm1d(3)) == 0
