"""The meter, and readings that go on from a checkpoint between two ticks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rounds import POINTS, SMALL, built, rounds
from tightrope.core.errors import RunStopped
from tightrope.core.game import Terms
from tightrope.data.part import Part
from tightrope.recipes.gan import GAN
from tightrope.steadied import Steadied
from tightrope.training import checkpoint
from tightrope.training.feed import Feed
from tightrope.training.game import Game
from tightrope.training.gauge import Gauge, HeldOut
from tightrope.training.guard import KEY, Guard
from tightrope.training.meter import Meter, not_finite
from tightrope.training.ring import Ring


def fed(real: Tensor, fake: Tensor) -> Meter:
    meter = Meter()
    meter.add("D", Terms(adversarial=torch.tensor(0.0)).watch(real=real, fake=fake), 0)
    return meter


def test_the_lead_tells_who_is_ahead() -> None:
    low, high = torch.arange(4.0), torch.arange(4.0) + 10
    assert fed(high, low).lead() == 1
    assert fed(low, high).lead() == -1
    assert fed(low, low.flip(0)).lead() == 0
    assert fed(torch.zeros(4), torch.zeros(4)).lead() == 0
    assert fed(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 2.0])).lead() == pytest.approx(0.5)


def test_the_lead_is_that_of_the_last_moves_alone_and_of_logits_alone() -> None:
    assert Meter().lead() is None
    assert fed(torch.zeros(2, 3), torch.zeros(2, 3)).lead() is None
    meter = fed(torch.zeros(2), torch.ones(2))
    for _ in range(4):
        meter.add("D", Terms(adversarial=torch.tensor(0.0)).watch(real=torch.ones(2), fake=torch.zeros(2)), 0)
    assert meter.lead() == 1
    meter.take()
    assert meter.lead() == 1  # a tick with no new move says what was last


def test_the_first_bad_term_is_reported_without_an_end() -> None:
    meter, bad = Meter(), torch.tensor(float("nan"))
    for seen, r1 in ((0, torch.tensor(1.0)), (64, bad), (128, bad)):
        meter.add("D", Terms(adversarial=torch.tensor(1.0) if seen < 128 else bad, r1=r1), seen)
    read = meter.take()
    assert read.bad == "phase D, term 'r1' became nan at 64 seen samples"
    assert read.terms.keys() == {"D/adversarial", "D/r1"}
    assert meter.take() == ({}, {}, "")
    meter.add("G", Terms(adversarial=torch.tensor(float("inf"))), 3)
    with pytest.raises(RunStopped, match="phase G, term 'adversarial' became inf at 3"):
        meter.read()


def test_a_bad_term_is_still_named_after_a_checkpoint() -> None:
    meter = Meter()
    meter.add("D", Terms(adversarial=torch.tensor(float("nan"))), 64)
    again = Meter()
    again.restore(meter.state())
    assert again.take().bad == meter.take().bad != ""


def test_a_weight_that_is_not_finite_is_named_without_an_end() -> None:
    net = nn.Linear(2, 2)
    assert not_finite({"G": net}, 10) == ""
    with torch.no_grad():
        net.bias[1] = float("nan")
    assert not_finite({"G": net}, 10) == "player G, weight 'bias' is no longer finite at 10 seen samples"


@pytest.mark.parametrize("between", [0, 1, 3])
def test_readings_go_on_from_a_checkpoint_between_two_ticks(tmp_path: Path, between: int) -> None:
    """To the bit, wherever the run was interrupted."""
    data = Part(POINTS, torch.arange(25), "learned")
    others = Part(POINTS, torch.arange(25, 37), "others")

    def guarded() -> tuple[Game, Feed, Guard]:
        recipe = Steadied(GAN(**SMALL), POINTS.spec)
        game, feed = built(recipe, data)
        guardian: Any = None
        meter = Meter()
        return game, feed, Guard(game, meter, guardian, Gauge(game, HeldOut(data, others, recipe.logits)), Ring())

    def read(guard: Guard) -> Any:
        return guard.gauge_now(guard.meter.take())

    game, feed, straight = guarded()
    rounds(game, feed, 5, meter=straight.meter)
    read(straight)
    rounds(game, feed, between, meter=straight.meter)
    path = checkpoint.save(tmp_path, {**game.tensors(), **straight.tensors()}, game.counters())
    rounds(game, feed, 2, meter=straight.meter)
    other, feed, again = guarded()
    tensors, counters = checkpoint.load(path)
    other.restore(tensors, counters)
    again.take_up(tensors)
    assert all(name.startswith(KEY) for name in again.tensors())
    rounds(other, feed, 2, meter=again.meter)
    values, bad = read(straight)
    assert (values, bad) == read(again)
    assert bad == "" and {"D/adversarial", "D/real", "grad/D", "spectrum/G", "balance/lead", "critic/held_out"} <= values.keys()
