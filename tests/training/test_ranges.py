"""The rate range test: what it finds, that it is determined, that it touches nothing, and that runs tell it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from tightrope import api, data, recipes
from tightrope.core.game import Batch, Knobs, Networks, Phase, Terms
from tightrope.core.rules import SGD, Adam, ExtraAdam, Lookahead, OptimisticAdam, RMSprop, Rule
from tightrope.recipes.gan import GAN
from tightrope.training import ranges
from tightrope.training.budget import Budget
from tightrope.training.engine import Engine
from tightrope.training.feed import Feed
from tightrope.training.game import Game
from tightrope.training.loop import play
from tightrope.training.meter import Meter
from tightrope.training.ranges import Ranges, landmarks
from toys import ToyDataset

SMALL = {"width": 8, "d_width": 8, "batch": 8, "z": 4}


def sweep(recipe: Any, dataset: Any, steps: int = 40, seed: int = 0) -> Ranges:
    return ranges.test(recipe, dataset, Engine("cpu"), seed=seed, steps=steps, seconds=math.inf)


@pytest.mark.parametrize(
    ("name", "on"),
    [(name, "ring8") for name in ("swift", "gan", "lsgan", "wgan_gp")]
    + [("gan", "fashion"), ("lsgan", "fashion"), ("swift", "fashion")],
)
def test_own_rates_lie_within_and_a_hundred_times_off_without(name: str, on: str) -> None:
    dataset = data.load(on)
    found = sweep(recipes.build(name, dataset.spec), dataset).players
    assert list(found) == ["D", "G"]
    for one in found.values():
        assert [one.place(one.own * off) for off in (0.01, 1, 100)] == ["below", "within", "above"], one


def test_the_recipes_own_rate_does_not_move_the_interval() -> None:
    """A rate that spoils D is not what D learns with before G's sweep."""
    dataset = data.load("ring8")
    usual, wrong = (sweep(recipes.build("gan", dataset.spec, fields={"lr": lr}), dataset).players for lr in (1e-3, 1e-1))
    assert (wrong["D"].low, wrong["D"].high) == (usual["D"].low, usual["D"].high)
    assert [one.place() for one in wrong.values()] == ["above", "above"]
    assert "rate 0.1 lies above what G can use here" in wrong["G"].sentence


def test_same_seed_same_curves() -> None:
    dataset = ToyDataset((2,), count=64)
    first, again, other = (sweep(GAN(**SMALL), dataset, 20, seed).players for seed in (3, 3, 4))
    assert first == again
    assert first["D"].losses != other["D"].losses
    assert len(first["G"].losses) == 20


def weights_of_a_run(disturb: bool) -> list[Tensor]:
    recipe, dataset, engine = GAN(**SMALL), ToyDataset((2,), count=64), Engine("cpu")
    game, feed = Game(recipe, dataset.spec, engine, 0), Feed(recipe, dataset, engine, 0)
    for seen in (80, 160):
        play(game, feed, Budget(seen=seen), Meter(), lambda knobs: None)
        if disturb:
            before = torch.get_rng_state()
            ranges.test(recipe, dataset, engine, steps=20)
            assert torch.equal(before, torch.get_rng_state())
    return list(game.tensors().values())


def test_a_game_goes_on_to_the_bit() -> None:
    straight, disturbed = weights_of_a_run(False), weights_of_a_run(True)
    assert all(torch.equal(a, b) for a, b in zip(straight, disturbed, strict=True))


class Ruled(GAN):
    """The game with other optimizers."""

    rule: Rule

    def optimizers(self) -> dict[str, Any]:
        return dict.fromkeys(("G", "D"), type(self).rule)


@pytest.mark.parametrize(
    "rule",
    [
        SGD(lr=0.05, momentum=-0.3),
        RMSprop(lr=1e-3),
        OptimisticAdam(lr=1e-3),
        ExtraAdam(lr=1e-3),
        Lookahead(inner=Adam(lr=1e-3, beta1=0.5)),
    ],
    ids=lambda rule: type(rule).__name__,
)
def test_every_rule_is_swept(rule: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ruled, "rule", rule, raising=False)
    found = sweep(Ruled(**SMALL), ToyDataset((2,), count=64), 30).players
    assert all(one.own == rule.lr and one.place() == "within" and one.losses[-1] != one.losses[0] for one in found.values())


