"""What is judged, and against what: a run, a generator's file, or a folder, archive or array of samples that anything made.

Axes: n samples; samples in the networks' range.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

from jaxtyping import Float, Int64
from torch import Tensor

from tightrope import data as data_room
from tightrope.core import labels, seeds
from tightrope.core.data import Dataset
from tightrope.core.errors import InputError
from tightrope.core.given import pictures_of
from tightrope.core.spec import DataSpec
from tightrope.data.catalog import SHEETS
from tightrope.explore.generator import Generator
from tightrope.judging.labelled import classes_asked
from tightrope.judging.pairing import Pair, Progress, colour, require_alike, together
from tightrope.metrics.extractor import Extractor
from tightrope.metrics.judge import spread_index
from tightrope.run import Run, load

COUNT = 10_000  # samples judged at most, unless asked otherwise
MOST = 1_000_000  # samples that a generator is asked for at most
LEAST_UNSEEN = 200  # held-out samples that say anything
OURS = (
    "metrics.jsonl",
    "doctor.html",
    "points.csv",
    "samples.npz",
    *SHEETS,
)  # files beside samples that hold none, or the same ones


@dataclasses.dataclass(frozen=True, kw_only=True)
class Subject:
    """Samples to be judged.

    Attributes:
        name: what people call it.
        home: the folder that its records are written to.
        stem: of the names of files written there; empty for folders.
        count: of the samples there are.
        at: samples by index, in the networks' range and of the data's shape.
        identity: what the samples depend on, for the cache.
        notes: what was done to the samples to make them compare, a sentence each.
        seen: of the generator, where it is known.
        run: the run, where it is one.
        generator: what draws the samples, where it is one of ours.
        asked: the class that each sample was made for, where it is known.
    """

    name: str
    home: Path
    stem: str
    count: int
    at: Callable[[Int64[Tensor, " n"]], Float[Tensor, "n *x"]]
    identity: dict[str, Any]
    notes: tuple[str, ...] = ()
    seen: int | None = None
    run: Run | None = None
    generator: Generator | None = None
    asked: Int64[Tensor, " n"] | None = None

    def file(self, name: str) -> Path:
        """Where a file about this subject goes."""
        return self.home / (f"{self.stem}.{name}" if self.stem else name)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """A subject with the real data it is judged against; `asked`: the most samples of either that are compared."""

    subject: Subject
    data: Dataset
    held_out: Dataset | None
    asked: int


class Asked(TypedDict, total=False):
    """What evaluate and doctor take alike, as keywords.

    held_out: real data that the generator was not trained on.
    count: the most samples that are judged (10,000): as many are drawn, or that many of the stored ones, evenly.
    extractor: an id of `tightrope.metrics.extractors.names()`, "domain" for a network trained on the data, the file of such
        a network, or an Extractor.
    weights: the extractor's weights, where they come from a file of the user's.
    size: side of the images in pixels; default: the run's, else the data's own (and the samples', where they share it).
    recipe: the recipe's file, where the generator was trained with a file of the user's.
    seed: of everything random (0).
    target: of tables, the column that learners predict.
    """

    held_out: str | Path | None
    count: int
    extractor: str | Extractor | None
    weights: Path | None
    size: int | None
    recipe: str | None
    seed: int
    target: str | None


def open_case(what: str | Path, data: str | Path | None, asked: Asked, progress: Progress | None = None) -> Case:
    """Open what is judged and what it is judged against.

    Args:
        what: a run, a generator.safetensors, or samples: a folder, zip, .npz, .npy, IDX file, CSV of points, embedded name.
        data: the real data, as for training; a run knows its own.

    Raises:
        InputError: a source cannot be used, or the two cannot be compared. TypeError: a keyword is not one of Asked.
    """
    if unknown := set(asked) - set(Asked.__annotations__):
        raise TypeError(f"{', '.join(sorted(unknown))}: no such keyword; there are {', '.join(Asked.__annotations__)}.")
    path, size, recipe = Path(what), asked.get("size"), asked.get("recipe")
    count, seed = asked.get("count", COUNT), asked.get("seed", 0)
    if not isinstance(count, int) or not 2 <= count <= MOST:
        raise InputError(f"--count {count}: a whole number from 2 to {MOST:,} is needed.")
    if (path / "run.json").is_file():
        run = Run(path, recipe)
        real = run.dataset(progress) if data is None else _real_for(load(path, recipe).spec, data, size, progress)
        subject = _of_generator(path, run, real, count, seed, recipe)
    elif path.suffix == ".safetensors":
        if data is None:
            raise InputError(f"{path}: name the real data to judge it against: --data DATA.")
        real = _real_for(load(path, recipe).spec, data, size, progress)
        subject = _of_generator(path, None, real, count, seed, recipe)
    else:
        if data is None:
            raise InputError(f"{what}: name the real data to judge these samples against: --data DATA.")
        pair = together(str(what), data, size, progress)
        real, subject = pair.real, _of_samples(path, pair, count)
    if subject.generator is not None:
        require_alike(str(what), subject.generator.spec, real.spec)
    rows = real.spec.modality == "table"  # whose held-out files are read as the data was: `judging.tables`
    unseen = None if rows else _held_out(asked.get("held_out"), real, progress)
    return Case(subject=subject, data=real, held_out=unseen, asked=count)


def _held_out(unseen: str | Path | None, real: Dataset, progress: Progress | None) -> Dataset | None:
    if unseen is None:
        return None
    other = data_room.load(unseen, size=real.spec.size if real.spec.pictures else None, progress=progress)
    require_alike(str(unseen), other.spec, real.spec)
    if other.fingerprint == real.fingerprint:
        raise InputError(f"--held-out {unseen}: is the data itself; give real samples that were not trained on.")
    if len(other) < LEAST_UNSEEN and not real.spec.given:  # pictures wanted are compared one by one
        raise InputError(f"--held-out {unseen}: holds {len(other)} samples; at least {LEAST_UNSEEN} are needed.")
    return other


def _real_for(spec: DataSpec, data: str | Path, size: int | None, progress: Progress | None) -> Dataset:
    """Real data at the size that a generator makes."""
    try:
        side = size or (spec.size if spec.pictures else None)
        return data_room.load(data, size=side, progress=progress)
    except InputError:  # points have no size: `require_alike` says what is wrong rather than that
        if size is None and spec.pictures and not data_room.load(data).spec.pictures:
            return data_room.load(data)
        raise


def _of_generator(path: Path, run: Run | None, real: Dataset, count: int, seed: int, recipe: str | None) -> Subject:
    """A generator's samples: as many latents as asked for, the same for the same seed; of pictures given, those of the data."""
    generator = load(path, recipe)
    of_run = run.record["seed"] if run else 0
    names: tuple[int | str, ...] = ("judge", *([seed] if seed else []))
    if real.spec.given:
        count = min(count, pictures_of(real).givens)
        told, latents = {"given": real.fingerprint}, _given(real, count)
    else:
        z = generator.recipe.latents(count, seeds.generator(of_run, *names))
        told, latents = {"latents": hashlib.sha256(z.numpy().tobytes()).hexdigest()}, z.__getitem__
    by_class = generator.recipe.CONDITIONAL
    asked = labels.draw(generator.spec, count, seeds.generator(of_run, *names, "class")) if by_class else None
    file = path / "generator.safetensors" if path.is_dir() else path
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return Subject(
        name=path.resolve().name,
        home=path if path.is_dir() else path.parent,
        stem="" if path.is_dir() else path.name,
        count=count,
        at=lambda index: generator.decode(latents(index), None if asked is None else asked[index]),
        asked=asked,
        identity={"generator": digest, **told},
        seen=int(generator.header["seen"]),
        run=run,
        generator=generator,
    )


def _given(real: Dataset, count: int) -> Callable[[Tensor], Tensor]:
    """Pictures given, evenly; read when they are asked for, as they are larger than latents."""
    pictures = pictures_of(real)
    chosen = spread_index(pictures.givens, count)
    return lambda index: pictures.given(chosen[index])


def _of_samples(path: Path, pair: Pair, count: int) -> Subject:
    """Stored samples, evenly."""
    samples, real, notes = pair.samples, pair.real, list(pair.notes)
    names = [Path(name).name for name in samples.names()] if hasattr(samples, "names") else []
    chosen = spread_index(len(samples), count)
    asked, strange = classes_asked(samples, chosen, names, real.spec.classes)
    notes += strange
    wanted, there = real.spec.channels, samples.spec.channels
    if real.spec.pictures and wanted != there:
        notes.append(f"the samples are {colour(there)} and the data is {colour(wanted)}: they were made {colour(wanted)}.")
    sides = getattr(samples, "index", {}).get("originals", {}).get("shorter_side", {})
    if sides.get("min") != sides.get("max"):
        notes.append(f"the samples' sides go from {sides['min']} to {sides['max']} px; all were brought to {real.spec.size} px.")
    if samples.fingerprint == real.fingerprint:
        notes.append("these samples are the real data itself: nothing can be nearer to it.")
    rejects = [reject for reject in samples.rejects if Path(reject.path).name not in OURS]
    if rejects:
        notes.append(f"{len(rejects)} files could not be used (the first: {rejects[0].path}, {rejects[0].reason}).")
    exists = path.exists()
    return Subject(
        name=samples.name,
        home=(path if path.is_dir() else path.parent) if exists else Path(),
        stem="" if path.is_dir() else path.name,
        count=len(chosen),
        at=lambda index: pair.at(chosen[index]),
        asked=asked,
        identity=pair.identity | {"of": len(samples)},
        notes=tuple(notes),
    )
