"""What is judged, and against what: a run, a generator's file, or a folder, archive or array of samples that anything made.

Axes: n samples; samples in the networks' range.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import pad

from tightrope import data as data_room
from tightrope.core import seeds
from tightrope.core.data import Dataset
from tightrope.core.errors import InputError
from tightrope.data.catalog import TABLE_SUFFIXES
from tightrope.data.resizing import background
from tightrope.explore.generator import Generator
from tightrope.metrics.extractor import Extractor
from tightrope.metrics.judge import spread_index
from tightrope.run import Run, load

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
COUNT = 10_000  # samples judged at most, unless asked otherwise
MARGIN = (28, 32)  # pixels: sizes between which a margin is usual, see `tightrope.data.resizing`
OURS = ("metrics.jsonl", "doctor.html")  # files that judging leaves in a folder of samples
Progress = Callable[[int, int], None]


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
    """

    held_out: str | Path | None
    count: int
    extractor: str | Extractor | None
    weights: Path | None
    size: int | None
    recipe: str | None
    seed: int


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
    if (path / "run.json").is_file():
        run = Run(path, recipe)
        real = run.dataset(progress) if data is None else data_room.load(data, size=size or _side(run), progress=progress)
        subject = _of_generator(path, run, count, seed, recipe)
    elif path.suffix == ".safetensors":
        if data is None:
            raise InputError(f"{path}: name the real data to judge it against: --data DATA.")
        generator = load(path, recipe)
        side = size or (generator.spec.size if generator.spec.modality == "images" else None)
        real = data_room.load(data, size=side, progress=progress)
        subject = _of_generator(path, None, count, seed, recipe)
    else:
        if data is None:
            raise InputError(f"{what}: name the real data to judge these samples against: --data DATA.")
        pair = _together(str(what), data, size, progress)
        real, subject = pair.real, _of_samples(path, pair, count)
    unseen = asked.get("held_out")
    other = None if unseen is None else data_room.load(unseen, size=_loaded_size(real), progress=progress)
    if other is not None:
        _require_alike(str(unseen), other, real)
    return Case(subject=subject, data=real, held_out=other, asked=count)


def _side(run: Run) -> int | None:
    spec = run.record["data"]["spec"]
    return int(spec["shape"][-1]) if spec["modality"] == "images" else None


def _loaded_size(dataset: Dataset) -> int | None:
    return dataset.spec.size if dataset.spec.modality == "images" else None


def _require_alike(name: str, other: Dataset, real: Dataset) -> None:
    if other.spec.shape != real.spec.shape or other.spec.modality != real.spec.modality:
        raise InputError(
            f"{name}: holds {other.spec.modality} of the shape {other.spec.shape}, the data {real.spec.modality} of "
            f"{real.spec.shape}; give samples of the same kind."
        )


def _of_generator(path: Path, run: Run | None, count: int, seed: int, recipe: str | None) -> Subject:
    """A generator's samples: as many latents as asked for, the same for the same seed."""
    generator = load(path, recipe)
    z = generator.recipe.latents(count, seeds.generator(run.record["seed"] if run else seed, "judge"))
    file = path / "generator.safetensors" if path.is_dir() else path
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return Subject(
        name=path.resolve().name,
        home=path if path.is_dir() else path.parent,
        stem="" if path.is_dir() else path.stem,
        count=count,
        at=lambda index: generator.decode(z[index]),
        identity={"generator": digest, "latents": hashlib.sha256(z.numpy().tobytes()).hexdigest()},
        seen=int(generator.header["seen"]),
        run=run,
        generator=generator,
    )


@dataclasses.dataclass(frozen=True)
class _Pair:
    """Real data and samples at one size; `margin`: the level of what goes around samples that are smaller."""

    real: Dataset
    samples: Any
    notes: list[str]
    margin: float | None = None


