"""The rooms around the loop: feed, budget, meter, checkpoints, average, optimizer."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
import torch
from torch import nn

from tightrope.core import files
from tightrope.core.errors import InputError, RunStopped
from tightrope.core.game import Adam, Knobs, Terms
from tightrope.recipes.gan import GAN
from tightrope.training import checkpoint, trainer
from tightrope.training.average import Average
from tightrope.training.budget import Budget
from tightrope.training.engine import Engine
from tightrope.training.events import Events
from tightrope.training.feed import Feed
from tightrope.training.meter import Meter, require_finite
from tightrope.training.optimizers import Optimizer
from toys import ToyDataset


def test_every_epoch_shows_every_sample_once_in_another_order() -> None:
    dataset = ToyDataset((2,), count=10)
    feed = Feed(GAN(batch=4), dataset, Engine("cpu"), seed=3)
    drawn = torch.cat([feed._indices(start, 4) for start in range(0, 20, 4)])
    first, second = drawn[:10], drawn[10:]
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(10))
    assert first.tolist() != second.tolist()


def test_a_batch_depends_on_its_number_alone() -> None:
    dataset = ToyDataset((2,), count=10)
    recipe = GAN(batch=25, z=3)  # a batch longer than the data
    a, b = (Feed(recipe, dataset, Engine("cpu"), seed=3) for _ in range(2))
    a.draw(0, 0), a.draw(1, 0)
    assert torch.equal(a.draw(2, 0).real, b.draw(2, 0).real)
    assert torch.equal(a.draw(2, 0).z, b.draw(2, 0).z)


def test_budget_in_samples_is_a_pure_function_of_seen() -> None:
    budget = Budget(seen=1000)
    budget.replan(10, 5.0, 1.0)
    assert budget.progress(250) == 0.25
    assert not budget.done(999)
    assert budget.done(1000)


def test_budget_in_minutes_reaches_its_end_with_the_time() -> None:
    budget, seen, seconds = Budget(minutes=1), 0, 0.0
    for speed in [100] * 20 + [37] * 60:  # a machine that slows down
        seen, seconds = seen + speed, seconds + 1.0
        budget.replan(seen, seconds, speed)
        if budget.done(seen):
            break
    assert 58 <= seconds <= 61


def test_a_measurement_of_no_samples_does_not_end_a_run() -> None:
    budget = Budget(minutes=1)
    budget.replan(40, 4.0, 10.0)
    budget.replan(40, 4.0, 0.0)
    assert not budget.done(80)
    assert budget.progress(320) == pytest.approx(0.5)
    budget.replan(90, 60.0, 0.0)  # the time is over all the same
    assert budget.done(90)


def test_time_before_the_first_round_does_not_bend_the_schedule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of ten minutes whose start took a minute: a clock that gains half a second a look, so that progress can be foretold."""
    clock = itertools.count()
    monkeypatch.setattr(trainer.time, "perf_counter", lambda: next(clock) * 0.5)
    events: list[dict] = []
    recipe, dataset = GAN(width=4, d_width=4, batch=4, z=2), ToyDataset((2,))
    plan = trainer.Plan(folder=tmp_path, tick=80, seed=0)
    budget, listeners = Budget(minutes=10), Events(None, (events.append,))
    training = trainer.Trainer(recipe, dataset, Engine("cpu"), budget, plan, listeners, started=-60.0)
    training.train()
    ticks = [event for event in events if event["event"] == "tick"]
    assert ticks[0]["progress"] < 0.05
    assert all(abs(t["progress"] - (t["seconds"] - 60) / 540) < 0.1 for t in ticks)
    assert 590 < ticks[-1]["seconds"] < 610


def test_meter_names_the_first_bad_term_and_where() -> None:
    meter = Meter()
    for seen in (0, 64, 128):
        meter.add("D", Terms(adversarial=torch.tensor(1.0), r1=torch.tensor(float("nan") if seen >= 64 else 2.0)), seen)
    with pytest.raises(RunStopped, match=r"phase D, term 'r1' became nan at 64 seen"):
        meter.read()


def test_non_finite_weight_is_named() -> None:
    net = nn.Linear(2, 2)
    with torch.no_grad():
        net.weight[0, 0] = float("inf")
    with pytest.raises(RunStopped, match="player G, weight 'weight'"):
        require_finite({"G": net}, 10)


def test_checkpoint_ring_keeps_the_newest(tmp_path: Path) -> None:
    for seen in range(5):
        checkpoint.save(tmp_path, {"a": torch.full((3,), float(seen))}, {"seen": seen})
    assert [p.name for p in checkpoint.found(tmp_path)] == [f"seen-{k:012d}.safetensors" for k in (2, 3, 4)]
    tensors, counters, damaged = checkpoint.newest(tmp_path)
    assert counters["seen"] == 4
    assert tensors["a"].tolist() == [4, 4, 4]
    assert damaged == []


def test_damaged_checkpoint_is_passed_over_and_named(tmp_path: Path) -> None:
    for seen in (1, 2):
        checkpoint.save(tmp_path, {"a": torch.ones(1000)}, {"seen": seen})
    newest = checkpoint.found(tmp_path)[-1]
    newest.write_bytes(newest.read_bytes()[:2000])
    (tmp_path / f"seen-000000000009.safetensors.1{files.PARTIAL}").write_bytes(b"killed here")
    _, counters, damaged = checkpoint.newest(tmp_path)
    assert counters["seen"] == 1
    assert str(newest) in damaged[0]
    assert not list(tmp_path.glob(f"*{files.PARTIAL}"))


def test_full_disk_is_told_before_an_old_checkpoint_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seen in range(3):
        checkpoint.save(tmp_path, {"a": torch.ones(10)}, {"seen": seen})
    usage = files.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(InputError, match="free some space"):
        checkpoint.save(tmp_path, {"a": torch.ones(10)}, {"seen": 3})
    assert len(checkpoint.found(tmp_path)) == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")

    def fill(partial: Path) -> None:
        partial.write_text("half of it")
        with open("/dev/full", "w") as full:
            full.write("x")
            full.flush()

    with pytest.raises(InputError, match="disk is full"):
        files.write_atomically(target, fill)
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_average_halves_the_distance_every_half_life() -> None:
    nets: dict[str, nn.Module] = {"G": nn.Linear(1, 1)}
    average = Average(nets, ("G",))
    start = average.nets["G"].weight.item()
    with torch.no_grad():
        nets["G"].weight.fill_(start + 1)
    average.update(half_life=100, samples=100)
    assert average.nets["G"].weight.item() == pytest.approx(start + 0.5)
    average.update(half_life=0, samples=100)
    assert average.nets["G"].weight.item() == pytest.approx(start + 1)


def test_optimizer_takes_the_knobs() -> None:
    net = nn.Linear(1, 1, bias=False)
    optimizer = Optimizer(net, Adam(lr=0.1, beta1=0.0, beta2=0.9))
    before = net.weight.item()
    net(torch.ones(1, 1)).sum().backward()
    optimizer.step(Knobs(lr=0.5, beta2=0.5))
    assert before - net.weight.item() == pytest.approx(0.05, rel=1e-3)  # Adam's first step is the rate itself
    assert optimizer.inner.param_groups[0]["betas"] == (0.0, 0.5)
