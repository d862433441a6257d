"""Phases, the rules players move by, the three ways to treat buffers, and classes on their way through a run."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tightrope.core import labels, processes
from tightrope.core.errors import InputError
from tightrope.core.game import Batch, Knobs, Phase, Terms, alternating
from tightrope.core.rules import SGD, Adam, ExtraAdam, Lookahead, OptimisticAdam, RMSprop
from tightrope.core.spec import DataSpec
from tightrope.recipes.gan import GAN
from tightrope.training import probe
from tightrope.training.average import Average
from tightrope.training.engine import Engine
from tightrope.training.feed import Feed
from tightrope.training.game import Game
from tightrope.training.loop import move
from tightrope.training.meter import Meter
from tightrope.training.optimizers import Optimizer
from toys import ToyDataset

RULES = [
    Adam(lr=0.01), RMSprop(lr=0.01), SGD(lr=0.01), SGD(lr=0.01, momentum=-0.3), OptimisticAdam(lr=0.01), ExtraAdam(lr=0.01),
    Lookahead(inner=Adam(lr=0.01)), Lookahead(inner=SGD(lr=0.01), every=3),
]  # fmt: skip
IDS = [f"{type(rule).__name__}{index}" for index, rule in enumerate(RULES)]


def steps(net: nn.Linear, optimizer: Optimizer, numbers: range) -> None:
    for number in numbers:
        optimizer.zero()
        x = torch.randn(5, 3, generator=torch.Generator().manual_seed(number))
        (net(x) - 1).square().mean().backward()
        optimizer.step(Knobs())


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_a_rule_goes_on_from_its_saved_state_as_if_it_had_not_stopped(rule: Any) -> None:
    torch.manual_seed(0)
    straight = nn.Linear(3, 2)
    stopped = copy.deepcopy(straight)
    steps(straight, Optimizer(straight, rule), range(13))
    first = Optimizer(stopped, rule)
    steps(stopped, first, range(6))  # in the midst of a look ahead
    again = copy.deepcopy(stopped)
    second = Optimizer(again, rule)
    second.restore({name: value.clone() for name, value in first.state().items()})
    steps(again, second, range(6, 13))
    assert torch.equal(straight.weight, again.weight)


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_a_rule_obeys_the_learning_rate_knob(rule: Any) -> None:
    net = nn.Linear(3, 2)
    before, optimizer = net.weight.detach().clone(), Optimizer(net, rule)
    net(torch.ones(1, 3)).sum().backward()
    optimizer.step(Knobs(lr=0.0))
    assert torch.equal(net.weight, before)


def test_lazy_constants_are_those_of_the_paper() -> None:
    """Karras et al. 2020, appendix B, as published for G: every 4th step, rate 0.0025 -> 0.002, 0.99 -> 0.991992."""
    lazy = Adam(lr=0.0025, beta1=0, beta2=0.99).lazy(4)
    assert (lazy.lr, lazy.beta1) == (0.002, 0)
    assert lazy.beta2 == pytest.approx(0.991992, abs=5e-7)


class Counted(nn.Module):
    """A weight, a batch statistic and a count."""

    statistic: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.register_buffer("statistic", torch.zeros(1))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))


@pytest.mark.parametrize(("buffers", "statistic"), [("average", 0.5), ("copy", 1.0), ("leave", 0.0)])
def test_the_average_treats_buffers_in_three_ways_and_copies_counts(buffers: str, statistic: float) -> None:
    live = Counted()
    average = Average({"G": live}, ("G",), buffers)
    with torch.no_grad():
        live.weight.fill_(1), live.statistic.fill_(1), live.count.fill_(7)
    average.update(half_life=10, samples=10)
    kept: Any = average.nets["G"]
    assert kept.weight.item() == pytest.approx(0.5)
    assert kept.statistic.item() == pytest.approx(statistic)
    assert kept.count.item() == 7


def test_a_phase_is_played_as_often_as_it_says() -> None:
    def terms(*_: Any) -> Terms:
        return Terms()

    assert [Phase("D", ("D",), terms, repeat=5).times(r) for r in range(2)] == [5, 5]
    assert [Phase("G", ("G",), terms, every=3).times(r) for r in range(4)] == [1, 0, 0, 1]
    assert [Phase("D", ("D",), terms, repeat=lambda r: 100 if r < 2 else 5).times(r) for r in range(4)] == [100, 100, 5, 5]


def test_weights_are_constrained_after_the_move() -> None:
    class Clipped(GAN):  # type: ignore[misc]
        def phases(self) -> tuple[Phase, ...]:
            return alternating(self.d_terms, self.g_terms, shared=False, constrain=self.clip)

        def clip(self, nets: Any) -> None:
            for weight in nets["D"].parameters():
                weight.clamp_(-0.01, 0.01)

    recipe, data, engine = Clipped(width=8, d_width=8, batch=4, z=2), ToyDataset((2,)), Engine("cpu")
    game = Game(recipe, data.spec, engine, 0)
    move(game, Feed(recipe, data, engine, 0).draw(0, 0), recipe.phases()[0], Knobs(), Meter())
    assert all(weight.abs().max() <= 0.01 for weight in game.nets["D"].parameters())
    assert any(weight.abs().max() > 0.01 for weight in game.nets["G"].parameters())


def test_without_shared_samples_the_moves_of_d_build_no_graph_of_g() -> None:
    recipe = GAN(width=8, d_width=8, batch=4, z=2)
    game = Game(recipe, ToyDataset((2,)).spec, Engine("cpu"), 0)
    phases = {shared: alternating(recipe.d_terms, recipe.g_terms, shared=shared)[0] for shared in (True, False)}
    for shared, phase in phases.items():
        game.only(phase.moves + phase.keeps)
        batch = Batch(torch.randn(4, 2), torch.randn(4, 2), None, 0)
        phase.terms(game.nets, batch, Knobs())
        assert batch.made["fake"].requires_grad == shared


def test_classes_as_shares_and_drawn_in_the_proportions_of_the_data() -> None:
    assert labels.weights(torch.tensor([1, 0]), 3).tolist() == [[0, 1, 0], [1, 0, 0]]
    mixed = torch.tensor([[0.25, 0.75, 0.0]])
    assert torch.equal(labels.weights(mixed, 3), mixed)
    spec = DataSpec(modality="images", shape=(1, 8, 8), classes=("a", "b"), shares=(0.9, 0.1))
    drawn = labels.draw(spec, 5000, torch.Generator().manual_seed(0))
    assert drawn.float().mean().item() == pytest.approx(0.1, abs=0.02)
    assert DataSpec.from_json(spec.to_json()) == spec
    old = {key: value for key, value in spec.to_json().items() if key != "shares"}  # a file from before there were shares
    assert labels.draw(DataSpec.from_json(old), 5000, torch.Generator()).float().mean().item() == pytest.approx(0.5, abs=0.03)


def test_data_without_classes_is_told_apart() -> None:
    with pytest.raises(InputError, match="has no classes"):
        DataSpec(modality="images", shape=(1, 8, 8)).labelled("cgan")


def test_the_mean_over_processes_is_wide_and_detached() -> None:
    x = torch.full((3,), 2.0, dtype=torch.bfloat16, requires_grad=True)
    found = processes.mean(x)
    assert found.dtype == torch.float32
    assert not found.requires_grad


def test_only_the_precisions_asked_for_are_tried() -> None:
    recipe, data = GAN(width=8, d_width=8, batch=4, z=2), ToyDataset((2,))
    assert probe.measure(recipe, data, Engine("cpu"), ("fp32",)).keys() == {"fp32"}
