"""How the `domain` extractor is trained and what is found out about it; `metrics.extractors.domain` is what it is used through.

With labels: cross-entropy. Without: SimCLR (Chen et al. 2020, equation 1): an image moved, turned, recoloured and partly
covered in two ways must be known again among a batch of others. The number of steps follows from the data alone, so the
same seed and number of threads give the same weights.

Axes: N samples, C channels, H W pixels, d features, K classes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from tightrope.core.data import Dataset
from tightrope.core.errors import InputError
from tightrope.core.seeds import derive, generator
from tightrope.metrics.bins import assign, kmeans
from tightrope.metrics.classifier import SmallCNN
from tightrope.metrics.frechet import Moments, frechet_distance

LEAST = 50  # images
MOST = {32: 60_000, 64: 20_000}  # images held in memory (64 and 246 MB in colour), by the network's side
COST = {32: 0.00065, 64: 0.0019}  # CPU seconds a training image, one thread of a 2024 server, by the network's side
SHARE = 0.75  # of the budget spent in steps; the rest is for reading and for measuring
ROUNDS = {True: 60, False: 150}  # through the data until it is learnt: with labels, without
WIDTH, BATCH, RATE = 24, 128, 3e-3
PER_CLASS = 10  # training images of an average class from which labels are used
SPLITS, GROUPS = 16, 20  # of the measurement of power: splits; classes tried at most
RARE = 0.2  # of the average group: smaller ones are not tried
TEMPERATURE = 0.2


class Split(NamedTuple):
    """Images at the network's size with the index of their class; -1 without labels."""

    images: UInt8[Tensor, "N C H W"]
    labels: Int64[Tensor, " N"]


class Power(NamedTuple):
    """How surely the Frechet distance sees one missing class, in standard deviations of real against real.

    Attributes:
        worst, median: over the classes.
        n: samples on each side.
    """

    worst: float
    median: float
    n: int


