"""The guardian in other people's training loops: three lines beside their own networks, optimizers and data.

    guardian = tightrope.Guardian(D=netD, G=netG, optimizers={"D": optD, "G": optG},
                                  sample=lambda n: netG(torch.randn(n, 100, 1, 1)), data=real_images)
    for batch in loader:
        ...                                                                # the loop, unchanged
        guardian.step(D=errD, G=errG, real=logits_real, fake=logits_fake)
        if guardian.stop: break

It watches and tells; with `act=True` it also turns rates and goes back to snapshots. Watching changes no bit of a run.

Axes: N batch, C channels, H W pixels, d coordinates.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import tightrope
from tightrope.balance import guardian as balance
from tightrope.balance.decision import Decision, Facts
from tightrope.balance.verdict import Verdict
from tightrope.core.errors import InputError
from tightrope.core.game import Knobs, Terms
from tightrope.core.rates import weight_size
from tightrope.core.seeds import derive
from tightrope.data.given import Given, given
from tightrope.metrics.judge import judge_for
from tightrope.metrics.online import LEAST_REAL, REFERENCE, Window
from tightrope.training.events import Events
from tightrope.training.foreign import Rein, Snapshots, aside, check, logits, scalar
from tightrope.training.gauge import spectrum
from tightrope.training.meter import Meter, not_finite

READINGS = 80  # of a run whose length is known
EVERY = 100  # steps between two readings of one whose length is not
SAMPLES, CHUNK = 256, 64  # samples of one look; generated at once
SHARE = 0.05  # of the loop's time that looking at samples may take where nothing is decided by it
Sampler = Callable[[int], Tensor]


def to_stderr(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


class Guardian:
    """Watches the game of somebody else's loop.

    Args:
        optimizers: of the players, by the same names; their steps are measured, and with `act` turned.
        sample: n -> n generated samples, in the range of the data: (n, C, H, W) in [-1, 1] or (n, d).
        data: real samples to compare with: tensor, array, torch Dataset or DataLoader; at most 1,000 are taken.
        steps: calls of `step` in the whole run; needed for `act` and `until`, and for verdicts on time that is lost.
        every: steps between two readings; None: `READINGS` a run, or one in `EVERY` steps.
        act: carry out what the guardian decides: players' rates, Adam's beta1, going back to a snapshot in memory.
        until: "converged" sets `stop` as soon as more training does not help.
        tell: is given a line when the verdict changes or something is done; None for silence.
        log: a file to which events are appended, one JSON object a line.
        networks: players by name, "D" and "G" in any case; others (an average of G) are watched and kept along.

    Attributes:
        verdict: what it concludes now. stop: whether the loop should end, and `reason`, why.
        steps, seen: the clock, in calls of `step` and in real samples (steps where no batch's size is known).

    Raises:
        InputError: something given is wrong.
    """

    def __init__(
        self,
        *,
        optimizers: Mapping[str, torch.optim.Optimizer] | None = None,
        sample: Sampler | None = None,
        data: Any = None,
        steps: int | None = None,
        every: int | None = None,
        act: bool = False,
        until: str = "",
        tell: Callable[[str], None] | None = to_stderr,
        log: str | Path | None = None,
        **networks: nn.Module,
    ) -> None:
        check(networks, optimizers or {}, (sample, data), steps, every, act, until)
        self.nets, self.total, self.until, self.tell = networks, steps, until, tell
        self.log = Path(log) if log else None
        self.every = every or (max(1, round(steps / READINGS)) if steps else EVERY)
        self.reins = {name: Rein(optimizer) for name, optimizer in (optimizers or {}).items()}
        self.judge = balance.Guardian(_facts(networks, self.reins, steps), act=act)
        self.meter, self.snapshots = Meter(), Snapshots(networks, dict(optimizers or {}))
        self.steps = self.seen = 0
        self.reason, self.told = "", list[dict[str, Any]]()
        self._batch = getattr(data, "batch_size", None) or 1
        for rein in self.reins.values():
            rein.measure = self.every == 1
        self._first = {name: spectrum(net) for name, net in networks.items()}
        self._sample, self._began, self._spent, self._cost = sample, 0.0, 0.0, 0.0
        with aside(networks, 0):
            self.data = None if data is None else given(data, REFERENCE)
            self.window = None if self.data is None else _window(self.data)
            if self.data is not None:
                self._draw(2)  # a wrong shape is told before the first step
        if act:
            self.snapshots.keep(0)

    @property
    def verdict(self) -> Verdict:
        return self.judge.verdict

    @property
    def stop(self) -> bool:
        return bool(self.reason)

    @property
    def progress(self) -> float:
        """Share of the steps that are done; 0 where their number is not known."""
        return min(1.0, self.steps / self.total) if self.total else 0.0

    # --- what is noted at every step, without waiting for the device

    def step(self, *, real: Tensor | None = None, fake: Tensor | None = None, **losses: Tensor | float) -> None:
        """After the players have moved.

        Args:
            real, fake: D's logits (or probabilities) on the real and the generated samples of this step, (N,) or (N, ...).
            losses: of the players, by name; one number each.
        """
        self._began = self._began or time.perf_counter()
        self.steps += 1
        if (real is None) != (fake is None):
            raise InputError("step: real= and fake= belong together; give D's logits on both, or neither.")
        watched = {} if real is None or fake is None else {"real": logits("real", real), "fake": logits("fake", fake)}
        self.seen += len(watched["real"]) if watched else self._batch
        for name, loss in losses.items():
            if name not in self.nets:
                raise InputError(f"step: {name}= is no player; the players are {', '.join(self.nets)}.")
            self.meter.add(name, Terms(adversarial=scalar(name, loss)), self.seen)
        if watched:
            self.meter.add("D", Terms().watch(**watched), self.seen)
        if self.steps % self.every == 0 or self.steps == self.total:
            self._read()
        for rein in self.reins.values():
            rein.measure = rein.measure or (self.steps + 1) % self.every == 0
        if self.judge.acts:
            self._turn()

    # --- what is read now and then

    def _read(self) -> None:
        read = self.meter.take()
        bad = read.bad or not_finite(self.nets, self.seen)
        values = {**read.terms, **read.signals, **({} if bad else self._gauge())}
        if not bad and self.window is not None:
            figures, bad = self._look()
            values |= figures
        decision = self.judge.observe(self.seen, self.progress, values, bad)
        self._carry_out(decision)
        self._record(decision, read.terms)

    def _gauge(self) -> dict[str, float]:
        """What `training.gauge` reads of a run: names as there."""
        lead = self.meter.lead()
        values = {} if lead is None else {"balance/lead": lead}
        for name, rein in self.reins.items():
            if rein.measured is not None:
                gradient, update = rein.measured.tolist()
                values |= {f"grad/{name}": gradient, f"update/{name}": update}
        return values | {
            f"spectrum/{name}": spectrum(self.nets[name]) / first for name, first in self._first.items() if first > 0
        }

    def _look(self) -> tuple[dict[str, float], str]:
        """Figures of fresh samples; none while looking has used its share of the time. And what was not finite."""
        if not self.judge.acts and self._spent + self._cost > SHARE * (time.perf_counter() - self._began):
            return {}, ""
        assert self.window is not None and self.data is not None
        start = time.perf_counter()
        with aside(self.nets, derive(0, "companion", self.steps)):
            samples = torch.cat([self._draw(CHUNK) for _ in range(SAMPLES // CHUNK)])
            if not torch.isfinite(samples).all():
                return {}, f"generated samples are no longer finite at {self.seen:,} seen samples"
            figures = self.window.look(self.data.modality.to_array(samples))
        self._cost = time.perf_counter() - start
        self._spent += self._cost
        return {f"samples/{name}": value for name, value in figures.items()}, ""

    def _draw(self, n: int) -> Tensor:
        assert self._sample is not None and self.data is not None
        samples, wanted = self._sample(n), (n, *self.data.spec.shape)
        if not isinstance(samples, Tensor) or tuple(samples.shape) != wanted:
            found = tuple(samples.shape) if isinstance(samples, Tensor) else type(samples).__name__
            raise InputError(f"sample({n}) gave {found}; a tensor of the shape {wanted} is needed, like the data.")
        return samples.detach().to("cpu", torch.float32)

    # --- what is done about it

    def _carry_out(self, decision: Decision) -> None:
        if decision.keep:
            self.snapshots.keep(self.seen)
        if decision.back_to is not None:
            self.snapshots.take_up(decision.back_to)
            if self.window is not None:
                self.window.forget()
        if decision.stop:
            self.reason = decision.stop
        elif self.until == decision.verdict.name:
            self.reason = decision.verdict.sentence

    def _turn(self) -> None:
        """Lay the guardian's turns over the optimizers' own rates."""
        knobs = self.judge.turns.over(Knobs(), self.seen, self.progress)
        for name, rein in self.reins.items():
            rein.rate, rein.beta1 = knobs.lr * knobs.rates.get(name, 1.0), knobs.beta1

    def _record(self, decision: Decision, terms: Mapping[str, float]) -> None:
        self.told += decision.told
        if self.log:
            now = self.judge.history.now
            signals = {name: value for name, value in now.values.items() if name not in terms}
            with closing(Events(self.log)) as events:
                events.write("tick", seen=now.seen, progress=now.progress, terms=dict(terms), signals=signals)
                for record in decision.told:
                    events.write(**record)
        said = [_said(record) for record in decision.told] + ([f"stop: {decision.stop}"] if decision.stop else [])
        for sentence in said if self.tell else ():
            assert self.tell is not None
            self.tell(f"tightrope, step {self.steps:,}: {sentence}")

    def report(self, path: str | Path) -> Path:
        """Write the picture of the game, its verdicts and remedies as one HTML file; returns its path."""
        from tightrope.report.alone import write

        readings = self.judge.history.readings
        ticks = [{"event": "tick", "seen": r.seen, "progress": r.progress, "signals": dict(r.values)} for r in readings]
        return write(Path(path), sorted([*ticks, *self.told], key=lambda record: record["seen"]), tightrope.__version__)

    # --- what is remembered

    def state_dict(self) -> dict[str, Any]:
        """Everything, for their checkpoint: plain data and tensors."""
        return {
            "steps": self.steps, "seen": self.seen, "reason": self.reason, "told": list(self.told), "judge": self.judge.state(),
            "first": dict(self._first), "snapshots": dict(self.snapshots.held),
            "began": self._began and time.perf_counter() - self._began, "spent": self._spent,
            "cost": self._cost, "window": None if self.window is None else self.window.fake.clone(),
        }  # fmt: skip

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up what `state_dict` gave; the networks and optimizers are theirs to load."""
        self.steps, self.seen, self.reason = int(state["steps"]), int(state["seen"]), str(state["reason"])
        self.told, self._first = list(state["told"]), dict(state["first"])
        self.judge.restore(state["judge"])
        self.snapshots.held = dict(state["snapshots"])
        self._began = state["began"] and time.perf_counter() - state["began"]
        self._spent, self._cost = state["spent"], state["cost"]
        if self.window is not None and state["window"] is not None:
            self.window.fake = state["window"].clone()
        self.meter.take()
        self._turn()


def _facts(nets: Mapping[str, nn.Module], reins: Mapping[str, Rein], steps: int | None) -> Facts:
    groups = {name: rein.optimizer.param_groups[0] for name, rein in reins.items()}
    return Facts(
        rates={name: float(group["lr"]) for name, group in groups.items()},
        sizes={name: weight_size(nets[name]) or 0.0 for name in reins},
        knobs=frozenset({"rates", *(["beta1"] if any("betas" in group for group in groups.values()) else [])}),
        steps=float(steps or 0),
    )


def _window(data: Given) -> Window:
    if len(data) < LEAST_REAL:
        raise InputError(f"data: holds {len(data)} samples; at least {LEAST_REAL} are needed to compare with.")
    return Window(judge_for(data.spec), data)


def _said(record: Mapping[str, Any]) -> str:
    """A record in words."""
    match record["event"]:
        case "verdict":
            return f"{record['name']}. {record['sentence']}"
        case "remedy":
            back = "" if record["back_to"] is None else f" Back to the state at {record['back_to']:,} samples."
            return f"remedy: {record['name']}, so that {record['expects']}.{back}"
    return str(record.get("sentence", record["event"]))
