"""What users call: train, resume, load. Here recipes, data, training, metrics and report meet; none of them knows another."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

import tightrope
from tightrope import care, recipes, transfer
from tightrope import data as data_room
from tightrope.balance.guardian import Guardian
from tightrope.circumstances import budget_of, circumstances
from tightrope.core.data import Dataset
from tightrope.core.errors import InputError
from tightrope.core.files import write_json
from tightrope.interop import card
from tightrope.judging import doctor, evaluate, leaderboard, tables
from tightrope.judging.subjects import LEAST_UNSEEN
from tightrope.metrics.judge import judge_for
from tightrope.metrics.online import LEAST_REAL, Window
from tightrope.options import Options
from tightrope.run import Run, brief, data_record, facts, load, recipe_record
from tightrope.steadied import Steadied
from tightrope.training import checkpoint
from tightrope.training.budget import Budget
from tightrope.training.engine import Engine
from tightrope.training.events import Events, Listener
from tightrope.training.game import Game
from tightrope.training.gauge import HeldOut
from tightrope.training.plan import Plan
from tightrope.training.trainer import Trainer
from tightrope.training.watch import Observer
from tightrope.watching import guardian_for

__all__ = ["Options", "Run", "doctor", "evaluate", "leaderboard", "load", "resume", "train"]


def train(
    recipe: str = "swift",
    data: str | Path = "fashion",
    *,
    preset: str | None = None,
    run: str | Path | None = None,
    seen: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    options: Options | None = None,
    **fields: Any,
) -> Run:
    """Train a recipe on data and return the run.

    Args:
        recipe: a name of `tightrope recipes`, or the path of a recipe's file.
        data: an embedded set ("fashion"), or the path of a folder, zip, .npz, .npy, IDX file or CSV.
        preset: one of the recipe's; None chooses by the data.
        run: the run's directory; None makes the next number under `options.runs`. Where it holds this very run
            already, training goes on from its checkpoint.
        seen, minutes: the budget, in real samples or in minutes of wall time; 10 minutes where neither is given.
        seed: of everything random.
        fields: the recipe's hyper-parameters.

    Raises:
        InputError: something given is wrong. RunStopped: a number became non-finite. Interrupted: a signal came.
    """
    started = time.perf_counter()
    options = options or Options()
    header = recipes.header(recipe)
    header.resolve(preset, fields)  # bad fields are told before any data is read
    budget = budget_of(seen, minutes)
    _set_threads(options.threads)
    engine = Engine(options.device)
    dataset = data_room.load(data, size=options.size, progress=_decoding(options.listeners))
    steered = transfer.few(options.start, header, preset, fields, dataset.spec)
    built = recipes.build(recipe, dataset.spec, preset, {**fields, **steered}, dataset.name)
    record = {
        "tightrope": tightrope.__version__,
        "recipe": recipe_record(header, recipe, built, preset, fields),
        "data": data_record(dataset),
        "budget": {"seen": budget.seen, "minutes": budget.minutes},
        "seed": seed,
    }
    folder = _folder(run, options.runs, f"{header.name}-{dataset.name}", engine)
    if (folder / "run.json").exists():
        return _continue(Run(folder, recipe), record, options)
    record |= transfer.plan(built, dataset.spec, engine, options.start, options.freeze, steered)
    record |= circumstances(built, dataset, engine, budget, options)
    if engine.chief:
        folder.mkdir(parents=True, exist_ok=True)
    return _play((folder, recipe), record, built, dataset, engine, options, started, fresh=True)


def resume(run: str | Path, *, recipe: str | None = None, options: Options | None = None) -> Run:
    """Go on with a run from its newest checkpoint, as if nothing had happened; a finished run is returned as it is.

    Args:
        recipe: the recipe's file, where the run was begun with a file of your own.
    """
    started = time.perf_counter()
    options = options or Options()
    found = Run(run, recipe)
    record = found.record
    _set_threads(record["threads"])
    engine = Engine(options.device or record["device"], record["precision"])
    if engine.processes != record["processes"]:
        raise InputError(
            f"{run}: was trained by {record['processes']} processes and this is {engine.processes}; "
            "resume it with as many (torchrun --nproc-per-node)."
        )
    dataset = found.dataset()
    built = recipes.find(found.recipe)(**record["recipe"]["fields"])
    return _play((found.path, found.recipe), record, built, dataset, engine, options, started, fresh=False)


def _play(
    place: tuple[Path, str], record: dict[str, Any], built: Any, dataset: Dataset, engine: Engine, options: Options,
    started: float, *, fresh: bool,
) -> Run:  # fmt: skip
    """Train from the start or the newest checkpoint, judge, report. `place`: the directory, and the recipe's name or file."""
    folder = place[0]
    events = Events(folder / "events.jsonl" if engine.chief else None, options.listeners if engine.chief else ())
    guarded = record.get("guard", "off") != "off"
    steadied = Steadied(built, dataset.spec) if guarded else built
    has_checkpoint = bool(checkpoint.found(folder / "checkpoints"))
    plan = Plan(
        folder=folder, tick=record["tick"], seed=record["seed"], facts=facts(record), look=record.get("look") or 0,
        checkpoint_minutes=record["checkpoint_minutes"], observer=_observer(dataset, events) if record.get("watch") else None,
        guardian=_guardian(record, dataset) if guarded else None, held_out=_held_out(record, dataset, steadied),
        until_converged=record.get("until") == "converged", begin=transfer.beginning(record, weights=fresh or not has_checkpoint),
    )  # fmt: skip
    try:
        trainer = Trainer(steadied, dataset, engine, Budget(**record["budget"]), plan, events, started)
        record["parameters"] = trainer.game.parameters()
        if fresh:
            record |= care.examine(built, trainer.game.nets, dataset, engine, record, options)
        if fresh and engine.chief:
            write_json(folder / "run.json", record)
        if not fresh and has_checkpoint:
            for sentence in trainer.resume():
                events.write("warning", message=sentence)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        events.write("start" if fresh else "resume", seen=trainer.game.seen, time=now, path=str(folder), record=brief(record))
        if fresh:
            transfer.tell(events, record)
            care.tell(events, record)
        if not trainer.budget.done(trainer.game.seen):
            trainer.train()
        finished = Run(*place)
        if engine.chief:
            if record["judge"] and not finished.metrics:
                events.write("judging", count=record["judge"])
                for metric in evaluate(folder, count=record["judge"], recipe=finished.own_recipe):
                    events.write("metric", **metric)
            card.write(finished.path)
            events.write("report", path=str(finished.report()))
        engine.barrier()
        return finished
    finally:
        events.close()


