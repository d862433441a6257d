"""The guardian in somebody else's loop: it changes nothing, it finds what was planted, it acts where it may."""

from __future__ import annotations

import io
import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import tightrope
from tightrope.core.errors import InputError
from tightrope.data.given import given
from tightrope.training.foreign import Rein, Snapshots, aside

BATCH = 64


def _ring(n: int) -> Tensor:
    """(n, 2): eight Gaussians on a circle."""
    angle = torch.randint(8, (n,)) * (math.pi / 4)
    return torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(n, 2)


class Loop:
    """A loop on points as others write it."""

    def __init__(self, d_lr: float = 1e-3, g_lr: float = 1e-3, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.G = nn.Sequential(nn.Linear(4, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 2))
        self.D = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Dropout(0.1), nn.Linear(32, 1))
        self.optimizers = {
            "D": torch.optim.Adam(self.D.parameters(), lr=d_lr, betas=(0.5, 0.999)),
            "G": torch.optim.Adam(self.G.parameters(), lr=g_lr, betas=(0.5, 0.999)),
        }
        self.data = _ring(500)

    def guardian(self, **more: Any) -> tightrope.Guardian:
        asked = {"sample": lambda n: self.G(torch.randn(n, 4)), "data": self.data, "tell": None, "optimizers": self.optimizers}
        return tightrope.Guardian(D=self.D, G=self.G, **(asked | more))

    def step(self, real: Tensor) -> dict[str, Tensor]:
        """One step of both; what the guardian is handed."""
        loss = nn.functional.binary_cross_entropy_with_logits
        self.optimizers["D"].zero_grad()
        fake = self.G(torch.randn(len(real), 4))
        on_real, on_fake = self.D(real), self.D(fake.detach())
        d_loss = loss(on_real, torch.ones_like(on_real)) + loss(on_fake, torch.zeros_like(on_fake))
        d_loss.backward()
        self.optimizers["D"].step()
        self.optimizers["G"].zero_grad()
        on_g = self.D(fake)
        g_loss = loss(on_g, torch.ones_like(on_g))
        g_loss.backward()
        self.optimizers["G"].step()
        return {"D": d_loss, "G": g_loss, "real": on_real, "fake": on_fake}

    def play(self, steps: int, guardian: tightrope.Guardian | None = None, bad_at: int = -1) -> None:
        for step in range(steps):
            real = self.data[torch.randint(len(self.data), (BATCH,))]
            if step == bad_at:
                real[0] = math.nan
            handed = self.step(real)
            if guardian is not None:
                guardian.step(**handed)
                if guardian.stop:
                    break


def test_watching_changes_no_bit() -> None:
    states = []
    for watched in (False, True):
        loop = Loop()
        random.seed(5)
        np.random.seed(5)
        loop.play(40, loop.guardian(steps=40, every=5) if watched else None)
        nets = [v for net in (loop.D, loop.G) for v in net.state_dict().values()]
        moments = [v for o in loop.optimizers.values() for s in o.state.values() for v in s.values()]
        states.append((*nets, *moments, torch.rand(3), torch.tensor([random.random(), np.random.rand()])))
        assert loop.G.training and loop.D.training
    assert all(torch.equal(one, other) for one, other in zip(*states, strict=True))


def test_what_is_read() -> None:
    loop = Loop()
    guardian = loop.guardian(steps=30, every=10)
    loop.play(30, guardian)
    assert (guardian.steps, guardian.seen, len(guardian.judge.history)) == (30, 30 * BATCH, 3)
    names = {name for reading in guardian.judge.history.readings for name in reading.values}
    expected = {"D/adversarial", "G/adversarial", "D/real", "D/fake", "balance/lead", "samples/score", "balance/health"}
    assert expected | {f"{kind}/{p}" for kind in ("grad", "update", "spectrum") for p in "DG"} <= names
    now = guardian.judge.history.now.values
    assert 0 < now["update/G"] < 1 and now["grad/D"] > 0 and -1 <= now["balance/lead"] <= 1


