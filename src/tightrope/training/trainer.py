"""The trainer: one run from its first round (or its checkpoint) to its end, with ticks in between.

At a tick the meter is read, health is checked, events and a preview are written, and now and then a checkpoint.
"""

from __future__ import annotations

import dataclasses
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Any

from tightrope.core.data import Dataset
from tightrope.core.errors import InputError, Interrupted, RunStopped
from tightrope.core.files import write_atomically
from tightrope.core.game import Knobs, Recipe
from tightrope.core.given import bound
from tightrope.training import checkpoint
from tightrope.training.artifact import write_generator
from tightrope.training.budget import Budget
from tightrope.training.engine import Engine
from tightrope.training.events import Events
from tightrope.training.feed import Feed
from tightrope.training.game import Game
from tightrope.training.gauge import Gauge
from tightrope.training.guard import Decided, Guard
from tightrope.training.interrupts import signals
from tightrope.training.loop import play
from tightrope.training.machine import resident_mb
from tightrope.training.meter import Meter, Read, not_finite, require_finite
from tightrope.training.plan import Plan
from tightrope.training.previews import Previews
from tightrope.training.ring import Ring
from tightrope.training.watch import KEY, Watch

PULSE = 0.5  # seconds between two signs of life
WARM_UP = (5, 25)  # rounds between which a run's speed is first measured


