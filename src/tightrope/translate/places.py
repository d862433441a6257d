"""Which files are translated, and where each result goes."""

from __future__ import annotations

import dataclasses
import glob
import itertools
import os
from collections.abc import Sequence
from pathlib import Path

from tightrope.core.errors import InputError
from tightrope.data.catalog import IMAGE_SUFFIXES
from tightrope.translate.film import ENDING, FILMS
from tightrope.translate.writing import FORMATS, OTHERS


@dataclasses.dataclass(frozen=True)
class Job:
    """One picture: its file, and the result's."""

    source: Path
    target: Path


@dataclasses.dataclass(frozen=True)
class Jobs:
    """All pictures. `folder` is where results go, None where there is one result, whose file was named."""

    all: tuple[Job, ...]
    folder: Path | None


def find(inputs: Sequence[str | Path], out: Path, suffix: str | None = None) -> Jobs:
    """Files, folders with all that lies in them, and patterns such as "photos/**/*.jpg".

    Args:
        out: a file where one file is given and `out` ends like a picture, else a folder, in which folders stay as they are.
        suffix: of the results; None is each input's own.

    Raises:
        InputError: there is nothing to translate, or results would replace what is given.
    """
    if suffix is not None and suffix not in FORMATS:
        raise InputError(f"--format {suffix[1:]}: written are {', '.join(kind[1:] for kind in FORMATS)}.")
    found = dict.fromkeys(pair for place in inputs for pair in _listed(str(place), out))
    sources = list(found)
    if len(sources) == 1 and Path(inputs[0]).is_file() and not out.is_dir() and out.suffix.lower() in IMAGE_SUFFIXES | FILMS:
        jobs, folder = _one(sources[0][0], out, suffix), None
    else:
        if out.exists() and not out.is_dir():
            raise InputError(f"--out {out}: is a file; name a folder for several pictures.")
        jobs, folder = _many(sources, out, suffix), out
    for job in jobs:
        if job.target.exists() and os.path.samefile(job.source, job.target):
            raise InputError(f"--out {out}: would replace {job.source}, which is given; name another place.")
    return Jobs(tuple(jobs), folder)


def _one(source: Path, out: Path, suffix: str | None) -> list[Job]:
    if source.suffix.lower() in FILMS:
        if out.suffix.lower() != ENDING:
            raise InputError(f"--out {out}: films are written as {ENDING}; end it so.")
        return [Job(source, out)]
    if out.suffix.lower() not in FORMATS or suffix not in (None, out.suffix.lower()):
        ask = f"--format {suffix[1:]} is another kind of file" if suffix else "such files are not written"
        raise InputError(f"--out {out}: {ask}; end it with {', '.join(FORMATS)}.")
    return [Job(source, out)]


def _many(sources: list[tuple[Path, Path]], out: Path, suffix: str | None) -> list[Job]:
    jobs: list[Job] = []
    taken: set[Path] = set()
    for source, place in sources:
        own = place.suffix.lower()
        ending = suffix or (place.suffix if own in FORMATS else OTHERS.get(own, ".png"))
        ending = ENDING if own in FILMS else ending
        numbered = (place.with_name(f"{place.stem}-{k}{ending}") for k in itertools.count(2))
        names = [place.with_suffix(ending), place.with_name(place.name + ending)]  # a.jpg and a.gif may become one name
        target = next(name for name in itertools.chain(names, numbered) if name not in taken)
        taken.add(target)
        jobs.append(Job(source, out / target))
    return jobs


def _listed(place: str, out: Path) -> list[tuple[Path, Path]]:
    """(file, its place beneath the output folder) of one input."""
    path = Path(place)
    if path.is_file():
        return [(path, Path(path.name))]
    if path.is_dir():
        if path.resolve().is_relative_to(out.resolve()):
            raise InputError(f"--out {out}: would replace what is given; name another folder.")
        files = [Path(folder) / name for folder, _, names in os.walk(path) for name in names]
        found = [(file, file.relative_to(path)) for file in sorted(files) if _is_picture(file, out)]
        if not found:
            raise InputError(f"{place}: no pictures in it; name a folder with {', '.join(sorted(IMAGE_SUFFIXES))} files.")
        return found
    if not glob.has_magic(place):
        raise InputError(f"{place}: no such picture; name image files, folders of them, or a pattern such as 'photos/*.jpg'.")
    files = [Path(name) for name in sorted(glob.glob(place, recursive=True)) if Path(name).is_file()]
    fixed = Path(*_fixed(Path(place).parts))
    found = [(file, file.relative_to(fixed)) for file in files if _is_picture(file, out)]
    if not found:
        raise InputError(f"{place}: no picture has such a name; put the pattern into quotes, and look at what it should find.")
    return found


def _fixed(parts: tuple[str, ...]) -> tuple[str, ...]:
    """The folders before the first that is a pattern."""
    first = next(k for k, part in enumerate(parts) if glob.has_magic(part))
    return parts[:first] or (".",)


def _is_picture(file: Path, out: Path) -> bool:
    """Results of an earlier run that lie within what is given are not given."""
    return file.suffix.lower() in IMAGE_SUFFIXES | FILMS and not file.resolve().is_relative_to(out.resolve())