def _together(what: str, data: str | Path, size: int | None, progress: Progress | None) -> _Pair:
    """Both sets at one size: the one asked for; else the samples' own, where data of that size can be had without scaling."""
    real: Dataset = data_room.load(data, size=size, progress=progress)
    if real.spec.modality != "images":
        samples: Dataset = data_room.load(what, progress=progress)
        _require_alike(what, samples, real)
        return _Pair(real, samples, [])
    samples = _images(what, real, progress)
    made, original, side = _original_side(samples), _original_side(real), real.spec.size
    if size is not None or made is None or made == side:
        return _Pair(real, samples, [])
    if made == original:  # 28 px data trains at 32 px with a margin; samples of 28 px have none: both are read as they are
        return _Pair(data_room.load(data, size=made, progress=progress), data_room.load(what, size=made, progress=progress), [])
    if (made, side) == MARGIN:
        plain = data_room.load(what, size=made, progress=progress)
        level = background(plain.modality.to_array(plain.batch(torch.arange(min(256, len(plain))))))
        if level is not None:
            note = f"the samples are {made} px a side and were given a margin to {side} px, as such data has."
            return _Pair(real, plain, [note], margin=level / 127.5 - 1)
    return _Pair(real, samples, [f"the samples are {made} px a side and were brought to {side} px, the size of the data."])


def _images(what: str, real: Dataset, progress: Progress | None) -> Dataset:
    """Samples at the size of the real images."""
    try:
        return data_room.load(what, size=real.spec.size, progress=progress)
    except InputError:  # points have no size: say what is wrong rather than that
        if Path(what).suffix.lower() in TABLE_SUFFIXES or what in data_room.names():
            _require_alike(what, data_room.load(what), real)
        raise


def _original_side(dataset: Any) -> int | None:
    """The side of the files' images in pixels (the median, where they differ), or None where nothing is known."""
    sides = getattr(dataset, "index", {}).get("originals", {}).get("shorter_side", {})
    return sides.get("median")


def _of_samples(path: Path, pair: _Pair, count: int) -> Subject:
    samples, real, notes = pair.samples, pair.real, list(pair.notes)
    chosen = spread_index(len(samples), count)
    wanted, there = real.spec.channels, samples.spec.channels
    if real.spec.modality == "images" and wanted != there:
        notes.append(f"the samples are {_colour(there)} and the data is {_colour(wanted)}: they were made {_colour(wanted)}.")
    sides = getattr(samples, "index", {}).get("originals", {}).get("shorter_side", {})
    if sides.get("min") != sides.get("max"):
        notes.append(f"the samples' sides go from {sides['min']} to {sides['max']} px; all were brought to {real.spec.size} px.")
    if samples.fingerprint == real.fingerprint:
        notes.append("these samples are the real data itself: nothing can be nearer to it.")
    rejects = [reject for reject in samples.rejects if Path(reject.path).name not in OURS]
    if rejects:
        notes.append(f"{len(rejects)} files could not be used (the first: {rejects[0].path}, {rejects[0].reason}).")

    def at(index: Tensor) -> Tensor:
        batch = samples.batch(chosen[index])
        if pair.margin is not None:
            batch = pad(batch, [(real.spec.size - samples.spec.size) // 2] * 4, value=pair.margin)
        return _in_channels(batch, wanted) if real.spec.modality == "images" else _in_units(batch, samples, real)

    exists = path.exists()
    return Subject(
        name=samples.name,
        home=(path if path.is_dir() else path.parent) if exists else Path(),
        stem="" if path.is_dir() else path.stem,
        count=len(chosen),
        at=at,
        identity={"samples": samples.fingerprint, "of": len(samples)},
        notes=tuple(notes),
    )


def _colour(channels: int) -> str:
    return "grey" if channels == 1 else "RGB"


def _in_units(points: Tensor, samples: Dataset, real: Dataset) -> Tensor:
    """Points standardised by their own data, standardised by the real data instead."""
    stored = torch.from_numpy(samples.modality.to_array(points))
    return (stored - torch.tensor(real.spec.mean)) / real.spec.scale


def _in_channels(images: Tensor, channels: int) -> Tensor:
    if images.shape[1] == channels:
        return images
    if channels == 3:
        return images.expand(-1, 3, -1, -1)
    return (images * images.new_tensor(LUMA).view(3, 1, 1)).sum(1, keepdim=True)
