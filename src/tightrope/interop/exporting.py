"""Generators for other programs: ONNX, PyTorch programs, plain weights, and a folder that needs nothing of this package.

    generator = tightrope.load("runs/00000-swift-fashion")
    exporting.export(generator, "runs/00000-swift-fashion", "onnx", "out")     # out/generator.onnx, out/card.md
    tightrope export RUN --to onnx --out out                                    # the same

What draws samples is compared with PyTorch before it is kept, and its metadata says what it is, from which data under which
licence, and the sha256 of the file that it was made of. A card goes with every export.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path

import torch

from tightrope.core.errors import InputError
from tightrope.core.files import write_bytes, write_text
from tightrope.explore.generator import Generator
from tightrope.interop import card, onnx_file, program, standalone
from tightrope.interop.facts import Facts, gather

RANGES = {
    "images": "samples are float32 (n, C, H, W): -1 is black and 1 is full light; clip what lies beyond",
    "points": "samples are float32 (n, d), standardised: data = samples * scale + mean, both in spec",
}
STEM = "generator"


@dataclasses.dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        files: all of them, the one that was asked for first.
        difference: the largest absolute one to PyTorch's samples; None where the weights alone were written.
        sha256: of the generator's file that it was made of.
    """

    files: list[Path]
    difference: float | None
    sha256: str


def export(generator: Generator, source: str | Path, to: str, out: str | Path) -> Exported:
    """Write a generator into the folder `out` in another form, with its card.

    Args:
        generator: opened from `source`.
        source: a run's directory or the generator's file.
        to: a name of KINDS.

    Raises:
        InputError: no such form, `out` is a file, or the generator cannot be written in that form.
    """
    if to not in KINDS:
        raise InputError(f"--to {to}: there are {', '.join(KINDS)}.")
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {out}: is a file; name a directory.")
    facts = gather(source, generator)
    files, difference = KINDS[to](generator, facts, folder)
    write_text(folder / card.NAME, card.text(facts))
    return Exported([*files, folder / card.NAME], difference, facts.sha256)


def metadata(generator: Generator, facts: Facts) -> dict[str, str]:
    """What an exported program says of itself: the header of the generator's file, and how its samples are to be read."""
    header = {name: value for name, value in facts.header.items() if name != "format"}
    return {
        **header,
        "recipe": generator.name,  # a recipe's file of one's own has a place on one's machine, which is nobody's business
        "generator_sha256": facts.sha256,
        "samples": RANGES.get(
            generator.spec.modality, f"samples are float32, as the {generator.spec.modality} networks make them"
        ),
        "latents": standalone.distribution(generator.recipe),
    }


Written = tuple[list[Path], float | None]


def _onnx(generator: Generator, facts: Facts, folder: Path) -> Written:
    path = folder / f"{STEM}.onnx"
    return [path], onnx_file.write(generator, path, metadata(generator, facts))


def _torch(generator: Generator, facts: Facts, folder: Path) -> Written:
    path = folder / f"{STEM}.pt2"
    return [path], program.write(generator, path, metadata(generator, facts))


def _safetensors(generator: Generator, facts: Facts, folder: Path) -> Written:
    """The file as it is: `tightrope.load` opens it anywhere."""
    path = folder / f"{STEM}.safetensors"
    if folder.exists() and folder.samefile(facts.file.parent):
        raise InputError(f"--out {folder}: is where the generator lies, which would be overwritten; name another directory.")
    write_bytes(path, facts.file.read_bytes())
    return [path], None


def _folder(generator: Generator, facts: Facts, folder: Path) -> Written:
    onnx_file.require_extra()
    (weights,), _ = _safetensors(generator, facts, folder)
    (path,), difference = _onnx(generator, facts, folder)
    standalone.write_seeds(generator, folder / "seeds.npz")
    standalone.write_script(folder / "infer.py")
    return [folder / "infer.py", path, folder / "seeds.npz", weights], difference


def _pth(generator: Generator, facts: Facts, folder: Path) -> Written:
    """G's weights under the reference's keys, for its own program."""
    from tightrope import interop

    buffer = io.BytesIO()
    torch.save(interop.export(generator.nets["G"]), buffer)
    path = folder / f"{STEM}.pth"
    write_bytes(path, buffer.getvalue())
    return [path], None


KINDS: dict[str, Callable[[Generator, Facts, Path], Written]] = {
    "onnx": _onnx, "torch": _torch, "safetensors": _safetensors, "folder": _folder, "pth": _pth,
}  # fmt: skip
