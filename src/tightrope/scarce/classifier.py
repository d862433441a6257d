"""The classifier that tells ways of augmentation apart: a small network, and the same number of updates for all of them.

Axes: n pictures, N batch, C channel, H W pixels, K classes.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from tightrope.core.schedules import cosine, warm_up
from tightrope.core.seeds import derive, generator
from tightrope.metrics.classifier import SmallCNN
from tightrope.scarce.classic import classic, mixup
from tightrope.scarce.pictures import Pictures

WIDTH = 16
BATCH = 32
EACH = 120  # updates a class: fewer are too few for ten classes, more learn a handful of pictures of two by heart
RATE, DECAY = 2e-3, 1e-2
WARM = 0.05  # share of the updates over which the rate rises
SIDE = 32  # pixels: larger pictures are brought to it, for a classifier of seconds
AT_ONCE = 500  # pictures that are read


@dataclasses.dataclass(frozen=True)
class Lesson:
    """How a classifier is trained.

    Attributes:
        balanced: batches hold every class equally often: class weights, without a rare picture's gradient in bursts.
        classic: pictures are moved and lit otherwise, and mirrored where `flips`.
        mixed: pictures and targets are mixed.
        each: updates of the weights a class there is, of a batch each: the same for every way.
    """

    balanced: bool = False
    classic: bool = False
    flips: bool = False
    mixed: bool = False
    each: int = EACH


def sized(images: Float[Tensor, "n C H W"]) -> Float[Tensor, "n C h w"]:
    """Pictures at the side that the classifier reads."""
    return images if images.shape[-1] == SIDE else F.interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True)


def learn(pictures: Pictures, lesson: Lesson, seed: int, made: Pictures | None = None, share: float = 0.5) -> SmallCNN:
    """A network trained on the pictures: a function of its arguments alone, torch's own generator is left as it was.

    Args:
        made: generated pictures to learn from too.
        share: of each class's places in a batch that generated pictures of it take. It is the same for all classes: if one
            had more of them than another, that a picture is generated would tell its class.
    """
    classes, updates = len(pictures.classes), lesson.each * len(pictures.classes)
    both = pictures if made is None else pictures.with_(made)
    images, labels = sized(both.images), both.labels
    order, dice = generator(seed, "order"), generator(seed, "moves")
    mixing = np.random.default_rng(derive(seed, "mixup"))
    network = _new(images.shape[1], classes, derive(seed, "weights"))
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    chance = _chances(labels, len(pictures.labels), classes, share, lesson.balanced)
    for update in range(updates):
        chosen = torch.multinomial(chance, BATCH, replacement=True, generator=order)
        x, targets = images[chosen], F.one_hot(labels[chosen], classes).float()
        if lesson.classic:
            x = classic(x, dice, lesson.flips)
        if lesson.mixed:
            x, targets = mixup(x, targets, mixing)
        progress = update / updates
        optimizer.param_groups[0]["lr"] = RATE * warm_up(progress, WARM) * cosine(1, 0, progress)
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(network(x), targets).backward()
        optimizer.step()
    return network.eval()


@torch.no_grad()
def predict(network: nn.Module, images: Float[Tensor, "n C H W"]) -> Int64[Tensor, " n"]:
    """The likeliest class of each picture."""
    return torch.cat([network(sized(part)).argmax(1) for part in images.split(AT_ONCE)])


def balanced_accuracy(predicted: Int64[Tensor, " n"], labels: Int64[Tensor, " n"], classes: int) -> float:
    """Mean over the classes that occur of the share of their pictures that are recognised (Brodersen et al. 2010)."""
    right = torch.bincount(labels[predicted == labels], minlength=classes).double()
    count = torch.bincount(labels, minlength=classes).double()
    return (right / count)[count > 0].mean().item()


def score(network: nn.Module, pictures: Pictures) -> float:
    """Balanced accuracy on pictures that were not learned from."""
    return balanced_accuracy(predict(network, pictures.images), pictures.labels, len(pictures.classes))


def _new(channels: int, classes: int, seed: int) -> SmallCNN:
    """A network with the fresh weights of `seed`, whatever was drawn before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SmallCNN(channels, SIDE, classes, WIDTH).train()


def _chances(labels: Int64[Tensor, " n"], real: int, classes: int, share: float, balanced: bool) -> Float[Tensor, " n"]:
    """How often each picture is drawn, up to a factor; the first `real` are real, the others generated."""
    count = torch.bincount(labels[:real], minlength=classes).double()
    of_class = torch.where(count > 0, 1.0, 0.0) if balanced else count
    made = torch.bincount(labels[real:], minlength=classes).double()
    left = torch.where(made > 0, 1 - share, 1.0)
    return torch.cat([(of_class * left / count)[labels[:real]], (of_class * share / made)[labels[real:]]])
