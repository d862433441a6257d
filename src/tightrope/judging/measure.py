"""`tightrope evaluate`: measure a run, a generator or a folder of samples against real data, and keep the numbers."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Unpack

import torch
from torch import Tensor

from tightrope.core.data import Dataset
from tightrope.core.errors import InputError
from tightrope.core.files import cache_root
from tightrope.judging import tables, translated
from tightrope.judging.lpips import perceptual_records
from tightrope.judging.motion import motion_records
from tightrope.judging.pairing import Progress
from tightrope.judging.subjects import Asked, Case, Subject, open_case
from tightrope.metrics import by_class, extractors, judge
from tightrope.metrics.by_class import Labelled
from tightrope.metrics.extractor import Extractor
from tightrope.metrics.extractors import domain


def evaluate(
    what: str | Path,
    data: str | Path | None = None,
    *,
    quick: bool = False,
    perceptual: bool = False,
    out: str | Path | None = None,
    progress: Progress | None = None,
    **asked: Unpack[Asked],
) -> list[dict[str, Any]]:
    """Measure, append the records to `metrics.jsonl` (of the run or folder; `out` names another file) and return them.

    Args:
        what, data: see `tightrope.judging.subjects.open_case`.
        quick: the Frechet distance, classes and modes alone; of tables shapes, trends, rare categories and violations.
        perceptual: also LPIPS diversity and, of generators, the perceptual path length; needs the weights of LPIPS.
        progress: called with (done, total) while files are decoded and samples are read.
        asked: see `tightrope.judging.subjects.Asked`; without an extractor the one that ships for this kind of data is taken.

    Raises:
        InputError: a source cannot be used, or the two cannot be compared.
    """
    if data is not None and tables.is_file(what, data):
        path = place_for(out, tables.records_beside(what))
        records = tables.of_file(what, data, asked, quick=quick)
        keep(path, records)
        return records
    case, seed = open_case(what, data, asked, progress), asked.get("seed", 0)
    if asked.get("target") is not None and case.data.spec.modality != "table":
        raise InputError(
            f"--target {asked.get('target')}: is a column of a table; {what} is judged against {case.data.spec.modality}."
        )
    path = place_for(out, case.subject.file("metrics.jsonl"))
    if case.data.spec.modality == "table":
        if perceptual:
            raise InputError(f"--perceptual: {what} makes rows of a table; LPIPS is of pictures.")
        records = tables.of_generator(case, asked, quick=quick, shown=out is None)
    elif case.data.spec.given and case.subject.generator is not None:
        if perceptual:
            raise InputError(f"--perceptual: {what} makes pictures of pictures, whose LPIPS is measured anyway; leave it out.")
        extractor = _for_pictures(asked, case.data, progress)
        records = translated.records(case, extractor, seed, quick=quick, shown=out is None, progress=progress)
    else:
        known = resolve(asked.get("extractor"), asked.get("weights"), case.data, progress)
        records = measure(case, known, seed, quick, progress) + ([] if quick else motion_records(case, seed))
        records += perceptual_records(case, seed) if perceptual else []
    keep(path, records)
    return records


def place_for(out: str | Path | None, usual: Path) -> Path:
    """Where a file goes; refused before any work is done for it."""
    path = Path(out) if out is not None else usual
    if path.is_dir():
        raise InputError(f"--out {path}: is a folder; name a file.")
    parent = next((folder for folder in path.absolute().parents if folder.exists()), Path("/"))
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise InputError(f"{path}: cannot be written there; name another file with --out.")
    return path


def measure(
    case: Case, extractor: Extractor, seed: int = 0, quick: bool = False, progress: Progress | None = None
) -> list[dict[str, Any]]:
    """The records of a case; those of a generator carry `seen`."""
    subject = case.subject
    found = judge.evaluate(
        sampler(subject, progress), case.data, count=subject.count, references=case.asked, extractor=extractor,
        held_out=case.held_out, identity=subject.identity, seed=seed, quick=quick,
    )  # fmt: skip
    found += class_records(case, extractor, seed)
    seen = {} if subject.seen is None else {"seen": subject.seen}
    notes = list(subject.notes)
    return [seen | record | ({"notes": [*record.get("notes", []), *notes]} if notes else {}) for record in found]


def class_records(case: Case, extractor: Extractor, seed: int = 0) -> list[dict[str, Any]]:
    """Whether samples are of the classes they were made for, and how good each class is; [] where no classes are known."""
    subject, data = case.subject, case.data
    if subject.asked is None:
        return []
    labels = data.labels(judge.spread_index(len(data), case.asked))
    if labels is None:
        return []
    read = judge.reference(extractor, data, case.asked)  # from the cache: `judge.evaluate` has just read both
    key = {"extractor": extractor.protocol, "generated": subject.identity, "count": subject.count}
    made = judge.generated_features(extractor, sampler(subject), data, subject.count, key)
    real, fake = Labelled(read, labels), Labelled(made, subject.asked)
    protocol = judge.protocol_of(extractor, data, read, subject.count, seed)
    found = by_class.accuracy_records(extractor, real, fake, protocol) if judge.at_home(extractor, data.spec) else []
    return found + by_class.distance_records(extractor, real, fake, data.spec.classes, protocol, seed)


def sampler(subject: Subject, progress: Progress | None = None) -> judge.Sampler:
    """The subject's samples in order, as `metrics.judge` asks for them."""

    def sample(start: int, n: int) -> Tensor:
        if progress:
            progress(start + n, subject.count)
        return subject.at(torch.arange(start, start + n))

    return sample


def keep(path: Path, records: list[dict[str, Any]]) -> None:
    """Append records to a file of JSON lines, at once: other processes may append to it too."""
    text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = not path.exists() or not path.stat().st_size or path.read_bytes()[-1:] == b"\n"
        with open(path, "ab", buffering=0) as file:
            file.write((text if whole else "\n" + text).encode())
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); name another file with --out.") from error


def resolve(
    extractor: str | Extractor | None, weights: Path | None, dataset: Dataset, progress: Progress | None = None
) -> Extractor:
    """The extractor that was asked for; None: the one that ships for this kind of data."""
    if weights is not None and (not isinstance(extractor, str) or extractor == "domain"):
        raise InputError(f"--weights {weights}: name the extractor they are of (--extractor, see `tightrope extractors`).")
    if isinstance(extractor, Extractor):
        return extractor
    if extractor is None:
        return judge.judge_for(dataset.spec)
    if extractor == "domain":
        return domain_of(dataset, progress)
    return extractors.load(extractor, weights)


def _for_pictures(asked: Asked, dataset: Dataset, progress: Progress | None) -> Extractor | None:
    """As `resolve`; None where none was asked for and none ships for such pictures: other figures need none."""
    try:
        return resolve(asked.get("extractor"), asked.get("weights"), dataset, progress)
    except InputError:
        if asked.get("extractor") is not None or asked.get("weights") is not None:
            raise
        return None


def domain_of(dataset: Dataset, progress: Progress | None = None) -> Extractor:
    """The extractor trained on this very data: from the cache, or trained now (up to three minutes) and kept."""
    path = cache_root() / "domain" / f"{dataset.fingerprint[:32]}.safetensors"
    if not path.exists():
        domain.save(path, domain.train(dataset, progress=progress))
    return domain.load(path)
