"""`tightrope doctor`: say in plain words what is wrong with samples, on one page with the pictures that show it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from tightrope.core.data import Dataset
from tightrope.core.errors import InputError
from tightrope.core.labels import WIDEST
from tightrope.judging.logged import doctor_log, is_log, is_run, over_the_run
from tightrope.judging.measure import class_records, domain_of, place_for, resolve, sampler
from tightrope.judging.pairing import Progress
from tightrope.judging.subjects import Asked, Case, open_case
from tightrope.metrics import judge
from tightrope.metrics.by_class import Labelled, usual_accuracy
from tightrope.metrics.diagnosis import Diagnosis, Sample, diagnose
from tightrope.metrics.extractor import Extractor
from tightrope.metrics.features import Features
from tightrope.metrics.neighbours import Nearest, nearest
from tightrope.metrics.protocol import is_by_class
from tightrope.report import doctor as page
from tightrope.report.classes import Column
from tightrope.report.records import number, part, read_events, ticks

WORSE = 0.1  # of the score, between a run's best samples and its last
SHEET = 64  # samples of a sheet
COUPLES = 16  # of a gallery
IN_COLUMN = 4  # samples of a class
AMONG = 2_000  # samples among which those nearest to real ones are looked for, to be shown
THUMBNAIL = 64  # pixels: what the diagnosis and the page see of larger images
SCATTER = 2_500  # points of a sheet
MOST_REAL = 60_000  # real samples among which copies are looked for
MOST_BYTES = 256 << 20  # of their thumbnails


def doctor(
    what: str | Path,
    data: str | Path | None = None,
    *,
    out: str | Path | None = None,
    progress: Progress | None = None,
    **asked: Unpack[Asked],
) -> dict[str, Any]:
    """Examine samples, or a log, and write the page.

    Args:
        what, data: see `tightrope.judging.subjects.open_case`. A log of a finished run, without data, goes to `doctor_log`.
        out: the page; default doctor.html in the run or folder.
        progress: called with (done, total) during the long parts.
        asked: see `tightrope.judging.subjects.Asked`; without an extractor the classifier that ships for this very data is
            taken, or one is trained on it (up to three minutes, once).

    Returns:
        {"verdict", "summary", "findings": [{"name", "figure", "null", "sentence"}], "checks", "classes",
        "subject", "data", "notes", "protocol", "page", "tightrope"}; all plain JSON.

    Raises:
        InputError: a source cannot be used, or the two cannot be compared.
    """
    if data is None and not is_run(what) and is_log(what):
        return doctor_log(what, out=out)
    case, seed = open_case(what, data, asked, progress), asked.get("seed", 0)
    if case.subject.count < 2 or len(case.data) < 4:
        raise InputError(f"{what}: {case.subject.count} samples and {len(case.data)} real ones cannot be compared; give more.")
    path = place_for(out, case.subject.file("doctor.html"))
    extractor, notes = _extractor(case, asked, progress)
    real, fake = _samples(case, extractor, progress)
    unseen = None if case.held_out is None else _real(case.held_out, extractor)
    usual = None
    if fake.classes and real.labels is not None:
        usual = usual_accuracy(extractor, Labelled(Features(real.features, real.logits), real.labels))
    found = diagnose(real, fake, held_out=unseen, usual=usual, seed=seed)
    record = _record(case, extractor, found, real, fake, seed)
    events = read_events(case.subject.run.path) if case.subject.run else []
    record |= {"notes": [*case.subject.notes, *notes, *_training_notes(events)], "page": str(path)}
    record["over_the_run"] = over_the_run(case.subject.run.path, events) if case.subject.run else None
    shown = _galleries(case, found, real, fake)
    page.write(path, record, _sheets(case), shown, ticks(events), _columns(case))
    return record


def _training_notes(events: list[dict[str, Any]]) -> list[str]:
    """What a run's own records say that a reader of the verdict must know."""
    notes = [f"training said: {event['message']}" for event in events if event.get("event") == "warning" and "message" in event]
    end: dict[str, Any] = next((event for event in reversed(events) if event.get("event") == "end"), {})
    if end.get("reason") not in (None, "done"):
        notes.append(f"the run did not end by itself: {end.get('message', end['reason'])}")
    scores = [(tick["seen"], number(part(tick, "signals").get("samples/score"))) for tick in ticks(events)]
    scores = [(seen, score) for seen, score in scores if math.isfinite(score)]
    if scores:
        (seen, best), (last_seen, last) = max(scores, key=lambda pair: pair[1]), scores[-1]
        if best - last > WORSE:
            notes.append(
                f"its samples were better at {seen:,} seen (score {best:.2f}, at {last_seen:,} {last:.2f}): "
                "tightrope sample --best draws from there."
            )
    return notes


