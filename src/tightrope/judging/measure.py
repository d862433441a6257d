"""`tightrope evaluate`: measure a run, a generator or a folder of samples against real data, and keep the numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Unpack

import torch

from tightrope.core.data import Dataset
from tightrope.core.errors import InputError
from tightrope.core.files import cache_root, write_text
from tightrope.judging.lpips import perceptual_records
from tightrope.judging.subjects import Asked, Case, Progress, Subject, open_case
from tightrope.metrics import extractors, judge
from tightrope.metrics.extractor import Extractor
from tightrope.metrics.extractors import domain


def evaluate(
    what: str | Path,
    data: str | Path | None = None,
    *,
    quick: bool = False,
    perceptual: bool = False,
    out: Path | None = None,
    progress: Progress | None = None,
    **asked: Unpack[Asked],
) -> list[dict[str, Any]]:
    """Measure, append the records to `metrics.jsonl` (of the run or folder; `out` names another file) and return them.

    Args:
        what, data: see `tightrope.judging.subjects.open_case`.
        quick: the Frechet distance, classes and modes alone.
        perceptual: also LPIPS diversity and, of generators, the perceptual path length; needs the weights of LPIPS.
        progress: called with (done, total) while files are decoded and samples are read.
        asked: see `tightrope.judging.subjects.Asked`; without an extractor the one that ships for this kind of data is taken.

    Raises:
        InputError: a source cannot be used, or the two cannot be compared.
    """
    case, seed = open_case(what, data, asked, progress), asked.get("seed", 0)
    extractor = resolve(asked.get("extractor"), asked.get("weights"), case.data, progress)
    records = measure(case, extractor, seed, quick, progress)
    if perceptual:
        records += perceptual_records(case, seed)
    keep(out or case.subject.file("metrics.jsonl"), records)
    return records


def measure(
    case: Case, extractor: Extractor, seed: int = 0, quick: bool = False, progress: Progress | None = None
) -> list[dict[str, Any]]:
    """The records of a case; those of a generator carry `seen`."""
    subject = case.subject
    found = judge.evaluate(
        sampler(subject), case.data, count=subject.count, references=case.asked, extractor=extractor, held_out=case.held_out,
        identity=subject.identity, seed=seed, quick=quick, progress=progress,
    )  # fmt: skip
    seen = {} if subject.seen is None else {"seen": subject.seen}
    notes = list(subject.notes)
    return [seen | record | ({"notes": [*record.get("notes", []), *notes]} if notes else {}) for record in found]


def sampler(subject: Subject) -> judge.Sampler:
    """The subject's samples in order, as `metrics.judge` asks for them."""
    return lambda start, n: subject.at(torch.arange(start, start + n))


def keep(path: Path, records: list[dict[str, Any]]) -> None:
    """Append records to a file of JSON lines, atomically."""
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); move it away, or name another file with --out.") from error
    before += "\n" if before and not before.endswith("\n") else ""
    write_text(path, before + "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))


def resolve(
    extractor: str | Extractor | None, weights: Path | None, dataset: Dataset, progress: Progress | None = None
) -> Extractor:
    """The extractor that was asked for; None: the one that ships for this kind of data."""
    if isinstance(extractor, Extractor):
        return extractor
    if extractor is None:
        return judge.judge_for(dataset.spec)
    if extractor == "domain":
        return domain_of(dataset, progress)
    return extractors.load(extractor, weights)


def domain_of(dataset: Dataset, progress: Progress | None = None) -> Extractor:
    """The extractor trained on this very data: from the cache, or trained now (up to three minutes) and kept."""
    path = cache_root() / "domain" / f"{dataset.fingerprint[:32]}.safetensors"
    if not path.exists():
        domain.save(path, domain.train(dataset, progress=progress))
    return domain.load(path)
