"""`tightrope project` at work: pictures in, latents, comparisons, films and records out; and latents drawn again."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from tightrope import api
from tightrope import data as data_room
from tightrope.cli import pictures
from tightrope.cli.console import counting
from tightrope.cli.pictures import Picture
from tightrope.core.errors import InputError
from tightrope.core.files import write_atomically, write_json
from tightrope.explore import movies, projection
from tightrope.explore.generator import Generator
from tightrope.explore.latent_file import draw, fingerprint, read_latent, write_latent
from tightrope.explore.projection import Distance, Projection
from tightrope.explore.pyramid import Pyramid
from tightrope.metrics.extractors.trunks import PACKAGE
from tightrope.metrics.extractors.weights import package_folder
from tightrope.metrics.perceptual import SMALLEST, Lpips, Net, load_lpips

LPIPS: dict[str, Net] = {"lpips-alex": "alex", "lpips-vgg": "vgg"}
LARGEST = 256  # pixels: LPIPS sees larger images scaled down, as in the paper
SHOWN = 128  # pixels that a side of a picture or film has at least
RATE, HELD = 15, 15  # frames a second; frames that the end of a film stays
Record = dict[str, Any]


class Perceptual:
    """LPIPS and the pyramid, added: what is optimised by a network's eyes alone deceives them, most of all when small."""

    def __init__(self, lpips: Lpips) -> None:
        self.lpips, self.pyramid = lpips, Pyramid()
        self.id = f"{lpips.id}+{self.pyramid.id}"

    def embed(self, images: Float[Tensor, "N C H W"]) -> Float[Tensor, "N D"]:
        seen, side = images.clamp(-1, 1).expand(-1, 3, -1, -1), images.shape[-1]
        if side < SMALLEST:
            seen = interpolate(seen, scale_factor=-(-SMALLEST // side), mode="nearest")
        elif side > LARGEST:
            seen = interpolate(seen, (LARGEST, LARGEST), mode="area")
        return torch.cat([self.lpips.embed(seen), self.pyramid.embed(images)], 1)


def distance_of(name: str | None, weights: Path | None) -> Distance:
    """The distance asked for; None is LPIPS with AlexNet (a sixth of VGG16's time) where its weights are, else the pyramid.

    Raises:
        InputError: no such distance, or its weights are not there.
    """
    if name is None:
        name = "lpips-alex" if weights is not None or package_folder(PACKAGE) is not None else Pyramid.id
    if name == Pyramid.id:
        return Pyramid()
    if name not in LPIPS:
        raise InputError(f"--distance {name}: there are {Pyramid.id}, {' and '.join(LPIPS)}.")
    return Perceptual(load_lpips(LPIPS[name], weights))


def project(asked: Namespace) -> None:
    """Project all pictures that have not been, as many at once as memory allows."""
    if asked.movie is not None:
        movies.require(asked.movie)
    generator = api.Run(asked.run, asked.recipe).generator(best=True) if asked.best else api.load(asked.run, asked.recipe)
    work = Work(asked, generator, distance_of(asked.distance, asked.weights))
    found = pictures.find(asked.pictures)
    open_ones = [picture for picture in found if work.done(picture) is None]
    many = projection.at_once(generator, asked.space)
    groups = [open_ones[i : i + many] for i in range(0, len(open_ones), many)]
    with counting(asked.json) as progress:
        for number, group in enumerate(groups):
            work.group(group, lambda done, _, n=number: progress(n * asked.steps + done, len(groups) * asked.steps))
    records = [record for picture in found if (record := work.done(picture)) is not None]
    if asked.json:
        print(json.dumps(records, indent=2, ensure_ascii=False))
        return
    print("\n".join(_line(record) for record in records))
    better, skipped = sum(record["found"] < record["of_random"] for record in records), len(found) - len(open_ones)
    print(f"{better} of {len(records)} nearer than the best of {projection.RANDOM:,} random samples, by {work.distance.id}.")
    if skipped:
        print(f"{skipped} had been projected before.")


def _line(record: Record) -> str:
    of_class = f"  {record['class']}" if record["class"] else ""
    note = f"\n  note: {record['note']}" if record["note"] else ""
    numbers = f"{record['start']:.4f} -> {record['found']:.4f}  (best of random: {record['of_random']:.4f})"
    return f"{record['name']:<24}  {numbers}{of_class}{note}"


class Work:
    """Projects groups of pictures and writes what was found."""

    def __init__(self, asked: Namespace, generator: Generator, distance: Distance) -> None:
        self.asked, self.generator, self.distance = asked, generator, distance
        self.modality = data_room.modality_of(generator.spec)
        self.same: Record = {"generator": fingerprint(generator), "distance": distance.id}
        self.same |= {key: getattr(asked, key) for key in ("space", "steps", "of_class", "noise", "movie", "seed")}

    def done(self, picture: Picture) -> Record | None:
        """The record of this picture under the same command, where there is one."""
        try:
            record = json.loads(self._path(picture, "json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return record if isinstance(record, dict) and record.get("asked") == self._asked(picture) else None

    def group(self, group: list[Picture], tell: Any) -> None:
        """Pictures that fit in memory at once; each one's record is written last."""
        read = [pictures.read(picture, self.generator.spec) for picture in group]
        asked = self.asked
        found = projection.project(
            self.generator, torch.stack([sample for sample, _ in read]), self.distance, space=asked.space, steps=asked.steps,
            label=asked.of_class, noise=asked.noise, seed=asked.seed, progress=tell,
        )  # fmt: skip
        for picture, (target, note), one in zip(group, read, found, strict=True):
            self._write(picture, target, note, one)

    def _write(self, picture: Picture, target: Float[Tensor, "C H W"], note: str | None, one: Projection) -> None:
        factor = -(-SHOWN // target.shape[-1])
        both = movies.enlarged(self.modality.grid(torch.stack([target, one.image]), 2), factor)
        write_latent(self._path(picture, "safetensors"), one.latent)
        write_atomically(self._path(picture, "png"), lambda p: Image.fromarray(both).save(p, format="PNG"))
        if self.asked.movie is not None:
            frames = _film(target, one.film)
            count = len(one.film) + HELD
            movies.write(self._path(picture, self.asked.movie), frames, count=count, rate=RATE)
        classes, label = self.generator.spec.classes, one.latent.label
        record = {
            "name": picture.name, "picture": str(picture.path), "space": one.latent.space, "distance": self.distance.id,
            "start": one.at_start, "found": one.distance, "of_random": one.of_random, "random": projection.RANDOM,
            "class": None if label is None else classes[int(label)], "note": note,
            "curve": [list(point) for point in zip(one.steps, one.curve, strict=True)], "asked": self._asked(picture),
        }  # fmt: skip
        write_json(self._path(picture, "json"), record)

    def _asked(self, picture: Picture) -> Record:
        return self.same | {"sha256": picture.sha256}

    def _path(self, picture: Picture, suffix: str) -> Path:
        out: Path = self.asked.out
        return out / f"{picture.name}.{suffix}"


def _film(target: Float[Tensor, "C H W"], film: UInt8[np.ndarray, "F h w C"]) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
    """The picture beside what was found so far; the end stays for a while."""
    still = projection.frames(target[None])[0]
    factor = -(-SHOWN // still.shape[0])
    for index in [*range(len(film)), *[len(film) - 1] * HELD]:
        both = np.concatenate([still, film[index]], 1)
        yield movies.enlarged(np.broadcast_to(both, (*both.shape[:2], 3)), factor)


def redraw(asked: Namespace, generator: Generator, out: Path) -> None:
    """`tightrope sample --latents`: the images of latents in files, one PNG each."""
    if asked.seeds or asked.of_class or asked.mix or asked.truncation or asked.npz or asked.gif:
        raise InputError("--latents: are drawn as they are; leave out --seeds, --class, --mix, --truncation, --npz and --gif.")
    places = [Path(place) for place in asked.latents]
    files = [file for place in places for file in (sorted(place.glob("*.safetensors")) if place.is_dir() else [place])]
    if not files:
        raise InputError(f"--latents {asked.latents[0]}: no latents in it; `tightrope project` writes them.")
    latents = [read_latent(file) for file in files]
    modality, made = data_room.modality_of(generator.spec), draw(generator, latents)
    written = modality.save(made, [file.stem for file in files], out)
    if asked.grid:
        written.append(out / "grid.png")
        write_atomically(written[-1], partial(_png, modality.grid(made)))
    if asked.json:
        print(json.dumps([str(path) for path in written]))
        return
    print(f"{len(written)} files in {out}")
    strange = [file.name for file, latent in zip(files, latents, strict=True) if latent.generator != fingerprint(generator)]
    if strange:
        print(f"note: {strange[0]}{' and others' * (len(strange) > 1)} was found for other weights than these.")


def _png(pixels: UInt8[np.ndarray, "H W 3"], path: Path) -> None:
    Image.fromarray(pixels).save(path, format="PNG")