class Trainer:
    """Plays a run to its end and keeps its directory up to date.

    Args:
        started: `time.perf_counter()` at which this start's wall time began.
    """

    def __init__(
        self, recipe: Recipe, dataset: Dataset, engine: Engine, budget: Budget, plan: Plan, events: Events, started: float
    ) -> None:
        self.engine, self.budget, self.plan, self.events = engine, budget, plan, events
        self.game = Game(bound(recipe, dataset), dataset.spec, engine, plan.seed, plan.begin)
        self.feed = Feed(recipe, dataset, engine, plan.seed)
        self.meter = Meter()
        self.previews = Previews(self.game, dataset, plan.folder, plan.seed) if engine.chief else None
        watched = engine.chief and plan.observer is not None
        self.watch = Watch(self.game, dataset.modality, plan.observer, plan.look) if watched and plan.observer else None
        self.guard: Guard | None = None
        if plan.guardian:
            gauge, ring = Gauge(self.game, plan.held_out), Ring(self.checkpoints)
            self.guard = Guard(self.game, self.meter, plan.guardian(self.game), gauge, ring)
        self._best_score = 0.0  # of the samples, at any tick
        self._origin = started  # perf_counter at which `seconds` was 0
        self._next_tick = 0
        self._looks: list[int] = []  # samples at which speed is first measured, from and to
        self._last = (0, 0.0)  # (seen, seconds) at the last tick
        self._saved = self._pulsed = time.perf_counter()
        self._stop = ""
        self._fastest, self._warned = 0.0, False

    @property
    def checkpoints(self) -> Path:
        return self.plan.folder / "checkpoints"

    def resume(self) -> list[str]:
        """Take up the newest checkpoint; returns a sentence about each damaged one that was passed over."""
        tensors, counters, damaged = checkpoint.newest(self.checkpoints)
        held = tensors.pop(KEY, None)
        self.game.restore(tensors, counters)
        if self.watch:
            self.watch.every = int(counters.get("look", 0))
            if held is not None:
                self.watch.observer.fake = held
        if self.guard and "guardian" in counters:
            self.guard.guardian.restore(counters["guardian"])
            self.guard.take_up(tensors)
        if self.guard and self.engine.chief:
            self.guard.ring.after(self.game.seen)
        self.budget = dataclasses.replace(self.budget, **counters["budget"])
        self._next_tick = int(counters["next_tick"])
        self._origin -= self.game.seconds
        self._last = (self.game.seen, self.game.seconds)
        self._best_score = float(counters.get("best_score", 0.0))
        return damaged

    def train(self) -> None:
        """Play until the budget is spent.

        Raises:
            Interrupted: a signal came; the state is saved.
            RunStopped: a number was not finite; the last healthy checkpoint is kept.
        """
        if self.game.seen == 0:
            self._next_tick = self.plan.tick
            if self.guard:
                self.guard.begin()
        if self.budget.minutes is not None:  # the first tick is far: speed is measured after a few rounds that warm up
            self._looks = [self.game.seen + rounds * self.feed.recipe.batch for rounds in WARM_UP]
        self._last = (self.game.seen, self._seconds())
        with signals(self._note_signal):
            try:
                play(self.game, self.feed, self.budget, self.meter, self._after)
                self._finish()
            except RunStopped as error:
                kept = checkpoint.found(self.checkpoints)
                where = f"the last healthy checkpoint is {kept[-1]}" if kept else "no checkpoint had been written yet"
                self._end("stopped", f"{error}; {where}.")
                raise RunStopped(f"{self.plan.folder}: {error}; {where}.") from None
            except InputError as error:  # no room for a checkpoint
                self._end("stopped", str(error))
                raise
        self._end("done", "")

    def _after(self, knobs: Knobs) -> None:
        game = self.game
        if self._looks and game.seen >= self._looks[0]:
            self._looks.pop(0)
            if self._looks:
                self._last = (game.seen, self._seconds())
            else:
                self._replan()
        self._pulse()
        if game.seen >= self._next_tick:
            self._next_tick += self.plan.tick * (1 + (game.seen - self._next_tick) // self.plan.tick)
            self._tick(knobs)
        elif self._stop and self.engine.processes == 1:
            self._leave(knobs)

    def _finish(self) -> None:
        """The last tick, unless the last round just had one, the guardian's last word, and the last checkpoint."""
        if self._last[0] != self.game.seen:
            self._tick(self.game.knobs(1.0), final=True)
        self._last_word()
        self._save()

    def _last_word(self) -> None:
        """The best state in the place of a last one that is clearly worse."""
        if self.guard:
            self._write(self.guard.finish())

    def _pulse(self) -> None:
        """Tell the listeners how far the run is, twice a second, from numbers the host knows anyway."""
        now = time.perf_counter()
        if self.engine.chief and now - self._pulsed > PULSE:
            self._pulsed, seconds, (seen, then) = now, now - self._origin, self._last
            speed = (self.game.seen - seen) / max(seconds - then, 1e-9)
            left = self.budget.left(self.game.seen, seconds, speed)
            self.events.tell("pulse", seen=self.game.seen, seconds=seconds, left=left, speed=speed)

    def _replan(self) -> None:
        seconds = self._seconds()
        speed = (self.game.seen - self._last[0]) / max(seconds - self._last[1], 1e-9)
        seen, seconds, speed = self.engine.agree([self.game.seen, seconds, speed])
        self.budget.replan(int(seen), seconds, speed)

    def _tick(self, knobs: Knobs, final: bool = False) -> None:
        game, seconds = self.game, self._seconds()
        values, bad = self._gauged()
        speed = (game.seen - self._last[0]) / max(seconds - self._last[1], 1e-9)
        if not final:
            self._replan()
        left = self.budget.left(game.seen, seconds, speed)
        game.seconds = seconds
        figures = {} if bad else self._look(seconds - self._last[1])
        decision = self._decide({**values.terms, **values.signals, **figures}, bad)
        if self.engine.chief:
            known = self.guard.guardian.known() if self.guard else {}
            self.events.write(
                "tick", seen=game.seen, seconds=seconds, progress=self.budget.progress(game.seen), left=left, speed=speed,
                terms=values.terms, signals=values.signals | figures | known, memory_mb=resident_mb(),
                watched=self.watch.spent if self.watch else 0.0,
                knobs={k: v for k, v in dataclasses.asdict(knobs).items() if v not in (None, {})},
            )  # fmt: skip
            if decision:
                self._write(decision.told)
            self._preview()
            self._warn_if_slow(speed)
        if decision and decision.stop:
            self._give_up(decision.stop)
        healthy = not bad or (decision is not None and decision.back_to is not None)
        if not final and healthy and time.perf_counter() - self._saved > 60 * self.plan.checkpoint_minutes:
            self._save()
        self._last = (game.seen, seconds)
        if self.engine.any(bool(self._stop)) and not final:
            self._leave(knobs)

    def _gauged(self) -> tuple[Read, str]:
        """Terms and signals since the last tick, and a sentence where something is not finite and a guardian can see to it.

        Raises:
            RunStopped: something is not finite, and nobody can.
        """
        read = self.meter.take()
        bad = read.bad or not_finite(self.game.nets, self.game.seen)
        if bad and not (self.guard and self.guard.guardian.acts):
            raise RunStopped(bad)
        gauged = self.guard.gauge.read(self.meter) if self.guard and not bad else {}
        return read._replace(signals=read.signals | gauged), bad

    def _look(self, tick_seconds: float) -> dict[str, float]:
        """What the observer says of the samples now; the generator that it scores best so far is kept."""
        if self.watch is None:
            return {}
        figures = self.watch.look(self.game.seen // self.plan.tick, always=self.budget.done(self.game.seen))
        self.watch.pace(tick_seconds)
        score = figures.get("samples/score", 0.0)
        if score > self._best_score:
            self._best_score = score
            self._write_generator("best.safetensors")
            self.events.write("best", seen=self.game.seen, score=score, path="best.safetensors")
        return figures

    def _decide(self, values: dict[str, float], bad: str) -> Decided | None:
        """Ask the guardian, and do as it says."""
        if self.guard is None:
            return None
        decision = self.guard.decide(self.budget.progress(self.game.seen), values, bad)
        if decision.back_to is not None and self.watch:
            self.watch.observer.forget()
        if self.plan.until_converged and self.guard.guardian.converged():
            self.budget.over = True
        return decision

    def _give_up(self, why: str) -> None:
        """The guardian ends a run that it cannot save; the best state is what is left of it."""
        self._last_word()
        if not not_finite(self.game.nets, self.game.seen):
            self._save()
        raise RunStopped(why.rstrip("."))

    def _write(self, told: Iterable[dict[str, Any]]) -> None:
        if self.engine.chief:
            for record in told:
                self.events.write(**record)

    def _warn_if_slow(self, speed: float) -> None:
        """Once: threads that share their cores with another program wait for each other and lose most of the speed."""
        self._fastest = max(self._fastest, speed)
        if speed < self._fastest / 3 and not self._warned:
            self._warned = True
            self.events.write(
                "warning",
                message=f"training slowed from {self._fastest:,.0f} to {speed:,.0f} samples/s: something else uses these cores; "
                "stop it, or resume with fewer --threads.",
            )

    def _preview(self) -> None:
        if self.previews:
            path = self.previews.draw(self.game.average.nets, self.game.seen)
            self.events.write("preview", seen=self.game.seen, path=str(path.relative_to(self.plan.folder)))

    def _save(self) -> None:
        game = self.game
        self._saved = time.perf_counter()
        game.seconds = self._seconds()
        if self.engine.chief:
            anchor = {k: v for k, v in dataclasses.asdict(self.budget).items() if k not in ("seen", "minutes")}
            counters = {**game.counters(), "budget": anchor, "next_tick": self._next_tick, "best_score": self._best_score}
            tensors = game.tensors()
            if self.guard:
                counters["guardian"] = self.guard.guardian.state()
                tensors |= self.guard.tensors()
            if self.watch:
                counters["look"] = self.watch.every
                tensors[KEY] = self.watch.observer.fake
            path = checkpoint.save(self.checkpoints, tensors, counters)
            self._write_generator("generator.safetensors")
            self.events.write("checkpoint", seen=game.seen, path=str(path.relative_to(self.plan.folder)))
        self.engine.barrier()

    def _write_generator(self, name: str) -> None:
        facts = {**self.plan.facts, "seen": str(self.game.seen)}
        write_atomically(self.plan.folder / name, lambda p: write_generator(p, self.game.average.nets, facts))

    def _leave(self, knobs: Knobs) -> None:
        require_finite(self.game.nets, self.game.seen)
        self._save()
        message = f"{self._stop or 'another process'} stopped the run; the state is saved."
        self._end("interrupted", message)
        raise Interrupted(f"{self.plan.folder}: {message} Go on with: tightrope resume {self.plan.folder}")

    def _end(self, reason: str, message: str) -> None:
        if self.engine.chief:
            self.events.write("end", seen=self.game.seen, seconds=self._seconds(), reason=reason, message=message)

    def _seconds(self) -> float:
        return time.perf_counter() - self._origin

    def _note_signal(self, number: int, frame: FrameType | None) -> None:
        if self._stop:  # the second time it is meant at once
            raise KeyboardInterrupt
        self._stop = signal.Signals(number).name