def test_gradient_and_update_are_those_of_the_step() -> None:
    net = nn.Linear(2, 1, bias=False)
    nn.init.ones_(net.weight)
    rein = Rein(optimizer := torch.optim.SGD(net.parameters(), lr=0.1))
    rein.measure = True
    net(torch.tensor([[3.0, 4.0]])).sum().backward()
    optimizer.step()
    assert rein.measured is not None
    assert rein.measured.tolist() == pytest.approx([5.0, 0.5 / math.sqrt(2)])
    assert not rein.measure


def test_turned_rates_leave_the_schedulers_alone() -> None:
    net = nn.Linear(1, 1, bias=False)
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5**step)
    rein = Rein(optimizer)
    rein.rate = 0.1
    moved = []
    for _ in range(3):
        before = net.weight.item()
        net.weight.grad = torch.ones(1, 1)
        optimizer.step()
        schedule.step()
        moved.append(before - net.weight.item())
    assert moved == pytest.approx([0.1, 0.05, 0.025], rel=1e-4)
    assert optimizer.param_groups[0]["lr"] == 0.125


def test_finds_a_nan() -> None:
    loop, said = Loop(), []
    guardian = loop.guardian(steps=60, every=5, tell=said.append)
    loop.play(60, guardian, bad_at=31)
    assert guardian.verdict.name == "non-finite" and guardian.told[-1]["seen"] == 35 * BATCH
    assert not guardian.stop
    assert len(said) == 1 and "step 35" in said[0] and "non-finite" in said[0]


def test_finds_a_d_that_overpowers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tightrope.companion.SHARE", math.inf)  # it looks at every reading, whatever the machine's speed
    loop = Loop(d_lr=2e-2, g_lr=1e-6)
    guardian = loop.guardian(steps=200, every=10)
    loop.play(200, guardian)
    assert "D overpowers" in {record["name"] for record in guardian.told}


def test_acting_goes_back_and_turns_rates(tmp_path: Path) -> None:
    loop, said = Loop(), []
    guardian = loop.guardian(steps=100, every=5, act=True, tell=said.append, log=tmp_path / "events.jsonl")
    loop.play(45, guardian, bad_at=31)
    assert all(torch.isfinite(p).all() for net in (loop.D, loop.G) for p in net.parameters())
    remedy = next(record for record in guardian.told if record["event"] == "remedy")
    assert remedy["back_to"] == 0 and guardian.judge.turns.rates
    for name, factor in guardian.judge.turns.rates.items():
        assert guardian.reins[name].rate == factor and loop.optimizers[name].param_groups[0]["lr"] == 1e-3
    assert any("remedy" in line for line in said)
    records = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert {"tick", "verdict", "remedy"} <= {record["event"] for record in records}
    assert "balance/lead" in records[0]["signals"] and "D/adversarial" in records[0]["terms"]
    assert "non-finite" in guardian.report(tmp_path / "page.html").read_text()


def test_snapshots_hold_a_state() -> None:
    loop = Loop()
    loop.play(3)
    snapshots = Snapshots({"D": loop.D, "G": loop.G}, loop.optimizers)
    snapshots.keep(10)
    before = {name: value.clone() for name, value in loop.G.state_dict().items()}
    loop.optimizers["G"].param_groups[0]["lr"] = 0.5
    for _ in range(2):  # a snapshot can be taken up twice
        loop.play(3)
        snapshots.take_up(10)
        assert all(torch.equal(before[name], value) for name, value in loop.G.state_dict().items())
    assert loop.optimizers["G"].param_groups[0]["lr"] == 0.5
    assert {float(state["step"]) for state in loop.optimizers["G"].state.values()} == {3.0}


