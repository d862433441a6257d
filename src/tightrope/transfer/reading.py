"""Trained weights, wherever they lie: a run, a generator, a checkpoint, or networks that `tightrope import` wrote.

Only safetensors are opened: nothing in a file can run.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.training import checkpoint

PREFIXES = {  # of a format's names that are weights; averaged ones, the later, take the place of the others
    "tightrope-generator-1": ("",),
    "tightrope-checkpoint-1": ("net/", "average/"),
}
NETWORK = "tightrope-network-1"  # one network, as `tightrope import` writes it
ROLES = {"generator": "G", "discriminator": "D"}  # the end of a network's system -> the player it can be
OTHER = ("format", "fields", "spec", "hints", "counters", "name", "system")  # entries of a header that are not for the record
Weights = Mapping[str, Mapping[str, Tensor]]  # player's name -> tensor's name -> tensor


@dataclasses.dataclass(frozen=True)
class Source:
    """Trained weights as they were found.

    Attributes:
        files: those they were read from, each with its sha256.
        facts: what the files say of themselves (recipe, data, licence ...).
        weights: of every player; averaged ones where there are such.
    """

    files: Mapping[str, str]
    facts: Mapping[str, str]
    weights: Weights


def files_of(path: Path) -> list[Path]:
    """The files that hold the weights of a run, a directory of checkpoints or networks, or a file: itself.

    Raises:
        InputError: there are none.
    """
    if not path.exists():
        raise InputError(f"--from {path}: no such file or directory; name a run, or a .safetensors file of weights.")
    if not path.is_dir():
        return [path]
    run = (path / "run.json").is_file()
    for file in reversed(checkpoint.found(path / "checkpoints" if run else path)):
        if _whole(file):
            return [file]
    generator = path / "generator.safetensors"
    found = [generator] if generator.is_file() else sorted(path.glob("*.safetensors"), key=_averages_last)
    if not found:
        raise InputError(f"--from {path}: holds no checkpoint, generator or network; name a run, or a .safetensors file.")
    return found


def _averages_last(file: Path) -> tuple[bool, str]:
    return file.stem.lower().endswith("_ema"), file.name


def _whole(file: Path) -> bool:
    """False for a file that is damaged or not there."""
    try:
        _format(file)
    except InputError:
        return False
    return True


def _format(file: Path) -> str:
    """What kind of file it is, from its header."""
    try:
        with safe_open(file, framework="pt") as opened:
            found = str((opened.metadata() or {}).get("format", ""))
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"--from {file}: cannot be read as safetensors ({error}); where another project wrote it, convert it first: "
            f"tightrope import {file} --out DIR"
        ) from error
    if found not in (*PREFIXES, NETWORK):
        raise InputError(f"--from {file}: its header names no generator, checkpoint or network of Tightrope; name such a file.")
    return found


def read(files: Sequence[Path]) -> Source:
    """The weights in these files; where two hold the same player, those of the later one.

    Raises:
        InputError: one is of another kind, damaged, or holds numbers that are not finite.
    """
    facts: dict[str, str] = {}
    weights: dict[str, dict[str, Tensor]] = {}
    for file in files:
        header, found = _players(file)
        facts |= {name: text for name, text in {**_of_run(file), **header}.items() if name not in OTHER}
        weights |= found
        for player, tensors in found.items():
            bad = [name for name, tensor in tensors.items() if not bool(tensor.isfinite().all())]
            if bad:
                raise InputError(f"--from {file}: {bad[0]} of {player} holds numbers that are not finite; name another file.")
    return Source({str(file): _sha256(file) for file in files}, facts, weights)


def _players(file: Path) -> tuple[dict[str, str], dict[str, dict[str, Tensor]]]:
    """A file's header, and its weights by player."""
    kind = _format(file)
    weights: dict[str, dict[str, Tensor]] = {}
    with safe_open(file, framework="pt") as opened:
        header: dict[str, str] = dict(opened.metadata())
        if kind == NETWORK:
            player = ROLES.get(header.get("system", "").rpartition("-")[2]) or header.get("name", file.stem)
            return header, {player: {name: opened.get_tensor(name) for name in opened.keys()}}
        for prefix in PREFIXES[kind]:
            for name in (name for name in opened.keys() if name.startswith(prefix)):
                player, _, own = name.removeprefix(prefix).partition("/")
                if own:  # "average/copies" is no player's
                    weights.setdefault(player, {})[own] = opened.get_tensor(name)
    return header, weights


def _of_run(file: Path) -> dict[str, str]:
    """What the generator beside the folder of a checkpoint says of both; empty for files elsewhere."""
    generator = file.parent.parent / "generator.safetensors"
    if file.parent.name != "checkpoints" or not _whole(generator):
        return {}
    with safe_open(generator, framework="pt") as opened:
        return dict(opened.metadata())


def _sha256(file: Path) -> str:
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