def _observer(dataset: Dataset, events: Events) -> Observer | None:
    """What watches the samples during training; None where the data is too small or too uniform to compare with, and where
    samples are made of pictures: how alike they are is then those pictures' matter."""
    if len(dataset) < LEAST_REAL or dataset.spec.given:
        return None
    try:
        return Window(judge_for(dataset.spec), dataset)
    except InputError as error:
        events.write("warning", message=f"samples are not watched during training: {error}")
        return None


def _guardian(record: dict[str, Any], dataset: Dataset) -> Callable[[Game], Guardian]:
    """Makes the guardian of a run's game."""

    def make(game: Game) -> Guardian:
        return guardian_for(
            game, dataset.spec, care.expected(record), act=record["guard"] == "act",
            target=record.get("enough", {}), safer=bool(record.get("allow_safer")),
        )  # fmt: skip

    return make


def _held_out(record: dict[str, Any], dataset: Dataset, recipe: Any) -> HeldOut | None:
    """The held-out data that the run names, and how D is asked about it."""
    name = record.get("held_out")
    rows = tables.unseen(dataset, name) if name and dataset.spec.modality == "table" else None
    if not name or not isinstance(recipe, Steadied) or not recipe.two or (rows is not None and 2 * len(rows) < LEAST_UNSEEN):
        return None
    size = dataset.spec.size if dataset.spec.pictures else None
    others = data_room.load(name, size=size) if rows is None else rows
    if others.spec.shape != dataset.spec.shape or others.spec.classes != dataset.spec.classes:
        raise InputError(f"--held-out {name}: its samples or classes are not those of {dataset.name}; name such data.")
    return HeldOut(dataset, others, recipe.logits)


def _continue(found: Run, record: dict[str, Any], options: Options) -> Run:
    """The same command again: go on, unless it is not the same command."""
    known = found.record
    for key, what in (("recipe", "recipe"), ("data", "data"), ("budget", "budget"), ("seed", "seed")):
        ours, theirs = record[key], known[key]
        if key == "data":
            ours, theirs = ours["fingerprint"], theirs["fingerprint"]
        if key == "recipe":
            ours, theirs = (ours["name"], ours["fields"]), (theirs["name"], theirs["fields"])
        if ours != theirs:
            raise InputError(f"{found.path}: already holds a run with another {what}; choose another --run, or resume that one.")
    transfer.require_same(known.get("start"), options.start, options.freeze, found.path)
    return resume(found.path, recipe=found.recipe, options=options)


def _set_threads(threads: int | None) -> None:
    if threads is not None and threads != torch.get_num_threads():
        torch.set_num_threads(threads)


def _decoding(listeners: tuple[Listener, ...]) -> Callable[[int, int], None]:
    """Tells the listeners how many files have been decoded."""

    def tell(done: int, total: int) -> None:
        for listener in listeners:
            listener({"event": "decoding", "done": done, "total": total})

    return tell


def _folder(run: str | Path | None, runs: Path, label: str, engine: Engine) -> Path:
    """The run's directory: the one named, or the next number. Every process gets the same."""
    if run is not None:
        folder = Path(run)
        if folder.exists() and not folder.is_dir():
            raise InputError(f"--run {run}: is a file; name a directory.")
        if folder.is_dir() and any(folder.iterdir()) and not (folder / "run.json").exists():
            raise InputError(f"--run {run}: holds other files and no run; name a new or empty directory.")
        return folder
    numbers = [int(p.name[:5]) for p in runs.glob("[0-9][0-9][0-9][0-9][0-9]-*")] if runs.is_dir() else []
    (number,) = engine.agree([float(max(numbers, default=-1) + 1)])
    return runs / f"{int(number):05d}-{label}"


def is_chief() -> bool:
    """True in the one process that speaks to the user."""
    return os.environ.get("RANK", "0") == "0"