def test_state_goes_around() -> None:
    loop = Loop()
    guardian = loop.guardian(steps=60, every=5, act=True)
    loop.play(40, guardian, bad_at=21)
    file = io.BytesIO()
    torch.save(guardian.state_dict(), file)
    file.seek(0)
    again = loop.guardian(steps=60, every=5, act=True)
    again.load_state_dict(torch.load(file, weights_only=True))
    assert (again.steps, again.seen, again.verdict, again.told) == (40, 40 * BATCH, guardian.verdict, guardian.told)
    assert [again.reins[name].rate for name in "DG"] == [guardian.reins[name].rate for name in "DG"]
    assert str(again.judge.state()) == str(guardian.judge.state())  # NaN is not NaN
    assert again.snapshots.held.keys() == guardian.snapshots.held.keys()
    assert again.window is not None and guardian.window is not None
    assert torch.equal(again.window.fake, guardian.window.fake)


def test_losses_alone_are_enough_to_watch() -> None:
    loop = Loop()
    guardian = tightrope.Guardian(D=loop.D, G=loop.G, tell=None, every=2)
    for loss in (1.0, 1.0, math.inf, 1.0):
        guardian.step(D=loss, G=torch.tensor(0.5))
    assert guardian.seen == 4 and guardian.verdict.name == "non-finite"


def test_data_of_every_kind() -> None:
    images = torch.rand(30, 3, 8, 8) * 2 - 1
    labelled = torch.utils.data.TensorDataset(images, torch.arange(30))
    loader = torch.utils.data.DataLoader(labelled, batch_size=4, shuffle=True)
    for data in (images, images.numpy(), labelled, loader, iter(images)):
        found = given(data, 10)
        assert found.spec.shape == (3, 8, 8) and len(found) == 10
        assert found.modality.to_array(found.batch(torch.arange(2))).dtype == np.uint8
    points = given(np.zeros((5, 7)), 10)
    assert points.spec.modality == "points" and points.values.dtype == torch.float32


def _fail(net: nn.Module) -> None:
    with aside({"G": net}, 1):
        assert not net.training and not torch.is_grad_enabled()
        torch.rand(3)
        raise ValueError


def test_aside_gives_everything_back_when_it_fails() -> None:
    net, state = nn.Dropout(), torch.get_rng_state()
    with pytest.raises(ValueError):
        _fail(net)
    assert net.training and torch.is_grad_enabled() and torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"optimizers": {"Q": None}}, "optimizers['Q']"),
        ({"sample": lambda n: torch.zeros(n, 3)}, "(2, 2) is needed"),
        ({"sample": None}, "belong together"),
        ({"data": torch.zeros(20, 2)}, "at least 100"),
        ({"data": torch.zeros(200, 3, 8)}, "(200, 3, 8)"),
        ({"data": 255 * torch.ones(200, 1, 8, 8)}, "[-1, 1]"),
        ({"data": torch.full((200, 2), math.nan)}, "not finite"),
        ({"data": 7}, "int"),
        ({"act": True}, "steps="),
        ({"until": "later", "steps": 5}, "'later'"),
        ({"steps": 0}, "at least 1"),
    ],
)
def test_what_is_wrong_is_told_before_the_first_step(given: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as error:
        Loop().guardian(**given)
    assert says in str(error.value) and str(error.value).endswith(".")


@pytest.mark.parametrize(
    ("handed", "says"),
    [
        ({"F": 1.0}, "players are D, G"),
        ({"D": torch.ones(3)}, "(3,)"),
        ({"real": torch.ones(3)}, "belong together"),
        ({"real": torch.tensor(1.0), "fake": torch.ones(3)}, "real="),
    ],
)
def test_what_is_wrong_in_a_step_is_told(handed: dict[str, Any], says: str) -> None:
    guardian = Loop().guardian()
    with pytest.raises(InputError) as error:
        guardian.step(**handed)
    assert says in str(error.value)


def test_a_guardian_needs_its_players() -> None:
    with pytest.raises(InputError, match="D=netD"):
        tightrope.Guardian(D=nn.Linear(1, 1))
