"""The image sets inside the package: lossless WebP mosaics and their index (see embedded/ATTRIBUTION.md)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tightrope.core.errors import InputError
from tightrope.data import cache
from tightrope.data.catalog import EMBEDDED_FOLDER
from tightrope.data.images import ImageDataset
from tightrope.data.resizing import fit

DEFAULT_SIDE = {"fashion": 32, "emoji": 64, "emoji-pairs": 64}
_MANY = 512  # images in one block


def load_embedded(name: str, size: int | None, root: Path | None) -> ImageDataset:
    """`fashion` or `emoji`, of one picture a sample; `size` pixels, the set's own rule without."""
    text = _read(name)
    record = json.loads(text)
    side = size or DEFAULT_SIDE[name]
    plan = cache.Plan(
        key=hashlib.sha256(f"{text}\0{side}".encode()).hexdigest(),
        most=sum(part["count"] for part in record["mosaics"]),
        shape=(record["channels"], side, side),
        classes=tuple(record["classes"]),
        source=name,
    )
    folder = cache.folder_for(root, name, f"embedded:{name}", side)
    index = cache.obtain(
        folder, plan, lambda: _blocks(record, side), lambda: {"originals": {"kinds": {"WEBP mosaic": plan.most}}}
    )
    return ImageDataset(name=name, folder=folder, index=index, licence=record["licence"], source={"data": name, "size": side})


def load_embedded_pairs(name: str, size: int | None, root: Path | None) -> ImageDataset:
    """`emoji-pairs`: six channels, the pictures given first; those are drawings of another set, at the places that are listed."""
    texts = [_read(name)]
    record = json.loads(texts[0])
    texts.append(_read(record["given"]))
    side, count = size or DEFAULT_SIDE[name], len(record["names"])
    key = hashlib.sha256(repr((texts, side)).encode()).hexdigest()
    plan = cache.Plan(key=key, most=count, shape=(6, side, side), classes=(), source=name)
    facts = {"originals": {"kinds": {"WEBP mosaic": count}}, "grey": [False, False]}
    folder = cache.folder_for(root, name, f"embedded:{name}", side)
    index = cache.obtain(folder, plan, lambda: _pair_blocks(record, json.loads(texts[1]), side), lambda: facts)
    return ImageDataset(name=name, folder=folder, index=index, licence=record["licence"], source={"data": name, "size": side})


def _pair_blocks(record: dict[str, Any], other: dict[str, Any], side: int) -> Iterator[cache.Block]:
    given, target = (np.concatenate([_tiles(of, part) for part in of["mosaics"]]) for of in (other, record))
    for start in range(0, len(target), _MANY):
        part = slice(start, start + _MANY)
        both = [fit(images, side, box=True) for images in (given[record["places"][part]], target[part])]
        names = record["names"][part]
        yield cache.Block(np.concatenate(both, axis=1), names, [-1] * len(names))


def _read(name: str) -> str:
    path = EMBEDDED_FOLDER / f"{name}.json"
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: the embedded data is missing; install the package again.") from error


def _blocks(record: dict[str, Any], side: int) -> Iterator[cache.Block]:
    """Mosaics -> images. Sets stored class by class are dealt out in turn, so that any part of them is balanced."""
    mosaics = [_tiles(record, part) for part in record["mosaics"]]
    if "names" in record:
        images = np.concatenate(mosaics)
        labels, names = record["labels"], record["names"]
    else:
        images = np.stack(mosaics, axis=1).reshape(-1, *mosaics[0].shape[1:])
        labels = [part["label"] for part in record["mosaics"]] * len(mosaics[0])
        names = [f"{i:05d}" for i in range(len(images))]
    background = None if record["channels"] == 3 else 0
    for start in range(0, len(images), _MANY):
        part = slice(start, start + _MANY)
        pixels = fit(images[part], side, pad=background, box=True)
        yield cache.Block(pixels, names[part], labels[part])


def _tiles(record: dict[str, Any], part: dict[str, Any]) -> np.ndarray:
    """One mosaic -> (n, H, W, C)."""
    side, columns, channels = record["side"], part["columns"], record["channels"]
    with Image.open(EMBEDDED_FOLDER / part["file"], formats=("WEBP",)) as image:
        picture = np.asarray(image.convert("RGB"))[..., :channels]
    rows = picture.shape[0] // side
    tiles = picture.reshape(rows, side, columns, side, channels).transpose(0, 2, 1, 3, 4)
    return tiles.reshape(-1, side, side, channels)[: part["count"]]
