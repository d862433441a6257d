"""Does a found direction move its attribute, and leave the rest alone? Against random directions brought to the same effect.

    python benchmarks/directions.py                      trains swift on fashion first: 60,000 images
    python benchmarks/directions.py --run runs/00000-swift-fashion

An attribute's direction is learnt from 2,000 samples (`explore.attributes`, with the features of fashion-cnn as what should stay)
and tried on others. For every attribute and seed (of the samples that are learnt from, of those that are tried, and of the random
directions):

    success       share of samples that have reached the goal at the stated strength (95 % interval, Wilson 1927)
    rest          distance in fashion-cnn's features, the attribute's own axis taken out, between a sample and itself moved as far
                  as the goal; the same for a random direction, in its better sense, moved until it reaches the same goal
    nearer        share of samples that the found direction leaves nearer, where both reach it (random directions often do not)

At equal length there is little to compare: a random direction changes little, of the attribute as of the rest. The
column "random" says how many reach the goal at the stated strength, in either sense.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

import tightrope
from tightrope.api import Options
from tightrope.data import Images
from tightrope.explore import attributes, spaces
from tightrope.explore.directions import Direction
from tightrope.explore.spaces import Places, Space
from tightrope.explore.steadiness import attribute_axis
from tightrope.metrics.extractor import Reading
from tightrope.metrics.extractors import load
from tightrope.metrics.intervals import bootstrap, share_interval

LEARNT, TRIED, FIRST_TRIED = 2_000, 120, 1_000_000
STRIDE, FARTHEST = 0.25, 6.0  # strengths at which samples are looked at


class Seen(NamedTuple):
    """Samples, and what the classifier reads in them."""

    samples: Tensor
    reading: Reading


class Attribute(NamedTuple):
    """What is to be moved.

    measure: a number (or 0, 1, NaN) for each sample that is learnt from; start: which samples are tried; reached: whether they
    are where they should be, given how they began and the spread of the measure.
    """

    name: str
    strength: float
    measure: Callable[[Seen], Tensor]
    start: Callable[[Seen], Tensor]
    reached: Callable[[Seen, Seen, float], Tensor]


def grown(figure: Callable[[Tensor], Tensor]) -> Callable[[Seen, Seen, float], Tensor]:
    """Half a standard deviation of the drawn samples more than at the beginning."""
    return lambda now, begun, spread: figure(now.samples) - figure(begun.samples) > 0.5 * spread


def lower_half(figure: Callable[[Tensor], Tensor]) -> Callable[[Seen], Tensor]:
    return lambda seen: figure(seen.samples) < figure(seen.samples).median()


def of_class(k: int) -> Callable[[Seen], Tensor]:
    return lambda seen: seen.reading.logits.argmax(1) == k  # type: ignore[union-attr]


DRESS, TROUSER = 3, 1
BRIGHT, SIZE = attributes.brightness, attributes.size
ATTRIBUTES = (
    Attribute("dark ones brighter", 4.0, lambda seen: BRIGHT(seen.samples), lower_half(BRIGHT), grown(BRIGHT)),
    Attribute("small ones larger", 4.0, lambda seen: SIZE(seen.samples), lower_half(SIZE), grown(SIZE)),
    Attribute(
        "dresses to trousers", 4.0, lambda seen: attributes.of_classes(seen.reading.logits, TROUSER, DRESS), of_class(DRESS),
        lambda now, begun, spread: of_class(TROUSER)(now),
    ),
)  # fmt: skip
HEAD = (
    f"{'attribute':22}{'strength':>9}{'seed':>5}{'tried':>6}  {'success (95 %)':24}{'random':>7}{'both':>5}"
    "  rest: found, random, found less random (95 %)  nearer"
)


class Bench:
    """A generator with its judge."""

    def __init__(self, space: Space) -> None:
        self.space, self.judge, self.images = space, load("fashion-cnn"), Images()

    def see(self, places: Places) -> Seen:
        samples = self.space.decode(places)
        return Seen(samples, self.judge.read(self.images.to_array(samples)))

    def trial(self, attribute: Attribute, seed: int, steady: bool) -> str:
        """One line of the table."""
        drawn = self.space.draw(list(range(seed * LEARNT, (seed + 1) * LEARNT)))
        seen = self.see(drawn)
        values = attribute.measure(seen).float()
        features, known = seen.reading.features, values.isfinite()
        found = attributes.learnt(self.space, drawn, values, name=attribute.name, rest=features if steady else None)
        scale = features.mean(0), features.std(0).clamp(min=1e-6)
        axis = attribute_axis((features[known] - scale[0]) / scale[1], values[known])
        first = FIRST_TRIED + seed * 10 * TRIED
        places = self.space.draw(list(range(first, first + 10 * TRIED)))
        begun = self.see(places)
        chosen = attribute.start(begun).nonzero().flatten()[:TRIED]
        walkers = Walkers(self, attribute, places[chosen], of(begun, chosen), values[known].std().item(), (*scale, axis))
        there = walkers.reach(found.vector.expand(len(chosen), -1) * found.unit)
        noise = torch.randn(len(chosen), self.space.width, generator=torch.Generator().manual_seed(seed))
        step = torch.nn.functional.normalize(noise, dim=1) * found.unit
        either = walkers.reach(step), walkers.reach(-step)
        better = (either[0].strength <= either[1].strength)[:, None]
        best = torch.where(better, torch.stack(either[0], 1), torch.stack(either[1], 1))
        success = walkers.reached_at(found, attribute.strength)
        by_chance = (walkers.at(attribute.strength * step) | walkers.at(-attribute.strength * step)).float().mean().item()
        both = there.rest.isfinite() & best[:, 1].isfinite()
        a, b = there.rest[both], best[both, 1]
        share, less = share_interval(int(success.sum()), len(success)), bootstrap(lambda d: d.mean().item(), a - b)
        sure = f"{share.value:.1%} ({share.low:.1%} to {share.high:.1%})"
        apart = f"{less.value:+.2f} ({less.low:+.2f} to {less.high:+.2f})"
        return (
            f"{attribute.name:22}{attribute.strength:9.1f}{seed:5}{len(chosen):6}  {sure:24}{by_chance:7.1%}{int(both.sum()):5}"
            f"  {a.mean():.2f} {b.mean():.2f} {apart:24}{(a < b).float().mean():7.1%}"
        )


class Reached(NamedTuple):
    """The strength at which the goal was first reached (inf: never), and how far the rest had gone by then (NaN)."""

    strength: Tensor
    rest: Tensor


def of(seen: Seen, index: Tensor) -> Seen:
    assert seen.reading.logits is not None
    return Seen(seen.samples[index], Reading(seen.reading.features[index], seen.reading.logits[index]))


class Walkers:
    """Samples that are moved until they reach the goal."""

    def __init__(
        self, bench: Bench, attribute: Attribute, places: Places, begun: Seen, spread: float, scale: tuple[Tensor, Tensor, Tensor]
    ) -> None:
        self.bench, self.attribute, self.places, self.begun, self.spread, self.scale = (
            bench,
            attribute,
            places,
            begun,
            spread,
            scale,
        )

    def reached_at(self, found: Direction, strength: float) -> Tensor:
        return self.at(strength * found.unit * found.vector.expand(len(self.places), -1))

    def at(self, by: Tensor) -> Tensor:
        return self.attribute.reached(self.bench.see(self.places.moved(by[:, None])), self.begun, self.spread)

    def reach(self, step: Tensor) -> Reached:
        strength, rest = torch.full((len(step),), torch.inf), torch.full((len(step),), torch.nan)
        left = torch.arange(len(step))
        for k in range(1, round(FARTHEST / STRIDE) + 1):
            if not len(left):
                break
            now = self.bench.see(self.places[left].moved((k * STRIDE * step[left])[:, None]))
            done = self.attribute.reached(now, of(self.begun, left), self.spread)
            moved = (now.reading.features - self.begun.reading.features[left]) / self.scale[1]
            aside = (moved - (moved @ self.scale[2])[:, None] * self.scale[2]).norm(dim=1)
            strength[left[done]], rest[left[done]] = k * STRIDE, aside[done]
            left = left[~done]
        return Reached(strength, rest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="a run on fashion (default: swift is trained for it)")
    parser.add_argument("--seen", type=int, default=60_000, help="images that swift is trained on")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--plain", action="store_true", help="also directions that do not mind the rest")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        run = (
            asked.run
            or tightrope.train(
                "swift", "fashion", run=Path(folder) / "run", seen=asked.seen, options=Options(judge=0, threads=1)
            ).path
        )
        bench = Bench(spaces.of(tightrope.load(run)))
    began = time.process_time()
    print(HEAD)
    for steady in (True, False) if asked.plain else (True,):
        print("the rest held still" if steady else "plain")
        for attribute in ATTRIBUTES:
            for seed in range(asked.seeds):
                print(bench.trial(attribute, seed, steady), flush=True)
    print(f"{time.process_time() - began:.0f} CPU seconds for the measurements")


if __name__ == "__main__":
    main()
