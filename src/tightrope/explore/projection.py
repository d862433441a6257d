"""Projection: the latent whose image is nearest to a picture that the generator has not made.

Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN", arXiv:1912.04958, appendix D: Adam from the mean
style with a rate that rises and falls, noise on the style that fades, a perceptual distance, noise maps kept free of signal.
W+ is that of Abdal et al. 2019, "Image2StyleGAN", arXiv:1904.03189. Latents z of any recipe start at the best of some random
samples, several times a picture.

    found = project(tightrope.load(RUN), pictures, Pyramid())

Axes: N pictures, R rows (restarts of pictures), C channels, H W pixels, D numbers of an embedding.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn.functional import interpolate

from tightrope.core import seeds as seeding
from tightrope.core.errors import InputError
from tightrope.explore import noise_maps
from tightrope.explore.generator import Generator
from tightrope.explore.latent_file import Latent, fingerprint, read_latent
from tightrope.explore.search_spaces import RESTARTS, Name, Space, space_of
from tightrope.explore.spaces import styled

__all__ = ["Distance", "Latent", "Projection", "at_once", "frames", "project", "read_latent"]

STEPS = 500
RANDOM = 1_000  # samples among which the nearest is looked for, to begin with and to compare with
RATE = 0.1  # Adam's, at its height
RISE, FALL = 0.05, 0.25  # shares of the steps in which the rate rises and falls
JITTER, STILL = 0.05, 0.75  # noise on the latent, of its spread; the share of the steps after which there is none
MAPS = 0.1  # weight of the noise maps' autocorrelation: at 1,024 pixels the paper's 1e5
FRAMES = 60  # looks without noise: frames of a film, points of a curve
LARGEST = 256  # pixels of a frame
PIXELS = 1 << 18  # of the images that are computed at once, which bounds the memory


class Distance(Protocol):
    """How far images are from each other: the squared Euclidean distance of their embeddings.

    Attributes:
        id: what figures are called by.
    """

    @property
    def id(self) -> str: ...

    def embed(self, images: Float[Tensor, "N C H W"]) -> Float[Tensor, "N D"]:
        """Of images that are to lie in [-1, 1]; gradients pass through."""


@dataclasses.dataclass(frozen=True)
class Projection:
    """What was found for one picture.

    Attributes:
        latent: the point, to be written and drawn again.
        image: what the generator makes of it, (C, H, W).
        distance: of that image from the picture.
        at_start: the distance before the first step.
        of_random: the distance of the nearest of RANDOM random samples.
        steps, curve: how far it was after so many steps.
        film: the images then, of at most LARGEST pixels, (frames, H, W, C).
    """

    latent: Latent
    image: Float[Tensor, "C H W"]
    distance: float
    at_start: float
    of_random: float
    steps: list[int]
    curve: list[float]
    film: UInt8[np.ndarray, "F h w C"]


def project(
    generator: Generator,
    pictures: Float[Tensor, "N C H W"],
    distance: Distance,
    *,
    space: Name | None = None,
    steps: int = STEPS,
    label: str | int | None = None,
    noise: bool = False,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[Projection]:
    """Look for the latents of pictures, many at once; what is found for one does not depend on its neighbours.

    Args:
        pictures: in [-1, 1], of the generator's shape.
        distance: what is to become small.
        space: "z", "w" (one style), "w+" (one a layer); None is w where there are styles and z elsewhere.
        steps: of Adam.
        label: the class of the pictures, by name or number; None chooses for each.
        noise: find the noise maps too (w and w+ of generators that add noise).
        seed: of everything random.
        progress: told (steps done, steps in all).

    Raises:
        InputError: pictures of another shape or not finite, no steps, or a space, class or noise that the generator has not.
    """
    _check(generator, pictures, steps)
    where, mark = space_of(generator, space, label, seed), fingerprint(generator)
    if noise and not where.maps(1):
        adds = "are part of w and w+" if where.name == "z" else f"there are none in recipe {generator.name}"
        raise InputError(f"--noise: noise maps {adds}; leave it out.")
    parts, found = pictures.split(at_once(generator, where.name)), list[Projection]()
    for number, part in enumerate(parts):
        tell = None if progress is None else _told(progress, number * steps, len(parts) * steps)
        with torch.no_grad():
            wanted = distance.embed(part)
            near = _nearest(where, distance, wanted)
        search = Search(where, distance, near[1][:, : where.restarts], wanted, noise, seed)
        search.run(steps, tell)
        found += [search.best(i, mark, near[0][i, 0].item()) for i in range(len(part))]
    return found


def at_once(generator: Generator, space: str | None) -> int:
    """How many pictures are projected in one batch."""
    plain = space == "z" or styled(generator) is None
    return max(1, PIXELS // (generator.spec.size**2 * (RESTARTS if plain else 1)))


def _check(generator: Generator, pictures: Tensor, steps: int) -> None:
    shape = generator.spec.shape
    if generator.spec.modality != "images":
        raise InputError(f"recipe {generator.name} makes {generator.spec.modality}; only pictures can be projected.")
    if pictures.shape[1:] != shape or not len(pictures):
        wanted = ", ".join(map(str, shape))
        raise InputError(f"pictures of the shape {tuple(pictures.shape)}; this generator's are (N, {wanted}).")
    if not pictures.is_floating_point() or not torch.isfinite(pictures).all() or pictures.abs().max() > 1.001:
        raise InputError("pictures: are not finite numbers in [-1, 1]; divide bytes by 127.5 and subtract 1.")
    if steps < 1:
        raise InputError(f"--steps {steps}: at least 1 is needed, and {STEPS} are usual.")


def _told(progress: Callable[[int, int], None], before: int, total: int) -> Callable[[int], None]:
    return lambda done: progress(before + done, total)


def _nearest(space: Space, distance: Distance, wanted: Float[Tensor, "N D"]) -> tuple[Tensor, Tensor]:
    """Distances of the nearest random samples and which of the probed latents they are, both (N, restarts), nearest first."""
    far = torch.full((len(wanted), space.restarts), torch.inf)
    which = torch.zeros(len(wanted), space.restarts, dtype=torch.int64)
    size = space.random(torch.arange(1))[0, 0].numel()
    for index in torch.arange(RANDOM).split(max(1, PIXELS // size)):
        made = distance.embed(space.random(index))
        apart = torch.stack([(made - row).square().sum(1) for row in wanted])
        far, order = torch.cat([far, apart], 1).sort(dim=1, stable=True)
        which = torch.cat([which, index.expand(len(wanted), -1)], 1).gather(1, order)
        far, which = far[:, : space.restarts], which[:, : space.restarts]
    return far, which


class Search:
    """Adam on the points of all rows at once; every row by itself, since their distances are summed."""

    def __init__(
        self,
        space: Space,
        distance: Distance,
        nearest: Int64[Tensor, "N r"],
        wanted: Float[Tensor, "N D"],
        noise: bool,
        seed: int,
    ) -> None:
        self.space, self.distance, self.seed = space, distance, seed
        self.wanted = wanted.repeat_interleave(space.restarts, 0)
        self.start, self.labels = space.begin(nearest.flatten())
        self.moved = torch.zeros_like(self.start, requires_grad=True)
        self.maps = space.maps(len(self.start)) if noise else {}
        for x in self.maps.values():
            x.requires_grad_()
        self.steps: list[int] = []
        self.curve: list[Float[Tensor, " R"]] = []
        self.film: list[UInt8[np.ndarray, "R h w C"]] = []
        self.kept = dict[str, Tensor]()

    def run(self, steps: int, tell: Callable[[int], None] | None) -> None:
        """All steps, with looks in between."""
        adam = torch.optim.Adam([self.moved, *self.maps.values()], lr=RATE, betas=(0.9, 0.999))
        looks = {round(steps * i / FRAMES) for i in range(FRAMES + 1)}
        self.look(0)
        for step in range(steps):
            for group in adam.param_groups:
                group["lr"] = RATE * rate(step / steps)
            adam.zero_grad()
            self.loss(step, steps).backward()
            adam.step()
            self.stay()
            if step + 1 in looks:
                self.look(step + 1)
            if tell is not None:
                tell(step + 1)

    def loss(self, step: int, steps: int) -> Float[Tensor, ""]:
        """The sum over the rows of distance, penalty and the maps' autocorrelation, at points that tremble."""
        space, at = self.space, self.start + self.space.free * self.moved
        scale = JITTER * space.spread * max(0.0, 1 - step / steps / STILL) ** 2
        # the same for every row, so that a picture's way is its own whoever goes beside it
        jitter = torch.randn(at[:1].shape, generator=seeding.generator(self.seed, "projection", "jitter", step)) * scale
        images = space.images(at + space.free * jitter, self.labels, self.maps)
        apart = (self.distance.embed(images) - self.wanted).square().sum(1)
        return (apart + space.penalty(at) + MAPS * noise_maps.autocorrelation(self.maps)).sum()

    @torch.no_grad()
    def stay(self) -> None:
        """Bring points back within bounds and maps to variance 1."""
        self.moved.copy_((self.start + self.moved).clamp(self.space.low, self.space.high) - self.start)
        noise_maps.normalise_(self.maps)

    @torch.no_grad()
    def look(self, step: int) -> None:
        """Draw without noise; keep each row's best so far."""
        at = self.start + self.space.free * self.moved
        images = self.space.images(at, self.labels, self.maps)
        apart = (self.distance.embed(images) - self.wanted).square().sum(1)
        now = {"at": at, "image": images, "apart": apart} | {f"map {name}": x for name, x in self.maps.items()}
        better = apart < self.kept.get("apart", torch.full_like(apart, torch.inf))
        for name, x in now.items():
            mask = better.view(-1, *[1] * (x.ndim - 1))
            self.kept[name] = torch.where(mask, x, self.kept.get(name, x)).detach().clone()
        self.steps.append(step)
        self.curve.append(apart)
        self.film.append(frames(images))

    def best(self, picture: int, mark: str, of_random: float) -> Projection:
        """The best restart of a picture."""
        rows = slice(picture * self.space.restarts, (picture + 1) * self.space.restarts)
        row = rows.start + int(self.kept["apart"][rows].argmin())
        label = None if self.labels is None else self.labels[row]
        maps = {name: self.kept[f"map {name}"][row] for name in self.maps}
        apart = self.kept["apart"][row].item()
        facts = {"distance": self.distance.id, "apart": apart}
        return Projection(
            latent=Latent(self.space.name, self.space.latent(self.kept["at"][row : row + 1])[0], label, maps, mark, facts),
            image=self.kept["image"][row],
            distance=apart,
            at_start=self.curve[0][row].item(),
            of_random=of_random,
            steps=self.steps,
            curve=[each[row].item() for each in self.curve],
            film=np.stack([looked[row] for looked in self.film]),
        )


def rate(t: float) -> float:
    """The factor of the rate at t in [0, 1]: rising in a line, falling along a cosine."""
    return min(1.0, t / RISE) * (0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - t) / FALL)))


def frames(images: Float[Tensor, "R C H W"]) -> UInt8[np.ndarray, "R h w C"]:
    """Bytes of images, of at most LARGEST pixels a side."""
    side = images.shape[-1]
    if side > LARGEST:
        images = interpolate(images, (LARGEST, LARGEST), mode="area")
    return ((images.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).contiguous().numpy()