def train_network(
    dataset: Dataset, *, minutes: float = 3.0, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> tuple[SmallCNN, Float[Tensor, " d"], Float[Tensor, " d"], dict[str, str]]:
    """Train on `dataset` and measure on a part of it that was held out.

    Labels are used where there are at least two classes of 10 training images on average.

    Args:
        dataset: images of any size, grey or RGB.
        minutes: most that it may take on one thread of the machine of reference; data that is learnt sooner takes less.
        seed: of the weights, the held-out part, the order and the augmentations.
        progress: called with (done, total) steps.

    Returns:
        The network, mean and deviation of its features on the training data, and the file's header.

    Raises:
        InputError: not images, fewer than 50, values that are not finite, all alike, or no time to train.
    """
    spec = dataset.spec
    if not spec.pictures or spec.channels not in (1, 3):
        raise InputError(f"{dataset.name}: {spec.modality} of the shape {spec.shape}; `domain` needs grey or RGB images.")
    if len(dataset) < LEAST:
        raise InputError(f"{dataset.name}: {len(dataset)} images; a domain extractor needs at least {LEAST}, better 1,000.")
    if not 0 < minutes < float("inf"):
        raise InputError(f"minutes {minutes}: the time for training a domain extractor; give a number above 0, 3 is good.")
    size = 32 if spec.size <= 48 else 64
    train, held_out = _split(dataset, size, seed)
    labelled = len(train.labels.unique()) > 1 and len(train.labels) >= PER_CLASS * len(spec.classes)
    classes = spec.classes if labelled else ()
    steps = _steps(len(train.labels), size, minutes, labelled)
    network = _fit(train, classes, steps, seed, progress)
    known = features_of(network, train.images[:5_000])
    mean, deviation = known.mean(0), known.std(0)
    deviation = torch.where(deviation > 1e-3 * deviation.mean(), deviation, torch.ones(()))  # a dead feature stays at 0
    header = _header(dataset, network, size, classes, steps, seed)
    facts = _facts(network, (features_of(network, held_out.images) - mean) / deviation, held_out, classes, seed)
    header |= {name: json.dumps(value) for name, value in facts.items()} | {
        "facts": json.dumps([*facts, "training data", "seed"])
    }
    return network, mean, deviation, header


def missing_class_power(features: Float[Tensor, "N d"], groups: Int64[Tensor, " N"], seed: int = 0) -> Power | None:
    """(mean distance with one group removed - mean of real against real) / deviation of real against real.

    Each of 16 random splits compares n samples with n others of the same set, and with n others without the group.
    Groups under a fifth of the average size are not tried. None where a side would have fewer than 10 samples or there is
    one group.
    """
    draw, count = generator(seed, "domain", "power"), len(groups)
    names, sizes = groups.unique(return_counts=True)
    largest = int(sizes.max())
    names = names[sizes * len(names) >= RARE * count]
    names = names[torch.randperm(len(names), generator=draw)[:GROUPS]]
    n = min(2_000, count // 3, (count - largest) // 2)
    if n < 10 or len(names) < 2:
        return None
    whole, without = torch.empty(SPLITS, dtype=torch.float64), torch.empty(SPLITS, len(names), dtype=torch.float64)
    for split in range(SPLITS):
        order = torch.randperm(count, generator=draw)
        reference, rest = _moments(features[order[:n]]), order[n:]
        whole[split] = frechet_distance(reference, _moments(features[rest[:n]]))
        for i, name in enumerate(names):
            without[split, i] = frechet_distance(reference, _moments(features[rest[groups[rest] != name][:n]]))
    seen = (without.mean(0) - whole.mean()) / whole.std().clamp(min=1e-12)
    return Power(round(seen.min().item(), 1), round(seen.median().item(), 1), n)


@torch.inference_mode()
def features_of(network: SmallCNN, images: UInt8[Tensor, "N C H W"]) -> Float[Tensor, "N d"]:
    """Penultimate features, before their standardisation."""
    return torch.cat([network.features(_normalise(part)) for part in images.split(250)])


def _split(dataset: Dataset, size: int, seed: int) -> tuple[Split, Split]:
    """Training and held-out part: a tenth to a quarter is held out, 6,000 images at most."""
    order = torch.randperm(len(dataset), generator=generator(seed, "domain", "held out"))[: MOST[size]]
    count = len(order)
    images, labels = [], []
    for index in order.split(500):
        batch = dataset.batch(index)
        if not torch.isfinite(batch).all():
            raise InputError(f"{dataset.name}: the images hold a NaN or an infinity; look at the files.")
        if batch.shape[-2:] != (size, size):
            batch = F.interpolate(batch, (size, size), mode="bilinear", antialias=True)
        images.append(((batch + 1) * 127.5).round().clamp(0, 255).to(torch.uint8))
        known = dataset.labels(index) if dataset.spec.classes else None
        labels.append(torch.full((len(index),), -1) if known is None else known.long())
    everything = Split(torch.cat(images), torch.cat(labels))
    if not (everything.images != everything.images[:1]).any():
        raise InputError(f"{dataset.name}: all {count} images are equal; there is nothing to learn from them.")
    held = min(max(count // 10, min(count // 4, 2_000)), 6_000)
    return Split(*(part[held:] for part in everything)), Split(*(part[:held] for part in everything))


def _steps(count: int, size: int, minutes: float, labelled: bool) -> int:
    affordable = 60 * minutes * SHARE / (COST[size] * BATCH * (1 if labelled else 2))
    return max(1, round(min(affordable, ROUNDS[labelled] * count / min(BATCH, count))))


def _fit(train: Split, classes: tuple[str, ...], steps: int, seed: int, progress: Callable[[int, int], None] | None) -> SmallCNN:
    """AdamW, one cycle (Smith and Topin 2018), label smoothing 0.05."""
    draw = generator(seed, "domain", "training")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "domain", "weights"))
        network = SmallCNN(train.images.shape[1], train.images.shape[3], max(1, len(classes)), WIDTH)
        projection = nn.Sequential(nn.Linear(network.dimensions, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 128))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    weights = [*network.parameters()] + ([] if classes else [*projection.parameters()])
    optimizer = torch.optim.AdamW(weights, RATE, weight_decay=0.02, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps + 1)
    for step, index in enumerate(_order(len(train.labels), steps, draw)):
        images = _normalise(train.images[index])
        if classes:
            logits = network(_channels_last(_moved(images, draw, 0.4)))
            loss = F.cross_entropy(logits, train.labels[index], label_smoothing=0.05)
        else:
            views = [_covered(_moved(images, draw, 1.0), draw) for _ in range(2)]
            loss = known_again(*projection(network.features(_channels_last(torch.cat(views)))).chunk(2))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        if progress:
            progress(step + 1, steps)
    return network.to(memory_format=torch.contiguous_format).eval().requires_grad_(False)  # type: ignore[call-overload]


def known_again(a: Float[Tensor, "N d"], b: Float[Tensor, "N d"]) -> Float[Tensor, ""]:
    """NT-Xent (Chen et al. 2020, equation 1): cross-entropy of finding the other view of an image among the batch."""
    views = F.normalize(torch.cat([a, b]), dim=1)
    likeness = (views @ views.T / TEMPERATURE).fill_diagonal_(float("-inf"))
    partner = torch.arange(2 * len(a)).roll(len(a))
    return F.cross_entropy(likeness, partner)


def _order(count: int, steps: int, draw: torch.Generator) -> tuple[Tensor, ...]:
    """Batches of shuffled indices, every image once before any comes again."""
    batch = min(BATCH, count)
    rounds = -(-steps * batch // count)
    return torch.cat([torch.randperm(count, generator=draw) for _ in range(rounds)])[: steps * batch].split(batch)


def _moved(images: Float[Tensor, "N C H W"], draw: torch.Generator, strength: float) -> Float[Tensor, "N C H W"]:
    """Turned up to 20 degrees, zoomed up to 28 %, moved up to 8 % of the side, at strength 1; edges repeat. No mirroring:
    it would turn one digit into another's likeness."""
    u = (torch.rand(len(images), 4, generator=draw) * 2 - 1) * strength
    angle, zoom = u[:, 0] * 0.35, torch.exp(u[:, 1] * 0.25)
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    theta = torch.stack([cos, -sin, 0.15 * u[:, 2], sin, cos, 0.15 * u[:, 3]], 1).view(-1, 2, 3)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _covered(images: Float[Tensor, "N C H W"], draw: torch.Generator) -> Float[Tensor, "N C H W"]:
    """Contrast within 40 %, each channel shifted by up to 0.2, and a square of 3/10 of the side covered with the mean."""
    count, channels, side = images.shape[:3]
    contrast = 0.6 + 0.8 * torch.rand(count, 1, 1, 1, generator=draw)
    images = (images + 1) * contrast - 1 + 0.4 * torch.rand(count, channels, 1, 1, generator=draw) - 0.2
    centre, line = torch.rand(2, count, 1, generator=draw) * side, torch.arange(side)
    rows, columns = ((line + 0.5 - place).abs() < 0.15 * side for place in centre)
    hidden = (rows[:, :, None] & columns[:, None, :])[:, None]
    return torch.where(hidden, images.mean((2, 3), keepdim=True), images)


def _normalise(images: UInt8[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
    return images.float().div(127.5).sub(1)


def _channels_last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)


def _moments(features: Float[Tensor, "N d"]) -> Moments:
    moments = Moments()
    moments.add(features)
    return moments


def _facts(
    network: SmallCNN, features: Float[Tensor, "N d"], held_out: Split, classes: tuple[str, ...], seed: int
) -> dict[str, object]:
    """What the held-out part says of the network. Without labels its power is that over ten clusters of the pixels."""
    facts: dict[str, object] = {"held out": f"{len(features)} images", "labels": "used" if classes else "not used"}
    groups = held_out.labels
    if classes:
        right = network.head(features_of(network, held_out.images)).argmax(1) == held_out.labels
        facts["accuracy"] = round(right.double().mean().item(), 4)
        known = {name: right[groups == k].double() for k, name in enumerate(classes)}
        facts["accuracy by class"] = {name: round(part.mean().item(), 3) for name, part in known.items() if len(part)}
    else:
        coarse = F.adaptive_avg_pool2d(_normalise(held_out.images), 8).flatten(1)
        groups = assign(coarse, kmeans(coarse, min(10, len(coarse.unique(dim=0))), seed))
    power = missing_class_power(features, groups, seed)
    what = "one missing class" if classes else "one missing cluster of the pixels"
    facts["power"] = None if power is None else power._asdict() | {"of": what}
    return facts


def _header(dataset: Dataset, network: SmallCNN, size: int, classes: tuple[str, ...], steps: int, seed: int) -> dict[str, str]:
    colour = "grey" if dataset.spec.channels == 1 else "RGB"
    trained = {"name": dataset.name, "fingerprint": dataset.fingerprint, "images": len(dataset), "steps": steps}
    return {
        "name": "domain",
        "classes": json.dumps(classes),
        "input": f"{colour}, [-1, 1], {size} px, other sizes antialiased bilinear; float32; features standardised",
        "channels": str(dataset.spec.channels),
        "size": str(size),
        "width": str(WIDTH),
        "training data": json.dumps(trained),
        "seed": str(seed),
        "licence": dataset.licence or "that of the data it was trained on, which states none",
    }
