"""Data by a name that begins with what is to be done with it: pairs, inputs made from targets, patches, unpaired pictures.

    pairs:GIVEN,TARGET     two folders (or zips) whose files have equal names
    pairs:FOLDER           pictures side by side, the left one given; or sub-folders `given` and `target`
    edges:DATA grey:DATA mask:DATA down4:DATA degraded4:DATA     what is given is made of the target
    patches:FOLDER         squares cut out of photographs: images like others, and DATA for the line above
    unpaired:A,B           any two image data, A given, B to be made; unpaired:PAIRS forgets what belongs to which

One in twenty is held out (`groups`).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tightrope.core.errors import InputError
from tightrope.data import making
from tightrope.data.catalog import PAIRED, shown
from tightrope.data.images import ImageDataset
from tightrope.data.making import FACTORS, Making
from tightrope.data.pairing import one_folder, two_folders
from tightrope.data.pairs import Pairs, Unpaired
from tightrope.data.patches import load_patches
from tightrope.data.splitting import Images, apart, forgotten, made, stored
from tightrope.data.stacked import StackedDataset

if TYPE_CHECKING:
    from tightrope.data.loading import Data

SMALLEST_GIVEN = 4  # pixels
_MADE = re.compile(r"(edges|grey|mask|down|degraded)(\d*)")


class Load(Protocol):
    def __call__(self, data: str, *, size: int | None) -> Data: ...


@dataclasses.dataclass(frozen=True)
class Asked:
    """What `load` was asked for beside the name; `load` itself, for the data inside a name."""

    size: int | None
    root: Path | None
    progress: Callable[[int, int], None] | None
    load: Load


def load_prefixed(name: str, asked: Asked) -> Data | None:
    """The data of a name that begins with one of the words above; None where it does not."""
    word, colon, rest = name.partition(":")
    made = _MADE.fullmatch(word)
    if not colon or not (made or word in ("pairs", "patches", "unpaired")):
        return None
    if not rest:
        raise InputError(f"{shown(name)}: nothing follows the colon; name data, {_usage(word)}.")
    if word == "patches":
        return load_patches(name, Path(rest).expanduser(), asked.size, asked.root, asked.progress)
    if word == "pairs":
        return stored(read_pairs(name, rest, asked))
    if word == "unpaired":
        return _unpaired(name, rest, asked)
    assert made is not None
    return _made(name, making_of(name, *made.groups()), rest, asked)


def _usage(word: str) -> str:
    return {"pairs": "pairs:GIVEN,TARGET or pairs:FOLDER", "unpaired": "unpaired:A,B"}.get(word, f"{word}:DATA")


def making_of(name: str, word: str, number: str) -> Making:
    """`down4` -> how pictures given are made."""
    whole = word in ("down", "degraded")
    if whole != bool(number) or (number and int(number) not in FACTORS):
        known = f"{word}N:DATA, N one of {', '.join(map(str, FACTORS))}" if whole else f"{word}:DATA, without a number"
        raise InputError(f"{shown(name)}: write {known}.")
    factor = int(number or 1)
    match word:
        case "edges":
            return Making(word, making.edges, grey=True)
        case "grey":
            return Making(word, making.grey, grey=True)
        case "mask":
            return Making(word, making.masked)
        case "down":
            return Making(f"down{factor}", making.down(factor), factor)
        case _:
            return Making(f"degraded{factor}", making.worse(factor), factor)


def read_pairs(name: str, rest: str, asked: Asked) -> ImageDataset:
    """Two folders, or one."""
    if "," not in rest or Path(rest).expanduser().exists():
        path = Path(rest).expanduser()
        if not path.exists():
            wanted = "write pairs:GIVEN,TARGET with two folders, or pairs:FOLDER with pictures side by side"
            raise InputError(f"{shown(name)}: {shown(path)} does not exist; {wanted}.")
        return one_folder(name, path, asked.size, asked.root, asked.progress)
    given, target = (Path(part).expanduser() for part in in_two(name, rest))
    return two_folders(name, given, target, asked.size, asked.root, asked.progress)


def in_two(name: str, rest: str) -> tuple[str, str]:
    """What stands before and after the comma; of several, the first between two names that exist."""
    places = [i for i, letter in enumerate(rest) if letter == ","]
    if not places:
        raise InputError(f"{shown(name)}: no comma in it; write unpaired:A,B with two data, A given and B to be made.")
    halves = [(rest[:i], rest[i + 1 :]) for i in places]
    there = [half for half in halves if all(Path(part.rpartition(":")[2]).expanduser().exists() for part in half)]
    given, target = (there or halves)[0]
    if not given or not target:
        raise InputError(f"{shown(name)}: a name is missing beside the comma; write {_usage(name.partition(':')[0])}.")
    return given, target


def _made(name: str, way: Making, rest: str, asked: Asked) -> Pairs:
    data = images(name, rest, asked.load(rest, size=asked.size))
    channels, side = data.spec.channels, data.spec.size
    if way.name == "grey" and channels == 1:
        raise InputError(f"{shown(name)}: its pictures are grey already, so there is nothing to learn; give pictures in colour.")
    if side % way.factor:
        near = " or ".join(str((side // way.factor + more) * way.factor) for more in (0, 1))
        raise InputError(f"{shown(name)}: {side} pixels are no multiple of {way.factor}; choose another size, {near} (--size).")
    if side // way.factor < SMALLEST_GIVEN:
        small = side // way.factor
        raise InputError(
            f"{shown(name)}: pictures of {side} pixels would be given as {small}x{small}; at least "
            f"{SMALLEST_GIVEN}x{SMALLEST_GIVEN} are needed, so choose a size of {SMALLEST_GIVEN * way.factor} or more (--size)."
        )
    return made(data, way)


def images(name: str, rest: str, data: Data) -> Images:
    """The data inside a name, which has to be images."""
    if not isinstance(data, ImageDataset | StackedDataset):
        raise InputError(f"{shown(name)}: {shown(rest)} makes {data.spec.modality}, not images; name image data there.")
    return data


def _unpaired(name: str, rest: str, asked: Asked) -> Unpaired:
    word = rest.partition(":")[0]
    if word == "pairs" or rest in PAIRED or _MADE.fullmatch(word):
        data = asked.load(rest, size=asked.size)
        if isinstance(data, Pairs):
            return forgotten(data)
    given, target = in_two(name, rest)
    sides = [images(name, part, asked.load(part, size=asked.size)) for part in (given, target)]
    smaller = min(side.spec.size for side in sides)
    if max(side.spec.size for side in sides) != smaller:  # each has a size of its own where none is asked for
        sides = [images(name, part, asked.load(part, size=smaller)) for part in (given, target)]
    return apart(*sides)
