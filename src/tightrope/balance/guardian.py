"""The guardian: readings in, decisions out. One state machine, whose whole state is plain data.

It concludes at every reading. It acts only where a run is in trouble: one remedy at a time, each checked after a while and undone
where it did not help; what was good is kept and can be gone back to. A run that nothing saves is ended early.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from tightrope.balance import health, prospects, remedies, verdicts
from tightrope.balance.decision import Decision, Facts
from tightrope.balance.history import History, Reading
from tightrope.balance.prospects import NEAR, WAVERS
from tightrope.balance.remedies import Remedy
from tightrope.balance.verdict import Verdict
from tightrope.core.turns import Turns

BROKEN = ("non-finite", "diverging")  # acted upon at once
EARLY = 0.07  # of the run, before which only what is not finite or runs away is acted upon
WORTH = 0.3  # health of a state that is worth going back to
LOW = 0.1  # health of samples that show nothing yet
COLLAPSED = 0.4  # of its best health, below which a run has lost what it had
BETTER = 0.1  # of health: by how much a remedy must help at least
PATIENCE = 0.25  # of the run without improvement, with nothing left to try, after which it ends
HOPELESS = ("duplicating", "D overpowers")  # of a run without a target that has nothing to show at its half; others may be slow
SHORT = 500  # moves of D: a run of fewer is only a beginning
HALFWAY = 0.5  # health of a state that the safer game has to come up to again
LAST = 0.75  # of the run, after which no remedy has the time to help
SLIPPED = 0.9  # of the best health, below which the best state is delivered instead of the last


@dataclasses.dataclass
class Trial:
    """A remedy under check."""

    name: str
    check_at: float  # progress
    before: float  # health then
    cause: str  # name of the verdict
    undo: dict[str, Any]  # the turns before

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


class Guardian:
    """Watches one game.

    Args:
        act: False only watches.

    Attributes:
        acts: as `act`.
        history: the readings so far.
        verdict: the newest one.
        troubled: whether it holds that something has to be done now.
    """

    def __init__(self, facts: Facts, *, act: bool) -> None:
        self.facts, self.acts = facts, act
        self.history = History()
        self.verdict = Verdict(name="healthy", since=0, sure=0.0, evidence={}, sentence="Nothing has been read yet.")
        self.troubled = False
        self.turns = Turns()
        self.since = -1.0  # progress from which readings are of the game as it is played now
        self.trial: Trial | None = None
        self.tried: list[str] = []
        self.kept = (0.0, 0, 0.0)  # health, seen, progress of the best snapshot

    # --- what is concluded

    @property
    def usable(self) -> bool:
        """Whether the samples are now good enough: as good as the target, or, where none was named, fair."""
        level = health.now(self.history)
        return level is not None and level >= (1.0 if self.facts.target else health.FAIR) and self.verdict.name != "non-finite"

    def converged(self) -> bool:
        """Whether more training does not help."""
        return self.verdict.name == "converged"

    def known(self) -> dict[str, float]:
        """What the guardian itself adds to a reading, for the record."""
        level = self.history.now.values.get(health.NAME) if len(self.history) else None
        return {} if level is None else {health.NAME: level}

    def observe(self, seen: int, progress: float, values: Mapping[str, float], bad: str = "") -> Decision:
        """Take in one reading and decide.

        Args:
            values: what was read, by name.
            bad: a sentence where something was not finite.
        """
        level = health.health(values, self.facts.target)
        read = dict(values) if level is None else {**values, health.NAME: level}
        self.history.add(Reading(seen, progress, read))
        before, self.verdict = self.verdict, verdicts.conclude(self.history, self.facts, bad, self.since)
        self.troubled = bool(bad) or self.verdict.name == "diverging" or self._in_trouble(progress)
        if self.troubled and self.verdict.good:
            self.verdict = self._short(before, seen)
        told = () if before.name == self.verdict.name else ({"event": "verdict", "seen": seen, **self.verdict.to_json()},)
        if not self.acts:
            return Decision(verdict=self.verdict, told=told)
        decision = self._decide(seen, progress)
        return dataclasses.replace(decision, told=(*told, *decision.told))

    def _decide(self, seen: int, progress: float) -> Decision:
        if self.verdict.name in BROKEN:
            return self._treat(seen, progress, ())
        told: tuple[dict[str, Any], ...] = ()
        if self.trial is not None:
            if progress < self.trial.check_at and not self._harms():
                return Decision(verdict=self.verdict, keep=self._keeps(seen, progress))
            lost = self._lost()
            helped, told = self._check(seen, lost)
            if lost and not helped:
                return self._return(progress, told)
            if not helped and self.turns.safer:
                return self._treat(seen, progress, told)
        if self._in_trouble(progress):
            return self._treat(seen, progress, told)
        turns = self.turns if told else None  # a check may have undone some
        return Decision(verdict=self.verdict, told=told, turns=turns, keep=self._keeps(seen, progress))

    def _keeps(self, seen: int, progress: float) -> bool:
        """Whether the state is the best so far and worth a snapshot."""
        found = self.history.series(health.NAME, self.since).values[-health.LATEST :]
        level = min(found) if len(found) == health.LATEST else 0.0
        if level < max(WORTH, 1.05 * self.kept[0]):
            return False
        self.kept = (level, seen, progress)
        return True

    def _in_trouble(self, progress: float) -> bool:
        """Whether something has to be done: what it had is lost, or it gets nowhere."""
        if progress < EARLY:
            return False
        level, (best, _, _) = health.now(self.history, self.since), health.best(self.history, self.since)
        if level is None:
            return False
        if best >= WORTH and level < COLLAPSED * best:
            return True
        if self.turns.safer:  # its samples become sharp when its rates have fallen, late: only a blind D is in the way
            lost = best >= 1 and max(self.history.series(health.NAME, self.since).values[-health.LATEST :]) < NEAR
            return lost or self._blind(level)
        if self.verdict.name == "memorising":
            return True
        if self.facts.target:
            return prospects.behind(self.history, self.since)
        late = progress >= verdicts.HALF and not 0 < self.facts.steps < SHORT
        nothing = best < LOW and not prospects.reaches_out(self.history, self.since)
        return late and nothing and self.verdict.name in HOPELESS

    def _blind(self, level: float) -> bool:
        """Whether D tells nothing apart and samples reach nothing; while they do, the game is on its way."""
        return self.verdict.name == "G overpowers" and level < LOW and not prospects.alive(self.history, self.since)

    def _lost(self) -> bool:
        """Whether samples are clearly worse than the state that is kept; the safer game is given its time where that is poor."""
        level, worth = health.now(self.history, self.since), HALFWAY if self.turns.safer else WORTH
        return level is not None and self.kept[0] >= worth and level < WAVERS * self.kept[0]

    def _harms(self) -> bool:
        """Whether the remedy under check has already cost what the run had; the safer game is worse before it is better."""
        if self.trial is None or self.trial.cause in BROKEN or self.turns.safer:
            return False
        return len(self.history.series(health.NAME, self.since).values) >= health.LATEST and self._lost()

    # --- what is done

    def _treat(self, seen: int, progress: float, told: tuple[dict[str, Any], ...]) -> Decision:
        """The next remedy, or the end."""
        name = self.verdict.name
        left = remedies.choices(name, self.facts, self.turns, tuple(self.tried))
        if self.facts.safer and not self.turns.safer and name != "memorising" and (name not in BROKEN or self.kept[0] < WORTH):
            left = [remedy for remedy in left if remedy is remedies.safer] or left  # one strong remedy: no time for three
        if not left or progress > LAST:
            return self._give_up(seen, progress, told)
        return self._apply(left[0], seen, progress, told)

    def _short(self, before: Verdict, seen: int) -> Verdict:
        """Nothing is wrong but the samples themselves: they fell, or come too slowly."""
        level, (best, at, _) = health.now(self.history, self.since) or 0.0, health.best(self.history, self.since)
        if best >= WORTH and level < COLLAPSED * best:
            sentence = f"Samples fell from {best:.2f} to {level:.2f} since {at:,} samples: the players no longer hold each other."
            return Verdict(name="oscillating", since=at, sure=0.7, evidence={"health": level, "best": best}, sentence=sentence)
        sentence = f"Samples are at {level:.0%} of what is wanted and will not get there at their pace."
        since = before.since if before.name == "stalled" else seen
        return Verdict(name="stalled", since=since, sure=0.6, evidence={"health": level}, sentence=sentence)

    def _apply(self, remedy: Remedy, seen: int, progress: float, told: tuple[dict[str, Any], ...]) -> Decision:
        level = health.now(self.history, self.since) or 0.0
        keep = level >= max(WORTH, SLIPPED * self.kept[0]) and self.verdict.name not in BROKEN
        if keep:  # what the remedy may cost can be had again
            self.kept = (level, seen, progress)
        back = self._back(remedy, level)
        undo = self.turns.to_json()
        changed = remedy.change(self.turns, self.facts)
        self.turns = dataclasses.replace(changed, since=progress, from_seen=seen)
        self.trial = Trial(remedy.name, progress + remedy.wait, level, self.verdict.name, undo)
        self.tried.append(remedy.name)
        self.since = progress + 1e-9
        check_at = round(seen * (progress + remedy.wait) / max(progress, 1e-9))
        said = {
            "event": "remedy", "seen": seen, "name": remedy.name, "reason": self.verdict.sentence, "expects": remedy.expects,
            "turns": self.turns.to_json(), "back_to": back, "check_at": check_at,
        }  # fmt: skip
        return Decision(verdict=self.verdict, told=(*told, said), turns=self.turns, back_to=back, keep=keep)

    def _return(self, progress: float, told: tuple[dict[str, Any], ...]) -> Decision:
        """From a remedy that cost what the run had to the best state, played as before."""
        self.since = progress + 1e-9
        return Decision(verdict=self.verdict, told=told, turns=self.turns, back_to=self.kept[1])

    def _back(self, remedy: Remedy, level: float) -> int | None:
        """Where to begin: at the best snapshot where much was lost, at the start where that is what the remedy means."""
        broken = self.verdict.name in BROKEN
        if self.kept[0] >= WORTH and (broken or level < WAVERS * self.kept[0] or remedy.from_start):
            return self.kept[1]
        return 0 if remedy.from_start or broken else None

    def _check(self, seen: int, lost: bool) -> tuple[bool, tuple[dict[str, Any], ...]]:
        """Whether the remedy under check helped; its turns are undone where it did not."""
        trial, self.trial = self.trial, None
        assert trial is not None
        level = health.now(self.history, self.since) or 0.0
        if trial.cause in BROKEN:  # it is whole again, and that is what was asked
            helped = True
        elif trial.name == remedies.augmented.name:
            helped = level >= 0.9 * trial.before
        else:
            helped = level >= min(1.0, max(trial.before + BETTER, 1.5 * trial.before))
            helped |= self.turns.safer and not self._blind(level)
            helped &= not lost
        if not helped and (lost or not self.turns.safer):
            self.turns = Turns.from_json(trial.undo)
        how = "did not help" if not helped else "helped" if level > trial.before + 0.01 else "is given its time"
        sentence = f"{trial.name} {how}: health went from {trial.before:.2f} to {level:.2f}."
        return helped, ({"event": "checked", "seen": seen, "name": trial.name, "helped": helped, "sentence": sentence},)

    def _give_up(self, seen: int, progress: float, told: tuple[dict[str, Any], ...]) -> Decision:
        """Nothing is left to try: end, where something was tried and waiting has not helped either."""
        best, _, when = health.best(self.history, self.since)
        when = when if best >= WORTH else 0.0  # what is lower than that goes up and down by chance
        broken = self.verdict.name in BROKEN
        if not broken and (not self.tried or progress - max(when, self.since, 0.0) < PATIENCE):
            return Decision(verdict=self.verdict, told=told, turns=self.turns)
        allowed = self.facts.safer or "safer" not in self.facts.knobs
        hint = "" if allowed else " Not tried: the safer game; --allow-safer allows it."
        tried = f"Tried: {', '.join(self.tried)}.{hint}" if self.tried else "There was nothing to go back to."
        kept = f" The best state, of health {self.kept[0]:.2f} at {self.kept[1]:,} samples, is kept." if self.kept[1] else ""
        return Decision(verdict=self.verdict, told=told, turns=self.turns, stop=f"{self.verdict.sentence} {tried}{kept}")

    def finish(self, seen: int) -> Decision:
        """At the end: the best state in the last one's place, where the last is clearly worse."""
        level = health.now(self.history, self.since) or 0.0
        missed = bool(self.facts.target) and level < 1 <= self.kept[0]
        if not self.acts or not self.kept[1] or (level >= SLIPPED * self.kept[0] and not missed):
            return Decision(verdict=self.verdict)
        sentence = f"health fell from {self.kept[0]:.2f} to {level:.2f}; the state at {self.kept[1]:,} samples is delivered."
        said = {"event": "remedy", "seen": seen, "name": "best state", "reason": sentence, "expects": sentence,
                "turns": {}, "back_to": self.kept[1], "check_at": seen}  # fmt: skip
        return Decision(verdict=self.verdict, told=(said,), back_to=self.kept[1])

    # --- what is remembered

    def state(self) -> dict[str, Any]:
        """All of it, as plain data for a checkpoint."""
        return {
            "readings": [reading.to_json() for reading in self.history.readings], "verdict": self.verdict.to_json(),
            "turns": self.turns.to_json(), "since": self.since, "trial": self.trial.to_json() if self.trial else None,
            "tried": list(self.tried), "kept": list(self.kept),
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        self.history = History(Reading.from_json(record) for record in state["readings"])
        self.verdict, self.turns = Verdict(**state["verdict"]), Turns.from_json(state["turns"])
        self.since, self.tried = float(state["since"]), list(state["tried"])
        self.trial = Trial(**state["trial"]) if state["trial"] else None
        level, seen, progress = state["kept"]
        self.kept = (float(level), int(seen), float(progress))
