"""What `tightrope explore` does: `tightrope.explore` with files around it."""

from __future__ import annotations

import dataclasses
import json
import re
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tightrope import api
from tightrope import data as data_room
from tightrope.cli.console import counting
from tightrope.cli.exploring import METHODS, strengths
from tightrope.cli.parsing import nearest, seed_list
from tightrope.core import labels
from tightrope.core.data import Modality
from tightrope.core.errors import InputError
from tightrope.core.files import write_atomically
from tightrope.explore import attributes, contact, directions, given, movies, spaces, unlabelled, walks
from tightrope.explore.directions import Direction
from tightrope.explore.generator import BATCH, Generator
from tightrope.explore.spaces import Places, Space

if TYPE_CHECKING:
    from tightrope.metrics.extractor import Extractor

SEEDS, ROWS, COLUMNS = "0-7", "0-3", "10-15"
FRAMES, RATE = 24, 24
DRAWS, COUNT = 2_000, 8
ABREAST = 4  # walkers in one row
SLUG = re.compile(r"[^\w.-]+")


def steer(asked: Namespace) -> None:
    """Do the action, then say what was written."""
    if asked.action == "walk":
        movies.require(asked.movie or "webp")
    generator = api.Run(asked.run, asked.recipe).generator(best=True) if asked.best else api.load(asked.run, asked.recipe)
    work = Work(asked, generator)
    {"mix": work.mix, "walk": work.walk, "directions": work.find, "attribute": work.learn, "slide": work.slide}[asked.action]()
    if asked.within:
        api.Run(asked.run, asked.recipe).report()
    work.say()


def steered(generator: Generator, asked: Namespace, words: Sequence[str], name: str | None = None) -> Space:
    """The space of this name, or else that of the first of these directions, or else Z; with --truncation, --psi and --cutoff."""
    named = name or (directions.space_of(directions.named(words[0]).file) if words else "z")
    return spaces.of(generator, named, truncation=asked.truncation, psi=asked.psi, cutoff=asked.cutoff)


