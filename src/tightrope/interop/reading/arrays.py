"""Tensors as views of the file's bytes, checked before anything is made of them.

A view must lie within its storage, and may not have more elements than it: no stride brings in more than the file holds.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from tightrope.interop.reading.errors import DamagedFile, HostileFile, UnknownFile, shown
from tightrope.interop.reading.limits import AXES
from tightrope.interop.reading.records import Made, Value, is_made, kind, text, whole

FORMS = {  # safetensors' names of types -> numpy's; bfloat16 is carried as its bits
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "BOOL": "|b1",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1", "U8": "|u1", "U16": "<u2", "U32": "<u4", "U64": "<u8",
}  # fmt: skip
OF_NUMPY = {"f8": "F64", "f4": "F32", "f2": "F16", "b1": "BOOL"} | {
    f"{sign}{size}": f"{sign.upper()}{size * 8}" for sign in "iu" for size in (1, 2, 4, 8)
}


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A tensor of the file.

    Attributes:
        form: safetensors' name of its type.
        array: its elements, where they lie in the file.
    """

    form: str
    array: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    def with_array(self, array: np.ndarray) -> Tensor:
        """Other elements of the same type."""
        return Tensor(self.form, array)


def view(form: str, storage: memoryview, offset: int, sizes: Value, strides: Value) -> Tensor:
    """Elements of a storage; offset and strides are in elements, as torch has them."""
    if type(sizes) is not tuple or type(strides) is not tuple or len(sizes) != len(strides) or len(sizes) > AXES:
        raise HostileFile(f"a tensor's shape is {shown(sizes)} with strides {shown(strides)}.")
    for number in (offset, *sizes, *strides):
        whole(number, "a tensor's size, stride or offset")
    item = np.dtype(FORMS[form])
    held, wanted = len(storage) // item.itemsize, math.prod(sizes)
    last = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
    if wanted and (wanted > held or last >= held):
        what = f"a tensor of shape {shown(sizes)} and strides {shown(strides)}"
        raise HostileFile(f"{what} is larger than its storage of {held:,} numbers.")
    if not wanted:
        if max(sizes) > held + (1 << 20):
            raise HostileFile(f"an empty tensor has the shape {shown(sizes)}.")
        return Tensor(form, np.zeros(sizes, item))
    steps = tuple(stride * item.itemsize for stride in strides)
    return Tensor(form, np.ndarray(sizes, item, storage, offset * item.itemsize, steps))


def of_numpy(value: Made) -> Tensor | None:
    """The array or scalar that numpy's pickles describe; None where it is neither."""
    function = str(value.of)
    if function.endswith(".multiarray._reconstruct"):
        state = value.states[-1] if value.states else None
        if type(state) is not tuple or len(state) != 5:
            raise DamagedFile("an array of numpy has no contents.")
        _, sizes, dtype, turned, data = state
        return _contiguous(dtype, data, sizes, turned is True)
    if function.endswith(".numeric._frombuffer") and len(value.args) == 4:
        data, dtype, sizes, order = value.args
        return _contiguous(dtype, data, sizes, order == "F")
    if function.endswith(".multiarray.scalar") and len(value.args) == 2:
        return _contiguous(value.args[0], value.args[1], (), False)
    return None


def _contiguous(dtype: Value, data: Value, sizes: Value, turned: bool) -> Tensor:
    form, big = _form(dtype)
    if type(data) is str:  # Python 2's bytes
        data = data.encode("latin-1")
    if type(data) not in (bytes, memoryview) or type(sizes) is not tuple or len(sizes) > AXES:
        raise HostileFile(f"an array of numpy is made of {kind(data)} and {kind(sizes)}.")
    for size in sizes:
        whole(size, "an array's size")
    order = sizes if turned else sizes[::-1]
    steps, step = [], 1
    for size in order:
        steps.append(step)
        step *= size
    found = view(form, memoryview(data), 0, sizes, tuple(steps if turned else steps[::-1]))
    return found.with_array(found.array.view(found.array.dtype.newbyteorder())) if big else found


def _form(dtype: Value) -> tuple[str, bool]:
    """(safetensors' name, whether its bytes are the other way round) of a pickled `numpy.dtype`."""
    if not is_made(dtype, "numpy.dtype") or not dtype.args:
        raise HostileFile(f"an array's type is {kind(dtype)}.")
    code = text(dtype.args[0], "an array's type").lstrip("<>|=")
    if code.startswith("O"):
        raise HostileFile("an array holds Python objects, not numbers.")
    if code not in OF_NUMPY:
        raise UnknownFile(f"an array holds numbers of the type {shown(code)}, which is not read.")
    state = dtype.states[-1] if dtype.states else None
    return OF_NUMPY[code], type(state) is tuple and len(state) > 1 and state[1] == ">"
