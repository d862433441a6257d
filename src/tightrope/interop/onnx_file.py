"""A generator as an ONNX file, run by onnxruntime and compared with PyTorch before it is kept.

tightrope export RUN --to onnx --out DIR
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.core.files import write_bytes
from tightrope.explore.generator import Generator
from tightrope.interop.traced import Inputs, checked, quiet, traced, untraceable

NEEDED = ("onnx", "onnxscript", "onnxruntime")


def require_extra() -> None:
    """Raise InputError where the packages for ONNX are not installed."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(f'export to ONNX: {", ".join(missing)} is missing; pip install "tightrope[onnx]".')


def write(generator: Generator, path: Path, facts: dict[str, str]) -> float:
    """Write `path`; `facts` and the difference go to its metadata. Returns the largest absolute difference to PyTorch.

    Raises:
        InputError: the extra is not installed, or the file would not draw what PyTorch draws.
    """
    require_extra()
    program = _program(generator)
    difference = checked(generator, f"{path.name}, run by onnxruntime,", _session(program.model_proto.SerializeToString()))
    program.model.metadata_props.update({**facts, "difference": f"{difference:.3g}"})
    write_bytes(path, program.model_proto.SerializeToString())
    return difference


def _session(content: bytes) -> Callable[[Inputs], Tensor]:
    """What onnxruntime draws.

    Raises:
        InputError: it does not take the graph.
    """
    from onnxruntime import InferenceSession, SessionOptions
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, NotImplemented

    options = SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except (Fail, InvalidGraph, NotImplemented) as error:
        raise InputError(f"onnxruntime does not run this generator ({error}); --to torch writes another program.") from error
    return lambda given: torch.from_numpy(session.run(None, {name: value.numpy() for name, value in given.items()})[0])


def _program(generator: Generator) -> Any:
    """The graph, with "n" for the batch and "samples" for what it draws."""
    exported = traced(generator)
    args, kwargs = exported.example_inputs
    given = {"z": args[0], **kwargs}
    axes: dict[str, Any] = {name: {0: "n"} if value.dim() else {} for name, value in given.items()}
    try:
        with torch.no_grad(), quiet():
            program = torch.onnx.export(
                exported, args, kwargs=kwargs, input_names=list(given), output_names=["samples"], dynamic_shapes=axes,
                dynamo=True, verbose=False,
            )  # fmt: skip
    except (RuntimeError, TypeError, ValueError) as error:
        raise untraceable(generator, error) from error
    assert program is not None
    return program
