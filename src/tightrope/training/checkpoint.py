"""Checkpoints: the whole state in one safetensors file, with the counters as JSON in its header. Nothing in it can run code.

Written atomically, flushed to the disk, and only when every number in it is finite; a ring of the newest few is kept.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.core.files import remove_partials, require_space, write_atomically

KEEP = 3


def save(folder: Path, tensors: dict[str, Tensor], counters: dict[str, Any], keep: int = KEEP) -> Path:
    """Write `seen-NNNNNNNNNNNN.safetensors` and drop the oldest beyond `keep`.

    Raises:
        InputError: the disk has no room for it; nothing was written and no older one was dropped.
    """
    folder.mkdir(parents=True, exist_ok=True)
    require_space(folder, sum(t.numel() * t.element_size() for t in tensors.values()), "a checkpoint")
    path = folder / f"seen-{counters['seen']:012d}.safetensors"
    write_atomically(path, lambda partial: write(partial, tensors, counters))
    for old in found(folder)[:-keep]:
        old.unlink(missing_ok=True)
    return path


def write(path: Path, tensors: dict[str, Tensor], counters: dict[str, Any]) -> None:
    """One file, as it is."""
    whole = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
    save_file(whole, path, {"format": "tightrope-checkpoint-1", "counters": json.dumps(counters)})


def found(folder: Path) -> list[Path]:
    """The folder's checkpoints, oldest first; half-written ones are not among them."""
    return sorted(folder.glob("seen-*.safetensors"))


def moments(folder: Path) -> list[int]:
    """`seen` of the folder's checkpoints."""
    return [int(path.stem.removeprefix("seen-")) for path in found(folder)]


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and counters of one checkpoint.

    Raises:
        InputError: the file is damaged or is not a checkpoint.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if header.get("format") != "tightrope-checkpoint-1":
                raise InputError(f"{path}: is not a checkpoint of Tightrope.")
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(header["counters"])
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: the checkpoint is damaged ({error}).") from error


def newest(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any], list[str]]:
    """The newest checkpoint that can be read, and one sentence about each newer one that cannot.

    Raises:
        InputError: there is none.
    """
    remove_partials(folder)
    damaged: list[str] = []
    for path in reversed(found(folder)):
        try:
            return *load(path), damaged
        except InputError as error:
            damaged.append(str(error))
    raise InputError(damaged[0] if damaged else f"{folder}: holds no checkpoint to resume from.")
