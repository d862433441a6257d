"""What is wrong with generated samples, in plain words: `tightrope doctor` is this and a page.

    diagnosis = diagnose(Sample(real_images, real_features), Sample(fake_images, fake_features))
    diagnosis.verdict        "healthy", or the gravest of: too few samples, unfaithful, duplicating, memorising,
                             ignores its classes, mixes up classes, shrinking, mode dropping

Each figure stands beside its null, the same figure of real samples in the fakes' place. An alarm needs both: a gap to the
null that is larger than its scatter, and one that is large enough to matter, for real data drawn twice is never quite the same.
Causes come before consequences: 50 images repeated leave classes out as well, and are called duplicating.

Axes: N samples, H W pixels, C channels, d features, K classes.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int64
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.metrics import diagnosis_checks as checks
from tightrope.metrics import diagnosis_figures as figures
from tightrope.metrics.diagnosis_checks import Finding
from tightrope.metrics.diagnosis_classes import IGNORES, MIXES, obeying
from tightrope.metrics.diagnosis_figures import Space
from tightrope.metrics.neighbours import feature_sets

LEAST = 200  # fakes, and twice as many real samples; below that nothing is said
GRAVITY = ("too few samples", "unfaithful", "duplicating", "memorising", IGNORES, MIXES, "shrinking", "mode dropping")


class Sample(NamedTuple):
    """A set of samples and what an extractor says of them.

    Attributes:
        stored: uint8 (N, H, W, C) images or float (N, dim) points; None where only features are known.
        features: of the extractor.
        logits: of its classes, or None.
        classes: their names; empty where they are not those of this data.
        labels: the class that each sample is of, or was made for; None where that is not known.
    """

    stored: np.ndarray | None
    features: Float[Tensor, "N d"]
    logits: Float[Tensor, "N K"] | None = None
    classes: tuple[str, ...] = ()
    labels: Int64[Tensor, " N"] | None = None


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """The verdict, what it rests on, and everything that was looked at.

    Attributes:
        verdict: "healthy" or the name of the gravest finding.
        findings: the alarms, the gravest first; a single "healthy" one when there are none.
        checks: every aspect, alarm or not, for a page that also says what is well.
    """

    verdict: str
    findings: tuple[Finding, ...]
    checks: tuple[Finding, ...]

    def to_json(self) -> dict[str, Any]:
        """{"verdict": ..., "findings": [{"name", "figure", "null", "sentence"}]}"""
        return {"verdict": self.verdict, "findings": [finding.to_json() for finding in self.findings]}


def diagnose(
    real: Sample,
    fake: Sample,
    *,
    held_out: Sample | None = None,
    usual: Float[Tensor, " K"] | None = None,
    seed: int = 0,
) -> Diagnosis:
    """Say whether the fakes are as good as real, or what is wrong with them.

    Args:
        real: the training data, or a fair part of it; copies are looked for in what is given here.
        fake: what a generator made.
        held_out: at least 200 real samples that were not trained on; the null then rests on them, else on splits of `real`.
        usual: share of real samples of each class that the extractor recognises (`by_class.usual_accuracy`); given, and the
            fakes' labels known, it is asked whether they are of the classes they were made for.
        seed: of the splits.

    Raises:
        InputError: features that are not (N, d), not finite or of different d; images of different shapes; fewer than 200
            held-out samples.
    """
    _check(real, fake, held_out)
    few = _too_few(len(real.features), len(fake.features))
    if few:
        return Diagnosis(few.name, (few,), (few,))
    spaces, spectra = _spaces(real, fake, held_out)
    near = [checks.nearness(space, seed) for space in spaces]
    variety = [checks.variety(*pair, seed) for pair in zip(spaces, near, strict=True)]
    shares = None
    if real.classes and real.logits is not None and fake.logits is not None:
        shares = checks.class_shares(real.classes, real.logits, fake.logits)
    answers: tuple[Finding, ...] = (
        checks.mode_dropping(variety, shares),
        checks.shrinking(variety),
        checks.duplicating(spaces, seed),
        checks.memorising(near + [checks.nearness(space, seed) for space in spectra]),
        checks.unfaithful(near),
    )
    if fake.classes and fake.logits is not None and fake.labels is not None and usual is not None:
        answers += (obeying(fake.classes, fake.logits.argmax(1), fake.labels, usual),)
    alarms = tuple(sorted((answer for answer in answers if answer.alarm), key=_gravity))
    findings = alarms or (_healthy(answers[0]),)
    return Diagnosis(findings[0].name, findings, answers)


def _gravity(finding: Finding) -> int:
    """Strangers come first only where they are most of the fakes: a few are a consequence of nearly every fault."""
    minor = finding.name == "unfaithful" and not finding.evidence["mostly"]
    return len(GRAVITY) if minor else GRAVITY.index(finding.name)


def _healthy(reach: Finding) -> Finding:
    sentence = (
        f"As good as real, as far as this can see: the samples reach {reach.figure:.1%} of the real data, "
        f"where real samples in their place reach {reach.null:.1%}."
    )
    return Finding(name="healthy", alarm=False, figure=reach.figure, null=reach.null, sentence=sentence)


def _check(real: Sample, fake: Sample, held_out: Sample | None) -> None:
    sets = {"real": real, "fake": fake} | ({} if held_out is None else {"held_out": held_out})
    feature_sets("diagnose", least=1, **{name: sample.features for name, sample in sets.items()})
    if held_out is not None and len(held_out.features) < LEAST:
        raise InputError(f"diagnose: {len(held_out.features)} held-out samples; give at least {LEAST}, or none.")
    for name, sample in sets.items():
        for what, rows in (("samples", sample.stored), ("logits", sample.logits), ("labels", sample.labels)):
            if rows is not None and len(rows) != len(sample.features):
                raise InputError(f"diagnose: {name} has {len(rows)} {what} and {len(sample.features)} features; give one each.")


def _too_few(real: int, fake: int) -> Finding | None:
    for count, least, what in ((fake, LEAST, "samples"), (real, 2 * LEAST, "real samples")):
        if count < least:
            sentence = f"{count} {what} are too few to judge; give at least {least}, better 2,000."
            return Finding(name="too few samples", alarm=True, figure=count, null=least, sentence=sentence)
    return None


def _spaces(real: Sample, fake: Sample, held_out: Sample | None) -> tuple[list[Space], list[Space]]:
    """Those that everything is measured in, and one more in which copies are looked for."""
    spaces = [figures.feature_space(real.features, fake.features, None if held_out is None else held_out.features)]
    held = None if held_out is None else held_out.stored
    if not (_images(real.stored) and _images(fake.stored) and (held_out is None or _images(held))):
        return spaces, []
    assert real.stored is not None and fake.stored is not None
    pixels, spectrum = figures.image_spaces(real.stored, fake.stored, held)
    return [*spaces, pixels], [spectrum]


def _images(stored: np.ndarray | None) -> bool:
    return stored is not None and stored.dtype == np.uint8 and stored.ndim == 4