def _extractor(case: Case, asked: Asked, progress: Progress | None) -> tuple[Extractor, list[str]]:
    """The one that was asked for, ships for this data, or is trained on it; and what has to be said of that."""
    wish = asked.get("extractor")
    if wish is not None:
        return resolve(wish, asked.get("weights"), case.data, progress), []
    resolve(None, asked.get("weights"), case.data)  # weights without their extractor are refused
    shipped = judge.judge_for(case.data.spec)
    if not case.data.spec.pictures or judge.at_home(shipped, case.data.spec):
        return shipped, []
    try:
        return domain_of(case.data, progress), []
    except InputError as error:  # too few images to learn from
        return shipped, [f"no network could be trained on this data, {shipped.id} was taken: {error}"]


def _samples(case: Case, extractor: Extractor, progress: Progress | None) -> tuple[Sample, Sample]:
    """Real and generated samples with their features."""
    subject, data = case.subject, case.data
    key = {"extractor": extractor.protocol, "generated": subject.identity, "count": subject.count}
    fake = judge.generated_features(extractor, sampler(subject, progress), data, subject.count, key)
    classes = extractor.classes if judge.at_home(extractor, data.spec) else ()
    made = _small(judge.generated(sampler(subject), data, subject.count))
    return _real(data, extractor, classes, progress), Sample(made, fake.values, fake.logits, classes, subject.asked)


def _real(data: Dataset, extractor: Extractor, classes: tuple[str, ...] = (), progress: Progress | None = None) -> Sample:
    """Real samples: all of them, unless that is more than MOST_REAL."""
    index = _real_index(data)
    read = judge.reference(extractor, data, len(index), progress)
    return Sample(_small(judge.stored(data, index)), read.values, read.logits, classes, data.labels(index))


