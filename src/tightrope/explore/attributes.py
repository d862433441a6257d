"""Directions with labels: a linear direction for any attribute that samples can be asked about.

Shen, Gu, Tang & Zhou 2020, "Interpreting the latent space of GANs for semantic face editing", arXiv:1907.10786: what a classifier
says of samples is close to linear in their latents, so that the normal of the dividing plane moves the attribute. Here by
regularised logistic (yes and no) or linear regression (numbers), with what it is worth on places that it was not fitted on.

    found = attribute(space, seeds, brightness, name="brightness")
    images = space.decode(found.move(space, space.draw([0]), 2.0))

Axes: N places or samples, D width of a part, C H W.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.explore.directions import Direction, along, flat, orthogonalised
from tightrope.explore.generator import BATCH, Classes
from tightrope.explore.regression import fitted
from tightrope.explore.spaces import Places, Space
from tightrope.explore.steadiness import steadied

LEAST = 5  # of the yes and of the no
Measure = Callable[[Tensor], Tensor]  # samples (N, *shape) in the networks' range to a number each, or to a yes and no


def attribute(
    space: Space,
    seeds: Sequence[int],
    measure: Measure,
    *,
    name: str,
    labels: Classes | None = None,
    rest: Measure | None = None,
    keep: Sequence[Direction] = (),
    layers: Sequence[int] | None = None,
) -> Direction:
    """The direction of what `measure` says of the samples of these seeds: yes and no, or numbers. NaN leaves a sample out.

    Args:
        measure: a classifier of the user's, or one of `MEASURES`; called with a batch at a time.
        labels: classes of the seeds, as for `Generator.sample`.
        rest: samples to numbers (features) that should change as little as may be; see `explore.steadiness`.
        keep: directions along which nothing should move.
        layers: those that are moved; all unless given.
    """
    drawn = space.draw(list(seeds), labels)
    batches = [space.decode(drawn[i : i + BATCH]) for i in range(0, len(drawn), BATCH)]
    values = torch.cat([measure(batch).float().flatten() for batch in batches])
    others = None if rest is None else torch.cat([rest(batch).float().flatten(1) for batch in batches])
    return learnt(space, drawn, values, name=name, rest=others, keep=keep, layers=layers)


def learnt(
    space: Space,
    drawn: Places,
    values: Float[Tensor, " n"],
    *,
    name: str,
    rest: Float[Tensor, "n f"] | None = None,
    keep: Sequence[Direction] = (),
    layers: Sequence[int] | None = None,
) -> Direction:
    """The direction in which `values` of drawn places grow: 0 and 1 (no and yes), or numbers. NaN leaves a place out.

    Raises:
        InputError: as many values as places are needed, and enough of both kinds (or of different numbers).
    """
    if len(values) != len(drawn):
        raise InputError(f"attribute {name}: {len(values)} values of {len(drawn)} places; one a place is needed.")
    said = values.isfinite().nonzero().flatten()
    x, y = flat(drawn[said]), values[said]
    yes_no = bool(((y == 0) | (y == 1)).all())
    _require(y, yes_no, name)
    fit = fitted(x, y, yes_no)
    facts = _worth(fit.held_out, y, yes_no) | {"method": "logistic" if yes_no else "ridge", "ridge": fit.ridge, "samples": len(y)}
    plain = fit.model.w
    vector = plain if rest is None else steadied(flat(drawn), values, plain, rest)
    vector = orthogonalised(vector, keep)
    if keep:
        facts["keeps"] = [d.name for d in keep]
    if keep or rest is not None:
        facts["cosine to the plain one"] = round(torch.cosine_similarity(vector, plain, dim=0).item(), 4)
    return along(space, vector, name, drawn, layers, **facts)


def _require(y: Tensor, yes_no: bool, name: str) -> None:
    fewest = min(int((y == 1).sum()), int((y == 0).sum())) if yes_no else len(y.unique())
    if fewest < LEAST:
        what = (
            f"{int((y == 1).sum())} samples with it and {int((y == 0).sum())} without" if yes_no else f"{fewest} different values"
        )
        raise InputError(f"attribute {name}: {what}; at least {LEAST} are needed of each: draw more, or label more.")


def _worth(held_out: Tensor, y: Tensor, yes_no: bool) -> dict[str, Any]:
    """Of samples that the model had not seen: the share it is right about beside that of the larger class, or the correlation."""
    if yes_no:
        share = y.mean().item()
        right = ((held_out > 0) == (y > 0)).float().mean().item()
        return {"held-out accuracy": round(right, 4), "of the larger class": round(max(share, 1 - share), 4)}
    return {"held-out correlation": round(torch.corrcoef(torch.stack([held_out, y]))[0, 1].item(), 4)}


def brightness(samples: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """The mean over pixels and channels, in the networks' range."""
    return samples.flatten(1).mean(1)


