"""The trainer: one run from its first round (or its checkpoint) to its end, with ticks in between.

At a tick the meter is read, health is checked, events and a preview are written, and now and then a checkpoint.
"""

from __future__ import annotations

import dataclasses
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from tightrope.core.data import Dataset
from tightrope.core.errors import InputError, Interrupted, RunStopped
from tightrope.core.files import write_atomically
from tightrope.core.game import Knobs, Recipe
from tightrope.training import checkpoint
from tightrope.training.artifact import write_generator
from tightrope.training.budget import Budget
from tightrope.training.engine import Engine
from tightrope.training.events import Events
from tightrope.training.feed import Feed
from tightrope.training.game import Game
from tightrope.training.loop import play
from tightrope.training.machine import resident_mb
from tightrope.training.meter import Meter, require_finite
from tightrope.training.previews import Previews
from tightrope.training.watch import Observer, Watch

PULSE = 0.5  # seconds between two signs of life
WARM_UP = (5, 25)  # rounds between which a run's speed is first measured


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run does besides the recipe.

    Attributes:
        folder: the run directory.
        tick: samples between two ticks.
        checkpoint_minutes: wall time between two checkpoints (one is always written at the end).
        seed: of everything random.
        facts: what the generator's file says of the recipe and the data.
        observe: is shown fresh samples at ticks; its figures are signals, and the best "score" keeps its generator.
    """

    folder: Path
    tick: int
    seed: int
    checkpoint_minutes: float = 2.0
    facts: dict[str, str] = dataclasses.field(default_factory=dict)
    observe: Observer | None = None


class Trainer:
    """Plays a run to its end and keeps its directory up to date.

    Args:
        started: `time.perf_counter()` at which this start's wall time began.
    """

    def __init__(
        self, recipe: Recipe, dataset: Dataset, engine: Engine, budget: Budget, plan: Plan, events: Events, started: float
    ) -> None:
        self.engine, self.budget, self.plan, self.events = engine, budget, plan, events
        self.game = Game(recipe, dataset.spec, engine, plan.seed)
        self.feed = Feed(recipe, dataset, engine, plan.seed)
        self.meter = Meter()
        self.previews = Previews(self.game, dataset, plan.folder, plan.seed) if engine.chief else None
        self.watch = Watch(self.game, dataset.modality, plan.observe) if engine.chief and plan.observe else None
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
        self.game.restore(tensors, counters)
        self.budget = dataclasses.replace(
            self.budget, **{k: counters["budget"][k] for k in ("anchor_seen", "anchor_progress", "slope")}
        )
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
        if self.budget.minutes is not None:  # the first tick is far: speed is measured after a few rounds that warm up
            self._looks = [self.game.seen + rounds * self.feed.recipe.batch for rounds in WARM_UP]
        self._last = (self.game.seen, self._seconds())
        with _signals(self._note_signal):
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
        """The last tick, unless the last round just had one, and the last checkpoint."""
        if self._last[0] != self.game.seen:
            self._tick(self.game.recipe.schedule(self.game.seen, 1.0), final=True)
        else:
            self._save()

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
        terms, signals = self.meter.read()
        require_finite(game.nets, game.seen)
        speed = (game.seen - self._last[0]) / max(seconds - self._last[1], 1e-9)
        if not final:
            self._replan()
        left = self.budget.left(game.seen, seconds, speed)
        game.seconds = seconds
        if self.engine.chief:
            signals |= self._look(seconds, always=self.budget.done(game.seen))
            self.events.write(
                "tick", seen=game.seen, seconds=seconds, progress=self.budget.progress(game.seen), left=left, speed=speed,
                terms=terms, signals=signals, memory_mb=resident_mb(), watched=self.watch.spent if self.watch else 0.0,
                knobs={k: v for k, v in dataclasses.asdict(knobs).items() if v is not None},
            )  # fmt: skip
            self._preview()
            self._warn_if_slow(speed)
        if final or time.perf_counter() - self._saved > 60 * self.plan.checkpoint_minutes:
            self._save()
        self._last = (game.seen, seconds)
        if self.engine.any(bool(self._stop)) and not final:
            self._leave(knobs)

    def _look(self, seconds: float, always: bool) -> dict[str, float]:
        """What the observer says of the samples now; the generator that it scores best so far is kept."""
        figures = self.watch.look(seconds, always=always) if self.watch else {}
        score = figures.get("samples/score", 0.0)
        if score > self._best_score:
            self._best_score = score
            self._write_generator("best.safetensors")
            self.events.write("best", seen=self.game.seen, score=score, path="best.safetensors")
        return figures

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
            path = checkpoint.save(self.checkpoints, game.tensors(), counters)
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


class _signals:
    """SIGINT and SIGTERM go to a handler inside the block (in the main thread, where Python delivers them)."""

    def __init__(self, handler: Callable[[int, FrameType | None], Any]) -> None:
        self.handler = handler
        self.before: dict[int, Any] = {}

    def __enter__(self) -> None:
        import threading

        if threading.current_thread() is threading.main_thread():
            self.before = {number: signal.signal(number, self.handler) for number in (signal.SIGINT, signal.SIGTERM)}

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
