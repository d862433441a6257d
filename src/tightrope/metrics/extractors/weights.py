"""Files of weights, read without running anything in them, and known by their sha256.

Checkpoints are pickles; torch's loader of tensors and an allow-list of three numpy names read them, and nothing else.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import pickle
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from tightrope.core.errors import InputError

NUMPY_NAMES = {
    (f"numpy{core}", name)
    for core, name in [
        (".core.multiarray", "_reconstruct"),
        ("._core.multiarray", "_reconstruct"),
        ("", "ndarray"),
        ("", "dtype"),
    ]
}


def sha256_of(path: Path) -> str:
    """The digest of a file.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); give the path of the weights' file.") from error


def require(path: Path, digest: str, source: str) -> None:
    """Refuse a file that is not the published one; `source` says where that is found.

    Raises:
        InputError: unreadable, or of another sha256.
    """
    found = sha256_of(path)
    if found != digest:
        raise InputError(f"{path}: its sha256 begins with {found[:12]}, not {digest[:12]}; the right file is {source}.")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The named tensors of a .safetensors file or of a torch checkpoint.

    Raises:
        InputError: not such a file, or it holds anything but tensors: code in it is refused and never run.
    """
    try:
        content = load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).strip().partition("\n")[0].partition(". ")[0]
        raise InputError(f"{path}: is not a checkpoint of plain tensors ({reason[:120]}); give the published file.") from error
    if not isinstance(content, dict) or not content or not all(isinstance(value, Tensor) for value in content.values()):
        raise InputError(f"{path}: holds no dictionary of named tensors; give the published file, or its state dict.")
    return {name: value.detach() for name, value in content.items()}


def fold(
    state: dict[str, Tensor], convolution: str, norm: str, epsilon: float, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution that does its batch norm's work as well; folded in float64.

    Raises:
        KeyError: `state` lacks one of the tensors.
    """
    scale, shift, mean, variance = (
        state[f"{norm}.{part}"].double() for part in ("weight", "bias", "running_mean", "running_var")
    )
    factor = scale / (variance + epsilon).sqrt()
    weight = state[f"{convolution}.weight"].double() * factor.view(-1, 1, 1, 1)
    return weight.to(dtype, memory_format=torch.channels_last), (shift - mean * factor).to(dtype)


class _Arrays(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in NUMPY_NAMES:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def read_arrays(content: bytes, name: str) -> Any:
    """The nested dictionaries of numpy arrays in a pickle.

    Raises:
        InputError: it is no pickle, or names anything but numpy arrays: such a name is refused and never called.
    """
    try:
        return _Arrays(io.BytesIO(content)).load()
    except Exception as error:
        raise InputError(f"{name}: is not a pickle of plain numpy arrays ({error}); give the published file.") from error


def package_folder(package: str) -> Path | None:
    """Where an installed package's files are, without importing it; None where it is not installed."""
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


def read_member(path: Path, ending: str) -> bytes:
    """The file whose path ends in `ending`: `path` itself, in the folder `path`, or in the archive (sdist or wheel) `path`.

    Raises:
        InputError: it is not there.
    """
    try:
        if path.is_dir():
            return next(file for file in sorted(path.rglob("*")) if file.as_posix().endswith(ending)).read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as wheel:
                return wheel.read(next(name for name in wheel.namelist() if name.endswith(ending)))
        if tarfile.is_tarfile(path):
            with tarfile.open(path) as sdist:
                member = sdist.extractfile(next(name for name in sdist.getnames() if name.endswith(ending)))
                return member.read() if member else b""
        return path.read_bytes()
    except (OSError, StopIteration) as error:
        raise InputError(f"{path}: holds no {ending}; give the package's folder, its sdist or the file itself.") from error
