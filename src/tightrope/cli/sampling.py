"""`tightrope sample`: files, sheets, arrays and animations, by `Generator.sample`, `.mix` and `.interpolate`."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tightrope import api
from tightrope import data as data_room
from tightrope.cli import rows
from tightrope.cli.parsing import seed_list
from tightrope.cli.steering import steered
from tightrope.core import labels
from tightrope.core.data import Modality
from tightrope.core.errors import InputError
from tightrope.core.files import write_atomically
from tightrope.explore import directions
from tightrope.explore.generator import Generator
from tightrope.explore.sheets import headed

ARC = 12  # frames of an interpolation from one seed to the next
WALKERS = 16  # seeds of an interpolation
ROWS = 10  # seeds of a sheet with every class a column
SEEDS, MIXED = "0-63", "0-7"  # without --seeds: of samples, of a mix
FRAMES = 24  # of a mix from one class to the next
PAUSE, BETWEEN = 8, 80  # frames at either end of a mix; milliseconds of a frame


def sample(arguments: Namespace) -> None:
    """Write samples, and what was asked for beside them."""
    out = Path(arguments.out)
    if rows.asked(arguments):
        rows.sample(arguments, _opened(arguments))
        return
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}: is a file; name a directory.")
    seeds = seed_list(arguments.seeds or (MIXED if arguments.mix else SEEDS))
    if arguments.mix and (arguments.of_class or arguments.grid):
        raise InputError("--mix: makes one sheet of mixtures; leave out --class and --grid.")
    if arguments.steps is not None and not arguments.mix:
        raise InputError("--steps: are the columns of a --mix; leave it out, or add --mix A:B.")
    if (arguments.mix or arguments.gif) and (arguments.move or arguments.psi != 1 or arguments.cutoff is not None):
        raise InputError(
            "--psi, --cutoff and --move: are for single samples; for films with them see `tightrope explore RUN walk`."
        )
    generator = _opened(arguments)
    if arguments.latents:
        from tightrope.cli import projected

        projected.redraw(arguments, generator, out)
        return
    work = Work(arguments, generator, out)
    if arguments.mix is not None:
        work.mix(seeds, _words("--mix", arguments.mix, ":"))
    else:
        work.samples(seeds, _words("--class", arguments.of_class, ",") if arguments.of_class is not None else [])
    work.say()


def _opened(arguments: Namespace) -> Generator:
    if arguments.best:
        return api.Run(arguments.run, arguments.recipe).generator(best=True)
    return api.load(arguments.run, arguments.recipe)


def _words(flag: str, text: str, mark: str) -> list[str]:
    words = [word.strip() for word in text.split(mark)]
    if not all(words) or (mark == ":" and len(words) < 2):
        example = "--mix sandal:boot" if mark == ":" else "--class sandal or --class sandal,boot"
        raise InputError(f"{flag} {text!r}: write names or numbers of classes, like {example}.")
    return words


class Work:
    """Draws what was asked for and remembers what was written."""

    def __init__(self, arguments: Namespace, generator: Generator, out: Path) -> None:
        self.asked, self.generator, self.out = arguments, generator, out
        self.modality: Modality = data_room.modality_of(generator.spec)
        self.names = generator.spec.classes
        self.space = steered(generator, arguments, arguments.move)
        self.steps = directions.moves(arguments.move, self.space)
        self.written: list[Path] = []
        self.notes: list[str] = []

    def samples(self, seeds: list[int], words: list[str]) -> None:
        """One file a seed (and class), then the sheet, the array and the animation."""
        by_class = self.generator.recipe.CONDITIONAL
        chosen = list(dict.fromkeys(self.generator.classes(words))) if words else []
        each = len(chosen) or 1
        repeated = [seed for seed in seeds for _ in range(each)]
        given = torch.tensor(chosen * len(seeds)) if chosen else self.generator.labels(seeds)
        made = self._made(repeated, given)
        self.out.mkdir(parents=True, exist_ok=True)
        self.written += self.modality.save(made, self._stems(repeated, given), self.out)
        if self.asked.grid and by_class and each == 1 and not chosen:
            self._every_class(seeds)
        elif self.asked.grid:
            sheet = self.modality.grid(made, each if each > 1 else None)
            self._picture("grid.png", headed(sheet, [self.names[k] for k in chosen]) if each > 1 else sheet)
        if self.asked.npz:
            extra: dict[str, Any] = {} if given is None else {"labels": given.numpy(), "classes": np.array(self.names)}
            self._array(made, seeds=np.array(repeated), **extra)
        if self.asked.gif:
            self._walk(repeated[:WALKERS], None if given is None else given[:WALKERS])

    def _made(self, seeds: list[int], given: Tensor | None) -> Tensor:
        """Samples of seeds, moved as asked."""
        return self.space.decode(directions.moved(self.space, self.space.draw(seeds, given), self.steps))

    def _stems(self, seeds: list[int], given: Tensor | None) -> list[str]:
        """Names of files: the seed, and the class where there is one."""
        if given is None:
            return [f"{seed:06d}" for seed in seeds]
        slugs = labels.slugs(self.names)
        return [f"{seed:06d}-{slugs[k]}" for seed, k in zip(seeds, given.tolist(), strict=True)]

    def _every_class(self, seeds: list[int]) -> None:
        """A class a column and a latent a row."""
        shown, columns = seeds[:ROWS], min(len(self.names), labels.WIDEST)
        made = self._made([seed for seed in shown for _ in range(columns)], torch.arange(columns).repeat(len(shown)))
        self._picture("grid.png", headed(self.modality.grid(made, columns), self.names[:columns]))
        left_out = f" (the first {columns} of {len(self.names)}; --class chooses others)" if columns < len(self.names) else ""
        self.notes.append(f"grid.png: a class a column{left_out}, a seed a row, {shown[0]} to {shown[-1]}.")

    def _walk(self, seeds: list[int], given: Tensor | None) -> None:
        path = self.generator.interpolate(seeds, ARC, labels=given, truncation=self.asked.truncation)
        cells = torch.arange(len(seeds)) * ARC  # each cell walks the same closed path, an arc ahead of its neighbour
        self._animation(
            "interpolation.gif", [self.modality.grid(path[(frame + cells) % len(path)]) for frame in range(len(path))]
        )

    def mix(self, seeds: list[int], words: list[str]) -> None:
        """A sheet with a seed a row, from one class to the next; with --gif also an animation there and back."""
        stops, t = self.generator.classes(words), self.asked.truncation
        steps = 4 * len(stops) + 1 if self.asked.steps is None else self.asked.steps
        made = self.generator.mix(*stops, seeds=seeds, steps=steps, truncation=t)
        self.out.mkdir(parents=True, exist_ok=True)
        shares = labels.mixtures(stops, steps, len(self.names))
        names = [self.names[int(row.argmax())] if row.max() == 1 else "" for row in shares]
        self._picture("mix.png", headed(self.modality.grid(made, steps), names))
        if self.asked.npz:
            whole = shares.repeat(len(seeds), 1).numpy()
            self._array(made, seeds=np.repeat(seeds, steps), shares=whole, classes=np.array(self.names))
        if self.asked.gif:
            frames = FRAMES * (len(stops) - 1) + 1
            path = self.generator.mix(*stops, seeds=seeds, steps=frames, truncation=t).unflatten(0, (len(seeds), frames))
            there = [0] * PAUSE + list(range(frames)) + [frames - 1] * PAUSE + list(range(frames - 2, 0, -1))
            sheets = [self.modality.grid(path[:, i]) for i in range(frames)]
            self._animation("mix.gif", [sheets[i] for i in there])

    def _picture(self, name: str, pixels: np.ndarray) -> None:
        from PIL import Image

        write_atomically(self._next(name), lambda p: Image.fromarray(pixels).save(p, format="PNG"))

    def _animation(self, name: str, frames: list[np.ndarray]) -> None:
        from PIL import Image

        pictures = [Image.fromarray(frame) for frame in frames]
        write_atomically(
            self._next(name),
            lambda p: pictures[0].save(p, format="GIF", save_all=True, append_images=pictures[1:], duration=BETWEEN, loop=0),
        )

    def _array(self, made: Tensor, **arrays: np.ndarray) -> None:
        whole: dict[str, Any] = {"samples": self.modality.to_array(made), **arrays}

        def save(path: Path) -> None:
            with open(path, "wb") as file:
                np.savez_compressed(file, **whole)

        write_atomically(self._next("samples.npz"), save)

    def _next(self, name: str) -> Path:
        self.written.append(self.out / name)
        return self.written[-1]

    def say(self) -> None:
        """What was written."""
        if self.asked.json:
            print(json.dumps([str(path) for path in self.written]))
            return
        first, last, many = self.written[0], self.written[-1], len(self.written)
        print(f"{many} files in {self.out}: {first.name} ... {last.name}" if many > 1 else first)
        print("\n".join(self.notes), end="\n" if self.notes else "")