def size(samples: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """The share of pixels that differ from the picture's corners by more than a quarter of the range."""
    corners = samples[:, :, [0, 0, -1, -1], [0, -1, 0, -1]].median(2).values
    return ((samples - corners[..., None, None]).abs().amax(1) > 0.5).float().flatten(1).mean(1)


def warmth(samples: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """How much more red than blue there is; InputError for grey pictures."""
    if samples.shape[1] != 3:
        raise InputError("warmth: is red less blue, and these samples are grey; choose brightness or size.")
    return (samples[:, 0] - samples[:, 2]).flatten(1).mean(1)


def saturation(samples: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """The mean distance of the strongest from the weakest colour; InputError for grey pictures."""
    if samples.shape[1] != 3:
        raise InputError("saturation: these samples are grey; choose brightness or size.")
    return (samples.amax(1) - samples.amin(1)).flatten(1).mean(1)


def of_classes(logits: Float[Tensor, "n k"], toward: int, against: int | None = None) -> Float[Tensor, " n"]:
    """1 for samples that a classifier takes for one class, 0 for those of another (of any other), NaN for the rest."""
    seen = logits.argmax(1)
    values = (seen == toward).float()
    return values if against is None else values.where((seen == toward) | (seen == against), torch.nan)


MEASURES: dict[str, Measure] = {"brightness": brightness, "size": size, "warmth": warmth, "saturation": saturation}


def read_labels(file: str | Path) -> tuple[list[int], Float[Tensor, " n"], str]:
    """Seeds, values and the attribute's name of a CSV or JSON file of a seed and a label each.

    A CSV has the columns seed and a name of yours, or no heading; JSON is {"3": "smiling"} or [{"seed": 3, "label": 1}].
    Labels are numbers, or two words, of which the first in the alphabet counts as 0.

    Raises:
        InputError: no such file, another form, a seed twice, or more than two words.
    """
    path = Path(file)
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows, name = _json_rows(text) if path.suffix.lower() == ".json" else _csv_rows(text)
        seeds = [int(seed) for seed, _ in rows]
    except FileNotFoundError:
        raise InputError(f"--labels {path}: no such file; write a seed and a label a line, like 3,smiling.") from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"--labels {path}: is not a table of seeds and labels ({reason}); write a line each, like 3,smiling."
        ) from error
    if len(set(seeds)) < len(seeds):
        raise InputError(f"--labels {path}: a seed stands there twice; give each one label.")
    values, names = _values([label for _, label in rows], path)
    return seeds, values, name or names or path.stem


def _json_rows(text: str) -> tuple[list[tuple[Any, Any]], str]:
    loaded = json.loads(text)
    return (list(loaded.items()) if isinstance(loaded, dict) else [(r["seed"], r["label"]) for r in loaded]), ""


def _csv_rows(text: str) -> tuple[list[tuple[Any, Any]], str]:
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines()) if row]
    heading = rows and not rows[0][0].lstrip("-").isdecimal()
    name = rows[0][1] if heading and rows[0][1].lower() != "label" else ""
    return [(row[0], row[1]) for row in rows[1 if heading else 0 :]], name


def _values(labels: Iterable[Any], path: Path) -> tuple[Float[Tensor, " n"], str]:
    given = list(labels)
    try:
        return torch.tensor([float(label) for label in given]), ""
    except (TypeError, ValueError):
        words = sorted({str(label) for label in given})
    if len(words) != 2:
        raise InputError(f"--labels {path}: has the labels {', '.join(words[:8])}; give numbers, or two words (yes and no).")
    return torch.tensor([float(str(label) == words[1]) for label in given]), words[1]