def _real_index(data: Dataset) -> Tensor:
    side = min(data.spec.size, THUMBNAIL) if data.spec.pictures else 1
    return judge.spread_index(len(data), min(MOST_REAL, MOST_BYTES // (data.spec.channels * side * side)))


def _small(batches: Iterable[np.ndarray]) -> np.ndarray:
    """Samples as files hold them; images of more than THUMBNAIL pixels a side are brought to that."""
    return np.concatenate([_thumbnails(stored) if stored.ndim == 4 else stored for stored in batches])


def _thumbnails(stored: np.ndarray) -> np.ndarray:
    if max(stored.shape[1:3]) <= THUMBNAIL:
        return stored
    pixels = torch.from_numpy(stored).permute(0, 3, 1, 2).float()
    pixels = interpolate(pixels, (THUMBNAIL, THUMBNAIL), mode="bilinear", antialias=True)
    return pixels.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()


def _record(case: Case, extractor: Extractor, found: Diagnosis, real: Sample, fake: Sample, seed: int) -> dict[str, Any]:
    """What is printed as JSON, but for the page's place."""
    data, subject = case.data, case.subject
    read = Features(real.features, real.logits), Features(fake.features, fake.logits)
    protocol = judge.protocol_of(extractor, data, read[0], subject.count, seed)
    if case.held_out is not None:
        protocol |= {"held_out": f"{case.held_out.name} {case.held_out.fingerprint[:12]}, {len(case.held_out)} samples"}
    shares = judge.class_records(extractor, *read, protocol)[0] if fake.classes else None
    return {
        "verdict": found.verdict,
        "summary": found.findings[0].sentence,
        "findings": [_plain(finding.to_json()) for finding in found.findings],
        "checks": [_plain(check.to_json()) | {"ok": not check.alarm} for check in found.checks],
        "classes": shares,
        "by_class": [entry for entry in class_records(case, extractor, seed) if is_by_class(entry)],
        "subject": subject.name,
        "data": data.name,
        "protocol": protocol,
        "tightrope": version("tightrope"),
    }


def _plain(finding: dict[str, Any]) -> dict[str, Any]:
    """Numbers that JSON cannot hold become None; the sentence has them in words."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in finding.items()}


def _sheets(case: Case) -> list[page.Sheet]:
    """Generated and real samples side by side."""
    modality, exact = case.data.modality, case.data.modality.exact
    many = SCATTER if exact else SHEET
    made = case.subject.at(torch.arange(min(many, case.subject.count)))
    real = case.data.batch(judge.spread_index(len(case.data), many))
    return [page.Sheet(title="Judged", pixels=modality.grid(made)), page.Sheet(title="Real", pixels=modality.grid(real))]


def _columns(case: Case) -> list[Column]:
    """Samples made for each class above real ones of it; [] where that is not known."""
    asked, data = case.subject.asked, case.data
    index = _real_index(data)
    known = data.labels(index)
    if asked is None or known is None or data.modality.exact:
        return []
    found = []
    for k, name in enumerate(data.spec.classes[:WIDEST]):
        ours, theirs = (asked == k).nonzero().flatten()[:IN_COLUMN], index[known == k][:IN_COLUMN]
        if len(ours) and len(theirs):
            made, real = (data.modality.grid(part, columns=1) for part in (case.subject.at(ours), data.batch(theirs)))
            found.append(Column(name=name, made=made, real=real))
    return found


class _Couples:
    """Pictures of a judged sample and a real one, one above the other."""

    def __init__(self, case: Case) -> None:
        self.case, self.index = case, _real_index(case.data)

    def fake(self, i: int) -> Tensor:
        return self.case.subject.at(torch.tensor([i]))

    def real(self, i: int) -> Tensor:
        return self.case.data.batch(self.index[torch.tensor([i])])

    def misread(self, chosen: list[int], asked: Tensor | None) -> list[tuple[np.ndarray, str]]:
        """Judged samples above a real one of the class that was asked for."""
        labels = self.case.data.labels(self.index)
        if asked is None or labels is None:
            return []
        first = {int(k): int((labels == k).nonzero()[0]) for k in labels.unique()}
        pairs = [(i, int(asked[i])) for i in chosen if int(asked[i]) in first][:COUPLES]
        names = self.case.data.spec.classes
        return [(self.picture(self.fake(i), self.real(first[k])), f"asked for {names[k]}") for i, k in pairs]

    def picture(self, above: Tensor, below: Tensor) -> np.ndarray:
        return self.case.data.modality.grid(torch.cat([above, below]), columns=1)

    def of(self, pairs: list[tuple[int, int]]) -> list[tuple[np.ndarray, str]]:
        """Judged samples above real ones."""
        return [(self.picture(self.fake(i), self.real(j)), f"sample {i}") for i, j in pairs[:COUPLES]]

    def twins(self, groups: list[list[int]]) -> list[tuple[np.ndarray, str]]:
        """The first two judged samples of each group."""
        pairs = [(group[0], group[1]) for group in groups if len(group) > 1]
        return [(self.picture(self.fake(i), self.fake(j)), f"{i} and {j}") for i, j in pairs[:COUPLES]]

    def region(self, chosen: list[int], real: Tensor, fake: Tensor) -> list[tuple[np.ndarray, str]]:
        """Real samples above the judged ones that are nearest to them."""
        if not chosen:
            return []
        reached = nearest(real[torch.tensor(chosen[:COUPLES])], fake)
        pairs = zip(chosen, reached.index[:, 0].tolist(), reached.distance[:, 0].tolist(), strict=False)
        return [(self.picture(self.real(i), self.fake(j)), f"{distance:.2f} away") for i, j, distance in pairs]


def _galleries(case: Case, found: Diagnosis, real: Sample, fake: Sample) -> list[page.Gallery]:
    """Copies with their originals, repetitions, strangers, and the regions of the data that are left out and well reached."""
    if case.data.modality.exact:
        return []
    evidence: dict[str, Any] = {name: value for check in found.checks for name, value in check.evidence.items()}
    show, near, asked = _Couples(case), nearest(fake.features, real.features), case.subject.asked
    copies = list(dict.fromkeys([*evidence.get("copies", []), *_closest(real.features, near)]))
    strangers = [(i, int(near.index[i, 0])) for i in evidence.get("strangers", [])]
    uncovered, covered = (show.region(evidence.get(name, []), real.features, fake.features) for name in ("uncovered", "covered"))
    shown = (
        ("Not what was asked for", "Above samples that are read as another class, below a real one of the class asked for.",
         show.misread(evidence.get("misread", []), asked)),
        ("Nearest training samples", "Above a judged sample, below the training sample that is nearest to it; the closest first.",
         show.of(copies)),
        ("Repetitions", "Judged samples that are nearly the same picture.", show.twins(evidence.get("clusters", []))),
        ("Unlike anything real", "Above the judged samples that are farthest from the real data, below the nearest real one.",
         show.of(strangers)),
        ("Worst covered", "Above real samples that the judged ones come least near to, below the nearest judged one.", uncovered),
        ("Best covered", "Above real samples that the judged ones come nearest to, below the nearest judged one.", covered),
    )  # fmt: skip
    return [page.Gallery(title=title, caption=caption, couples=couples) for title, caption, couples in shown]


def _closest(real: Tensor, found: Nearest) -> list[tuple[int, int]]:
    """Samples and the real ones nearest to them, by distance over that real sample's own distance to its nearest."""
    some = found.index[:AMONG, 0]
    asked, place = some.unique(return_inverse=True)
    own = nearest(real[asked], real, 2).distance[:, 1][place]
    order = (found.distance[:AMONG, 0] / own.clamp(min=1e-9)).argsort()
    return [(int(i), int(some[i])) for i in order[:COUPLES]]
