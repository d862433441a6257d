"""A generator as a PyTorch program (`torch.export`): runs without this package, compared with the networks before it is kept.

program = torch.export.load("generator.pt2").module()
samples = program(torch.randn(16, 100))                # labels=..., psi=... where it has them
tightrope export RUN --to torch --out DIR
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import torch
from torch import Tensor

from tightrope.core.files import write_bytes
from tightrope.explore.generator import Generator
from tightrope.interop.traced import Inputs, checked, quiet, traced

FACTS = "facts.json"  # the file inside that says what it is: torch.export.load(path, extra_files={FACTS: ""})


def write(generator: Generator, path: Path, facts: dict[str, str]) -> float:
    """Write `path`, with `facts` inside. Returns the largest absolute difference to the networks.

    Raises:
        InputError: the program would not draw what the networks draw.
    """
    exported = traced(generator)
    difference = _difference(generator, path, _bytes(exported, facts))
    write_bytes(path, _bytes(exported, {**facts, "difference": f"{difference:.3g}"}))
    return difference


def _bytes(exported: torch.export.ExportedProgram, facts: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with quiet():
        torch.export.save(exported, buffer, extra_files={FACTS: json.dumps(facts, ensure_ascii=False)})
    return buffer.getvalue()


def _difference(generator: Generator, path: Path, content: bytes) -> float:
    """Of what is read back, so that the file itself is what was tried."""
    with quiet():
        program = torch.export.load(io.BytesIO(content)).module()

    def run(given: Inputs) -> Tensor:
        others = {name: value for name, value in given.items() if name != "z"}
        with torch.no_grad():
            return program(given["z"], **others)

    return checked(generator, path.name, run)
