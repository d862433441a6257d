"""Figures of samples made for classes, and the doctor's question whether they are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tightrope.metrics.by_class import Labelled, accuracy_records, confusions, distance_records, usual_accuracy
from tightrope.metrics.diagnosis import Sample, diagnose
from tightrope.metrics.diagnosis_checks import Finding
from tightrope.metrics.diagnosis_classes import IGNORES, MIXES, obeying
from tightrope.metrics.extractor import Extractor, Reading
from tightrope.metrics.features import Features
from tightrope.metrics.frechet import frechet_from_features
from tightrope.metrics.protocol import is_by_class
from toys import normal

NAMES = ("a", "b", "c")
CENTRES = torch.tensor([[4.0, 0.0], [0.0, 4.0], [-4.0, 0.0]])


def extractor(**facts: object) -> Extractor:
    return Extractor(id="toy", dimensions=2, input_rule="none", read=lambda x: Reading(x), classes=NAMES, facts=facts)  # type: ignore[arg-type, return-value]


def samples(n: int, seed: int, asked: Callable[[Tensor], Tensor] = lambda labels: labels) -> Labelled:
    """Points around one centre a class; `asked` says what they are said to be."""
    labels = torch.arange(n) % 3
    points = CENTRES[labels] + normal(n, 2, seed)
    return Labelled(Features(points, points @ CENTRES.T), asked(labels))


def test_confusions_count_rows_asked_and_columns_read() -> None:
    asked, read = torch.tensor([0, 0, 1, 2, 2]), torch.tensor([0, 1, 1, 0, 2])
    assert confusions(read, asked, 3).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]


def test_the_null_is_real_data_or_what_was_held_out_where_that_is_less() -> None:
    real = samples(900, 0)
    assert usual_accuracy(extractor(), real).min() > 0.95
    stated = usual_accuracy(extractor(**{"accuracy": "0.9", "accuracy by class": {"b": 0.5}}), real)
    assert stated.tolist() == pytest.approx([0.9, 0.5, 0.9])
    assert usual_accuracy(extractor(), Labelled(real.read.at(real.labels != 1), real.labels[real.labels != 1]))[1] == 0


def test_accuracy_is_told_over_all_and_by_class() -> None:
    swapped = samples(600, 1, lambda labels: torch.tensor([1, 0, 2])[labels])
    whole, each = accuracy_records(extractor(), samples(900, 0), swapped, {"extractor": "toy"})
    assert whole["name"] == "class accuracy[toy]" and whole["value"] == pytest.approx(1 / 3, abs=0.03)
    assert whole["interval"][0] < whole["value"] < whole["interval"][1] and whole["null"]["value"] > 0.95
    assert each["value"]["a"] < 0.05 and each["value"]["c"] > 0.95 and each["n"] == {"a": 200, "b": 200, "c": 200}
    assert is_by_class(each) and not is_by_class(whole)


def test_distances_are_those_within_classes() -> None:
    real, fake = samples(900, 0), samples(300, 1)
    mean, each = distance_records(extractor(), real, fake, NAMES, {})
    for k, name in enumerate(NAMES):
        assert each["value"][name] == pytest.approx(frechet_from_features(real.of(k), fake.of(k)))
        assert each["n"][name] == [300, 100]
    assert mean["value"] == pytest.approx(sum(each["value"].values()) / 3) and "100 to 100" in mean["notes"][0]
    swapped, _ = distance_records(extractor(), real, samples(300, 1, lambda labels: labels.roll(1)), NAMES, {})
    assert swapped["value"] > 20 > 1 > mean["value"]


def test_classes_with_few_samples_have_no_distance() -> None:
    fake = samples(300, 1, lambda labels: torch.where(torch.arange(300) < 5, 2, 0))
    (mean, each) = distance_records(extractor(), samples(900, 0), fake, NAMES, {})
    assert list(each["value"]) == ["a"] and "2 classes have too few" in mean["notes"][0]
    assert distance_records(extractor(), samples(30, 0), samples(9, 1), NAMES, {}) == []


def ask(change: Callable[[Tensor], Tensor], usual: Tensor | None = None, n: int = 900) -> Finding:
    made = samples(n, 2, change)
    assert made.read.classes is not None
    return obeying(NAMES, made.read.classes, made.labels, torch.full((3,), 0.97) if usual is None else usual)


def test_what_obeys_is_well_and_what_does_not_is_named() -> None:
    well = ask(lambda labels: labels)
    assert not well.alarm and well.name == IGNORES and well.figure > 0.95
    shuffled = ask(lambda labels: labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))])
    assert shuffled.alarm and shuffled.name == IGNORES and "do not follow" in shuffled.sentence
    swapped = ask(lambda labels: torch.tensor([1, 0, 2])[labels])
    assert swapped.alarm and swapped.name == MIXES and "are mixed up" in swapped.sentence
    half = torch.arange(900) % 6 < 3
    turned = ask(lambda labels: torch.where((labels == 2) & half, 0, labels))
    assert turned.name == MIXES and "a comes out as c (" in turned.sentence
    assert set(turned.evidence["misread"][:20]) <= set(((torch.arange(900) % 3 == 2) & half).nonzero().flatten().tolist())


def test_a_classifier_that_cannot_tell_a_class_accuses_nobody_of_it() -> None:
    blind = torch.tensor([0.3, 0.4, 0.97])
    found = ask(lambda labels: torch.where((labels == 2) & (torch.arange(900) % 2 == 0), 0, labels), blind)
    assert not found.alarm


def test_the_doctor_asks_only_where_classes_are_known() -> None:
    real, fake = samples(1200, 0), samples(600, 1, lambda labels: torch.tensor([1, 0, 2])[labels])
    usual = usual_accuracy(extractor(), real)

    def sample(part: Labelled, classes: tuple[str, ...] = NAMES, known: bool = True) -> Sample:
        return Sample(None, part.read.values, part.read.logits, classes, part.labels if known else None)

    found = diagnose(sample(real), sample(fake), usual=usual)
    assert found.verdict == MIXES and len(found.checks) == 6
    assert diagnose(sample(real), sample(fake, known=False), usual=usual).verdict == "healthy"
    assert diagnose(sample(real), sample(fake)).verdict == "healthy"