class Work:
    """Steers as asked and remembers what was written and found."""

    def __init__(self, asked: Namespace, generator: Generator) -> None:
        self.asked, self.generator = asked, generator
        self.modality: Modality = data_room.modality_of(generator.spec)
        named = [*asked.move, *(asked.directions or []), *(asked.keep or [])]
        self.space = steered(generator, asked, named, asked.space)
        self.layers = None if asked.layers is None else seed_list(asked.layers, "--layers")
        self.space.mask(self.layers)
        self.steps = directions.moves(asked.move, self.space)
        self.strengths = strengths(asked.strengths) or contact.STRENGTHS
        files = {directions.named(word).file for word in named}
        self.notes = [f"{file}: was found with other weights." for file in files if directions.foreign(file, self.space)]
        self.written: list[Path] = []
        self.found: list[Direction] = []

    def places(self, text: str) -> tuple[Places, list[str]]:
        """The places of these seeds (or of the files named), moved as asked, and what they are called."""
        if self.asked.latents:
            if self.asked.seeds or self.asked.of_class:
                raise InputError("--latents: are places of their own; leave out --seeds and --class.")
            names = [Path(file).stem for file in self.asked.latents]
            return directions.moved(self.space, given.places(self.space, self.asked.latents), self.steps), names
        seeds = seed_list(text)
        drawn = self.space.draw(seeds, self.classes(len(seeds)))
        return directions.moved(self.space, drawn, self.steps), [str(seed) for seed in seeds]

    def classes(self, count: int) -> Any:
        """--class as `Generator.sample` takes it: one for all, or one a seed."""
        if self.asked.of_class is None:
            return None
        words = [word.strip() for word in self.asked.of_class.split(",")]
        if len(words) not in (1, count):
            raise InputError(f"--class: {len(words)} classes for {count} seeds; give one for all, or one a seed.")
        return words[0] if len(words) == 1 else words

    def mix(self) -> None:
        """A matrix of styles."""
        if self.asked.seeds or self.asked.latents:
            raise InputError("mix: takes --rows and --columns; leave out --seeds and --latents.")
        rows, row_names = self.places(self.asked.rows or ROWS)
        columns, column_names = self.places(self.asked.columns or COLUMNS)
        layers = list(range(self.space.layers // 2, self.space.layers)) if self.layers is None else self.layers
        self._picture("mix.png", contact.mixed(self.space, self.modality, rows, columns, layers, (row_names, column_names)))

    def walk(self) -> None:
        """A film, and the frames' number."""
        stops, _ = self.places(self.asked.seeds or SEEDS)
        frames, cells = self.asked.frames or FRAMES, self.asked.cells or 1
        if not 1 <= cells <= len(stops):
            raise InputError(f"--cells {cells}: between 1 and as many as there are seeds ({len(stops)}).")
        places, total = walks.abreast(self.space, stops, frames, cells), walks.length(len(stops), frames)
        with counting(self.asked.json) as count:
            shown = self._frames(walks.decoded(self.space, places, cells), total, count)
            path = self.asked.out / f"walk.{self.asked.movie or 'webp'}"
            movies.write(path, shown, count=total, rate=self.asked.rate or RATE)
        self.written.append(path)

    def _frames(self, samples: Iterator[Tensor], total: int, tell: Callable[[int, int], None]) -> Iterator[np.ndarray]:
        for index, together in enumerate(samples):
            tell(index, total)
            columns = len(together) if len(together) <= ABREAST else None
            yield movies.enlarged(self.modality.grid(together, columns), contact.factor(together))

    def find(self) -> None:
        """Directions without labels, and their sliders."""
        method = self.asked.method or METHODS[0]
        if method not in METHODS:
            raise nearest(method, list(METHODS), "--method")
        by = unlabelled.sefa if method == "sefa" else unlabelled.ganspace
        self._keep(method, by(self.space, self.asked.count or COUNT, self.layers))
        self._sliders(self.found, method)

    def learn(self) -> None:
        """The direction of an attribute, and its sliders."""
        asked = self.asked
        if sum(value is not None for value in (asked.labels, asked.measure, asked.toward)) != 1:
            raise InputError("attribute: say which, by one of --labels FILE, --measure brightness and --toward CLASS.")
        if asked.against is not None and asked.toward is None:
            raise InputError("--against: is a class to move away from; add --toward CLASS.")
        keep = [one for word in asked.keep or [] for one in self._some(word)]
        drawn, given, name = self._labelled() if asked.labels is not None else self._drawn()
        values, rest = self._seen(drawn, given)
        found = attributes.learnt(self.space, drawn, values, name=asked.name or name, rest=rest, keep=keep, layers=self.layers)
        self._keep(found.name, [found])
        self._sliders([found], found.name)

    def _labelled(self) -> tuple[Places, Tensor | None, str]:
        seeds, values, name = attributes.read_labels(self.asked.labels)
        return self.space.draw(seeds, self.classes(len(seeds))), values, name

    def _drawn(self) -> tuple[Places, Tensor | None, str]:
        asked, n = self.asked, self.asked.draws or DRAWS
        if asked.measure is not None and asked.measure not in attributes.MEASURES:
            raise nearest(asked.measure, list(attributes.MEASURES), "--measure")
        name = asked.measure or f"{asked.toward} against {asked.against or 'all'}"
        return self.space.draw(list(range(n)), self.classes(n)), None, name

    def _seen(self, drawn: Places, given: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The attribute of each place (where it is not given), and with --steady the features of its sample."""
        values: list[Tensor] = []
        features: list[Tensor] = []
        measure = attributes.MEASURES[self.asked.measure] if self.asked.measure else None
        reader = self._reader() if self.asked.toward or self.asked.steady else None
        asked_classes = self._asked_classes(reader) if reader is not None and self.asked.toward else None
        if given is not None and reader is None:
            return given, None
        with counting(self.asked.json) as tell:
            for start in range(0, len(drawn), BATCH):
                tell(start, len(drawn))
                samples = self.space.decode(drawn[start : start + BATCH])
                reading = None if reader is None else reader.read(self.modality.to_array(samples))
                if measure is not None:
                    values.append(measure(samples).float())
                if asked_classes is not None and reading is not None and reading.logits is not None:
                    values.append(attributes.of_classes(reading.logits, *asked_classes))
                if self.asked.steady and reading is not None:
                    features.append(reading.features)
        return given if given is not None else torch.cat(values), torch.cat(features) if features else None

    def _reader(self) -> Extractor:
        """Whose classes and features are asked for."""
        from tightrope.metrics import extractors
        from tightrope.metrics.judge import judge_for

        return extractors.load(self.asked.extractor) if self.asked.extractor else judge_for(self.generator.spec)

    def _asked_classes(self, reader: Extractor) -> tuple[int, int | None]:
        """--toward and --against by number."""
        if not reader.classes:
            raise InputError(f"--toward: extractor {reader.id} tells no classes apart; name one that does with --extractor.")
        known = dataclasses.replace(self.generator.spec, classes=reader.classes, shares=())
        toward, *against = labels.named([word for word in (self.asked.toward, self.asked.against) if word is not None], known)
        return toward, against[0] if against else None

    def slide(self) -> None:
        """Sliders of directions of files."""
        if not self.asked.directions:
            raise InputError("slide: say which, like --directions found/sefa.safetensors, or found/sefa.safetensors#0 for one.")
        self.found = [one for word in self.asked.directions for one in self._some(word)]
        self._sliders(self.found, "sliders")

    def _some(self, word: str) -> list[Direction]:
        """FILE: all its directions; FILE#WHICH: one."""
        file, which, _ = directions.named(word)
        return directions.load(file, self.space) if which is None else [directions.pick(file, which, self.space)]

    def _keep(self, name: str, found: list[Direction]) -> None:
        self.found = found
        path = self.asked.out / f"{SLUG.sub('-', name)}.safetensors"
        directions.save(path, found, self.space)
        self.written.append(path)

    def _sliders(self, found: list[Direction], stem: str) -> None:
        """One direction: a seed a row. Several: a direction a row, and a sheet a seed. Points have no sheets."""
        if self.generator.spec.modality != "images":
            return
        places, names = self.places(self.asked.seeds or (SEEDS if len(found) == 1 else "0"))
        one_each = [(names[i], found[0], places[i : i + 1]) for i in range(len(places))]
        if len(found) == 1:
            sheets = {"": one_each}
        else:
            sheets = {f"-{names[i]}": [(d.name, d, places[i : i + 1]) for d in found] for i in range(len(places))}
        for ending, rows in sheets.items():
            self._picture(f"{SLUG.sub('-', stem)}{ending}.png", contact.sliders(self.space, self.modality, rows, self.strengths))

    def _picture(self, name: str, pixels: np.ndarray) -> None:
        from PIL import Image

        path = self.asked.out / name
        write_atomically(path, lambda p: Image.fromarray(pixels).save(p, format="PNG"))
        self.written.append(path)

    def say(self) -> None:
        """What was found and written."""
        records = [{"name": d.name, "unit": d.unit, "layers": d.layers, **d.facts} for d in self.found]
        if self.asked.json:
            written = [str(path) for path in self.written]
            print(json.dumps({"written": written, "space": self.space.name, "directions": records, "notes": self.notes}))
            return
        for record in records:
            facts = ", ".join(f"{key} {value}" for key, value in record.items() if key not in ("name", "layers", "unit"))
            print(f"{record['name']:<24}{facts}")
        print("\n".join([*self.notes, *map(str, self.written)]))