class Idle(GAN):
    """A third player whose loss does not depend on it."""

    def networks(self, spec: Any) -> dict[str, nn.Module]:
        return super().networks(spec) | {"X": nn.Linear(1, 1)}

    def optimizers(self) -> dict[str, Adam]:
        return super().optimizers() | {"X": Adam(lr=1e-3)}

    def phases(self) -> tuple[Phase, ...]:
        return (*super().phases(), Phase("X", ("X",), self.x_terms))

    def x_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        return Terms(adversarial=batch.z.mean())


def test_a_player_without_a_loss_is_skipped() -> None:
    found = sweep(Idle(**SMALL), ToyDataset((2,), count=64), 20)
    assert list(found.players) == ["D", "G"]
    assert found.skipped == {"X": "no loss depends on it"}
    assert found.steps == 40


def test_further_players_and_growing_networks() -> None:
    for name, players in (("infogan", ["D", "Q", "G"]), ("progressive", ["D", "G"]), ("wgan", ["D", "G"])):
        dataset = ToyDataset((3, 16, 16))
        assert list(sweep(recipes.build(name, dataset.spec, "toy"), dataset, 20).players) == players


def test_slow_steps_make_few() -> None:
    assert ranges._affordable(80, pace=0.01, seconds=10) == 80
    assert ranges._affordable(80, pace=0.25, seconds=10) == 40
    assert ranges._affordable(80, pace=9.0, seconds=10) == 20


RATES = [1e-6 * 10 ** (k / 16) for k in range(81)]


def test_landmarks_of_a_curve() -> None:
    falling = [1 / (1 + rate / 1e-4) for rate in RATES]
    steepest, diverges = landmarks(RATES, falling)
    assert steepest == pytest.approx(1e-4, rel=0.6)
    assert diverges is None
    jumping = [loss + (rate > 1e-2) * 5 for loss, rate in zip(falling, RATES, strict=True)]
    assert landmarks(RATES, jumping)[1] == pytest.approx(1e-2, rel=0.5)
    broken = [loss if rate < 1e-3 else math.nan for loss, rate in zip(falling, RATES, strict=True)]
    assert landmarks(RATES, broken)[1] == pytest.approx(1e-3, rel=0.5)
    assert landmarks(RATES, [1.0] * 81) == (None, None)
    assert landmarks(RATES, [math.inf] * 81) == (None, RATES[0])
    bottomless = [-((rate / 1e-3) ** 2) for rate in RATES]  # Wasserstein's, against a still critic
    assert landmarks(RATES, bottomless)[0] == pytest.approx(1e-3, rel=0.5)


def test_a_run_tells_what_it_found(tmp_path: Path) -> None:
    heard: list[dict[str, Any]] = []
    options = api.Options(judge=0, watch=False, rate_test=True, precision="fp32", tick=512, listeners=(heard.append,))
    run = api.train("gan", "ring8", preset="toy", run=tmp_path / "a", seen=512, options=options, lr=0.2)
    told = [event["message"] for event in heard if event["event"] == "warning" and "name" in event]
    assert any("moves its weights by" in message for message in told)
    assert [event["player"] for event in heard if event["event"] == "rate"] == ["D", "G"]
    record = json.loads((run.path / "run.json").read_text())
    assert [warning["sentence"] for warning in record["warnings"]] == told
    assert record["rate_test"]["players"]["G"]["place"] == "above"
    silent = api.Options(judge=0, watch=False, care=False, precision="fp32", tick=512, listeners=(heard.append,))
    heard.clear()
    same = api.train("gan", "ring8", preset="toy", run=tmp_path / "b", seen=512, options=silent, lr=0.2)
    assert not any(event["event"] == "warning" and "name" in event for event in heard)
    assert "warnings" not in same.record
    first, second = (load_file(one.path / "generator.safetensors") for one in (run, same))
    assert all(torch.equal(first[key], second[key]) for key in first)
