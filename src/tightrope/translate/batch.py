"""Files in, files out: one after the other, each whole or not there, and going on where an interrupted command stopped."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tightrope.core.errors import InputError
from tightrope.core.files import remove_partials, write_json
from tightrope.core.translation import Translator
from tightrope.translate import film, places, writing
from tightrope.translate.opening import fingerprint
from tightrope.translate.picture import read
from tightrope.translate.pixels import Work
from tightrope.translate.places import Job, Jobs

RECORD = "translate.json"  # in a folder of results: what made them
DEPTHS = {1: 8, 2: 16}  # bytes of a number -> bits


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """How pictures are translated.

    Attributes:
        tile, overlap: see `tiles.plan`; None are what fits in memory, and the usual.
        format: of the results ("png"); None is each input's own.
        force: translate again what has been translated.
    """

    tile: int | None = None
    overlap: int | None = None
    format: str | None = None
    force: bool = False


@dataclasses.dataclass
class Outcome:
    """What became of all pictures.

    Attributes:
        jobs: all of them.
        written: results of this call; the others were there.
        failed: file -> why it could not be translated.
        notes: file -> what was done that may not be expected.
    """

    jobs: Jobs
    written: list[Path] = dataclasses.field(default_factory=list)
    failed: dict[Path, str] = dataclasses.field(default_factory=dict)
    notes: dict[Path, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    @property
    def done(self) -> list[Job]:
        """The pictures that there are results of."""
        return [job for job in self.jobs.all if job.source not in self.failed]


def translate(
    network: Translator,
    inputs: Sequence[str | Path],
    out: str | Path,
    settings: Settings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Translate files, folders and patterns.

    Args:
        out: a file for one file, else a folder; results there that are newer than what they were made of are kept.
        progress: is told (windows done, all) of one picture, (pictures done, all) of several.

    Raises:
        InputError: nothing can be translated, or the folder holds results of something else.
    """
    settings, out = settings or Settings(), Path(out)
    _sensible(settings)
    outcome = Outcome(places.find(inputs, out, f".{settings.format.lower().lstrip('.')}" if settings.format else None))
    jobs = outcome.jobs
    if jobs.folder is not None:
        _begin(jobs, network, settings)
    open_ones = [job for job in jobs.all if jobs.folder is None or settings.force or not _done(job)]
    for place in {job.target.parent for job in open_ones}:
        remove_partials(place)
    for number, job in enumerate(open_ones, 1):
        within = progress if len(open_ones) == 1 else None
        try:
            outcome.notes[job.source] = _one(network, job, settings, within)
            outcome.written.append(job.target)
        except InputError as error:
            if len(jobs.all) == 1:
                raise
            outcome.failed[job.source] = str(error)
        if progress and not within:
            progress(number, len(open_ones))
    if not outcome.done:
        raise InputError(f"none of {len(jobs.all)} pictures can be translated; the first: {next(iter(outcome.failed.values()))}")
    return outcome


def _sensible(settings: Settings) -> None:
    if settings.tile is not None and settings.tile < 16:
        raise InputError(f"--tile {settings.tile}: at least 16 pixels a side; leave it out for what fits in memory.")
    if settings.overlap is not None and settings.overlap < 0:
        raise InputError(f"--overlap {settings.overlap}: 0 pixels or more; leave it out for the usual.")


def _one(
    network: Translator, job: Job, settings: Settings, progress: Callable[[int, int], None] | None
) -> tuple[str, ...]:  # fmt: skip
    """Translate one picture; what is to be said of it."""
    if job.source.suffix.lower() in film.FILMS:
        film.translate(network, job.source, job.target, settings.tile, settings.overlap, progress)
        return ()
    picture = read(job.source)
    kind, had = job.target.suffix.lower(), DEPTHS[picture.pixels.itemsize]
    grey = picture.pixels.shape[2] == 1 and network.restores
    deep = had == 16 and writing.deep(kind, 1 if grey else network.outputs, picture.alpha is not None)
    work = Work(network, picture, tile=settings.tile, overlap=settings.overlap, deep=deep)
    writing.require(job.target, work.size)
    fits = picture.pixels.shape[2] == work.channels  # a profile is one of grey or of colours
    writing.write(job.target, work.bands(progress), work.size, picture.profile if fits else None)
    notes = list(picture.notes)
    if had == 16 and not deep:
        notes.append(f"has 16 bits and was written with 8, as {writing.FORMATS[kind]} has them; take PNG.")
    if picture.alpha is not None and writing.FORMATS[kind] in writing.WITHOUT_ALPHA:
        notes.append(f"is transparent; {writing.FORMATS[kind]} is not, so it was laid over white.")
    if network.inputs == 1 and picture.pixels.shape[2] == 3:
        notes.append(f"its colours were left out: {network.name} takes grey pictures.")
    if network.whole and work.plan.count > 1:
        notes.append(
            f"was translated in {work.plan.count} parts, and {network.name} takes means over what it sees: "
            "brightness and colour may not be those of the whole; a smaller picture is translated whole."
        )
    return tuple(notes)


# ---------------------------------------------------------------- going on
def _begin(jobs: Jobs, network: Translator, settings: Settings) -> None:
    """Write down what makes the results of this folder, or see that it is what made those that are there."""
    assert jobs.folder is not None
    path = jobs.folder / RECORD
    made: dict[str, Any] = {
        "network": network.name, "weights": fingerprint(network), "tile": settings.tile, "overlap": settings.overlap,
    }  # fmt: skip
    there = next((job.target for job in jobs.all if job.target.exists()), None)
    if there is not None and not settings.force and _known(path) != made:
        raise InputError(
            f"{there}: is there already and was not made by this command; name another --out, or give --force to replace it."
        )
    write_json(path, made)


def _known(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _done(job: Job) -> bool:
    """Whether there is a result that is newer than its picture."""
    return job.target.exists() and job.target.stat().st_mtime_ns >= job.source.stat().st_mtime_ns
