"""ncnn's networks: a text (.param) that says which layers there are, then their numbers (.bin), here both in one piece.

    7767517                                                          magic number
    999 1782                                                         layers, blobs
    Convolution  Conv_1  1 1  703  705  0=32 1=3 4=1 6=18432 9=2     kind, name, counts, blobs in, blobs out, settings

Weights of a convolution begin with a flag: 0 for fp32, 0x01306B47 for fp16, padded to 4 bytes. Biases and slopes are fp32.
What layers make of each other becomes one expression, in which equal parts are one number: `ncnn_known` compares it with what a
known network's would be.
"""

from __future__ import annotations

import dataclasses
import re
import struct
from collections.abc import Callable, Iterator

from tightrope.interop.reading import arrays
from tightrope.interop.reading.arrays import Tensor
from tightrope.interop.reading.errors import DamagedFile, HostileFile, UnknownFile, shown
from tightrope.interop.reading.limits import NAME, Budget, within

MAGIC = re.compile(rb"7767517\r?\n")
WEIGHTS = b"Gk0\x01"  # how numbers of half precision begin
PLAIN, HALF = 0, 0x01306B47
LAYERS = 20_000
BLOBS = 256  # of one layer
LINE = 1 << 15
NUMBER = re.compile(r"-?\d{1,12}(\.\d{1,12})?(e[+-]?\d{1,2})?")
OTHER = "it is an ncnn network, and none of the published Real-ESRGAN ones, which alone are read"
ADD, SUM, RELU, LEAKY = 0, 1, 1, 2  # of BinaryOp, of Eltwise; of activations
SLOPE_OF = 10


@dataclasses.dataclass(frozen=True)
class Layer:
    """One line."""

    kind: str
    inputs: list[str]
    outputs: list[str]
    settings: dict[int, str]

    def whole(self, key: int, default: int = 0) -> int:
        """A whole number among the settings."""
        value = number(self.settings.get(key, str(default)))
        if value != int(value):
            raise DamagedFile(f"a {shown(self.kind)} has {key}={shown(self.settings[key])}, where a whole number belongs.")
        return int(value)

    def numbers(self, key: int) -> list[float]:
        """A list among the settings: under -23300 - key, with its length first."""
        count, *values = map(number, self.settings.get(-23300 - key, "0").split(","))
        if count != len(values):
            raise DamagedFile(f"a list of a {shown(self.kind)} is not as long as it says.")
        return values

    def check(self, free: tuple[int, ...] = (), **fixed: int) -> None:
        """Settings that are neither `free` nor as in `fixed` (s1=3: setting 1 is 3) would make another layer of it.

        Raises:
            UnknownFile: there is one.
        """
        for key, text in self.settings.items():
            if key not in free and (f"s{key}" not in fixed or number(text) != fixed[f"s{key}"]):
                raise UnknownFile(f"{OTHER} (a {shown(self.kind)} has {key}={shown(text)}).")


class Graph:
    """Expressions: one that is asked for again is the same number."""

    def __init__(self) -> None:
        self.known: dict[tuple, int] = {}

    def node(self, *parts: object) -> int:
        """The number of an expression of these parts, among them numbers of others."""
        return self.known.setdefault(parts, len(self.known))


class Numbers:
    """What is left of the .bin."""

    def __init__(self, data: memoryview) -> None:
        self.data = data

    def take(self, form: str, shape: tuple[int, ...], what: str) -> Tensor:
        """The next tensor; bytes to the next multiple of 4 belong to it."""
        count, size = 1, 2 if form == "F16" else 4
        for side in shape:
            if side < 1:
                raise DamagedFile(f"{what} have the shape {shown(shape)}.")
            count *= side
        within(count * size, len(self.data), what)
        steps = tuple(_product(shape[k + 1 :]) for k in range(len(shape)))
        found = arrays.view(form, self.data[: count * size], 0, shape, steps)
        self.data = self.data[-(-count * size // 4) * 4 :]
        return found

    def flag(self) -> int:
        """The next 4 bytes."""
        within(4, len(self.data), "a convolution's flag")
        (found,) = struct.unpack("<I", self.data[:4])
        self.data = self.data[4:]
        return found


def _product(shape: tuple[int, ...]) -> int:
    found = 1
    for side in shape:
        found *= side
    return found


@dataclasses.dataclass
class Network:
    """What was found.

    Attributes:
        convolutions: (weight, bias) of each, in the file's order.
        slopes: of each PReLU.
        result: the expression of what comes out, in `graph`.
    """

    graph: Graph
    numbers: Numbers
    convolutions: list[tuple[Tensor, Tensor]] = dataclasses.field(default_factory=list)
    slopes: list[Tensor] = dataclasses.field(default_factory=list)
    result: int = -1


def number(text: str) -> float:
    """A number as it is written.

    Raises:
        DamagedFile: it is none.
    """
    if not NUMBER.fullmatch(text):
        raise DamagedFile(f"{shown(text)} stands where a number belongs.")
    return float(text)


# ---------------------------------------------------------------- the text
def _lines(data: memoryview) -> Iterator[tuple[list[str], int]]:
    """(words, where the line ends) of line after line."""
    at = 0
    while True:
        begun = bytes(data[at : at + LINE])
        end = begun.find(b"\n")
        if end < 0:
            raise DamagedFile("its description of layers is cut off.")
        at += end + 1
        try:
            yield begun[:end].decode("ascii").split(), at
        except UnicodeDecodeError:
            raise DamagedFile("its description of layers is no text.") from None


def _layer(words: list[str]) -> Layer:
    counts = words[2:4]
    if len(counts) < 2 or not all(re.fullmatch(r"\d{1,3}", word) for word in counts):
        raise DamagedFile("a line of its description says no layer.")
    n, m = map(int, counts)
    blobs, settings = words[4 : 4 + n + m], words[4 + n + m :]
    if n + m > BLOBS or len(blobs) < n + m or any(len(blob) > NAME for blob in blobs):
        raise DamagedFile(f"a {shown(words[0])} has other inputs and outputs than it says.")
    pairs = [re.fullmatch(r"(-?\d{1,6})=(\S+)", word) for word in settings]
    if not all(pairs):
        raise DamagedFile(f"the settings of a {shown(words[0])} are no settings.")
    return Layer(words[0], blobs[:n], blobs[n:], {int(pair[1]): pair[2] for pair in pairs if pair})


def read(data: memoryview, budget: Budget) -> Network:
    """The network of a description with its numbers behind it.

    Raises:
        InputError: of one of the three kinds in `errors`.
    """
    lines = _lines(data)
    next(lines)
    counts, at = next(lines)
    if len(counts) != 2 or not all(re.fullmatch(r"\d{1,6}", word) for word in counts):
        raise DamagedFile("it does not say how many layers it has.")
    if int(counts[0]) > LAYERS:
        raise HostileFile(f"it has {int(counts[0]):,} layers; the most that is read is {LAYERS:,}.")
    layers = []
    for _ in range(int(counts[0])):
        words, at = next(lines)
        budget.run(len(words) + 1)
        layers.append(_layer(words))
    found = Network(Graph(), Numbers(data[at:]))
    _follow(layers, found)
    if len(found.numbers.data):
        raise DamagedFile(f"its numbers go on for {len(found.numbers.data):,} bytes after its last layer.")
    return found


# ---------------------------------------------------------------- the layers
def _follow(layers: list[Layer], found: Network) -> None:
    """Every layer in turn; what one needs was made before it, and one thing is left that nothing needs."""
    made: dict[str, int] = {}
    unused: set[str] = set()
    for layer in layers:
        if layer.kind not in KINDS:
            raise UnknownFile(f"{OTHER} (it has a {shown(layer.kind)}).")
        missing = next((blob for blob in layer.inputs if blob not in made), None)
        if missing is not None or any(blob in made for blob in layer.outputs):
            raise DamagedFile(f"a {layer.kind} needs {shown(missing)}, or makes it again, out of turn.")
        fewest, most, outputs = COUNTS.get(layer.kind, (1, 1, 1))
        if not fewest <= len(layer.inputs) <= most or (outputs and len(layer.outputs) != outputs):
            raise DamagedFile(f"a {layer.kind} has {len(layer.inputs)} inputs and {len(layer.outputs)} outputs.")
        value = KINDS[layer.kind](layer, [made[blob] for blob in layer.inputs], found)
        made |= dict.fromkeys(layer.outputs, value)
        unused = (unused - set(layer.inputs)) | set(layer.outputs)
    if len(unused) != 1:
        raise UnknownFile(f"{OTHER} (it has {len(unused)} results).")
    found.result = made[unused.pop()]


def _input(layer: Layer, given: list[int], found: Network) -> int:
    return found.graph.node("input")


def _split(layer: Layer, given: list[int], found: Network) -> int:
    return given[0]


def _convolution(layer: Layer, given: list[int], found: Network) -> int:
    """3x3, on a border of one 0, with a bias and perhaps a rectifier."""
    layer.check((0, 6, 9, -23300 - SLOPE_OF), s1=3, s11=3, s2=1, s12=1, s3=1, s13=1, s4=1, s14=1, s15=1, s16=1, s5=1)
    outputs, size = layer.whole(0), layer.whole(6)
    if not {1, 4, 5} <= layer.settings.keys():
        raise UnknownFile(f"{OTHER} (a Convolution has no bias, border or size of 3).")
    if outputs < 1 or size % (9 * outputs):
        raise DamagedFile(f"a convolution to {outputs} channels has {size} weights.")
    flag = found.numbers.flag()
    if flag not in (PLAIN, HALF):
        raise UnknownFile(f"its numbers are packed in a way (0x{flag:08X}) that is not read.")
    shape = (outputs, size // (9 * outputs), 3, 3)
    weight = found.numbers.take("F16" if flag == HALF else "F32", shape, "a convolution's weights")
    found.convolutions.append((weight, found.numbers.take("F32", (outputs,), "a convolution's biases")))
    node = found.graph.node("convolution", len(found.convolutions) - 1, given[0])
    kind, slopes = layer.whole(9), layer.numbers(SLOPE_OF)
    if kind not in (0, RELU, LEAKY) or (kind == LEAKY and len(slopes) != 1):
        raise UnknownFile(f"{OTHER} (a Convolution has 9={kind}).")
    return found.graph.node("rectified", slopes[0] if kind == LEAKY else 0.0, node) if kind else node


def _prelu(layer: Layer, given: list[int], found: Network) -> int:
    layer.check((0,))
    found.slopes.append(found.numbers.take("F32", (layer.whole(0),), "a PReLU's slopes"))
    return found.graph.node("prelu", len(found.slopes) - 1, given[0])


def _concat(layer: Layer, given: list[int], found: Network) -> int:
    layer.check(s0=0)
    return found.graph.node("concat", *given)


def total(graph: Graph, *parts: tuple[float, int]) -> int:
    """A sum of factors times expressions, in whatever order."""
    return graph.node("sum", *sorted(parts))


def _eltwise(layer: Layer, given: list[int], found: Network) -> int:
    layer.check((-23301,), s0=SUM)
    factors = layer.numbers(1) or [1.0] * len(given)
    if layer.whole(0) != SUM or len(factors) != len(given):
        raise UnknownFile(f"{OTHER} (an Eltwise is no sum).")
    return total(found.graph, *zip(factors, given, strict=True))


def _binary(layer: Layer, given: list[int], found: Network) -> int:
    layer.check(s0=ADD, s1=0)
    return total(found.graph, *((1.0, node) for node in given))


def _interp(layer: Layer, given: list[int], found: Network) -> int:
    layer.check((0, 1, 2), s3=0, s4=0, s5=0, s6=0)
    high, wide = (number(layer.settings.get(key, "1")) for key in (1, 2))
    if high != wide:
        raise UnknownFile(f"{OTHER} (it stretches pictures).")
    return found.graph.node("resized", layer.whole(0), high, given[0])


def _shuffle(layer: Layer, given: list[int], found: Network) -> int:
    layer.check((0,), s1=0)
    return found.graph.node("shuffled", layer.whole(0, 1), given[0])


COUNTS = {  # fewest inputs, most, outputs (0: any) where they are not one and one
    "Input": (0, 0, 1), "Split": (1, 1, 0), "Concat": (1, BLOBS, 1), "Eltwise": (2, BLOBS, 1), "BinaryOp": (2, 2, 1),
}  # fmt: skip
KINDS: dict[str, Callable[[Layer, list[int], Network], int]] = {
    "Input": _input, "Split": _split, "Convolution": _convolution, "PReLU": _prelu, "Concat": _concat, "Eltwise": _eltwise,
    "BinaryOp": _binary, "Interp": _interp, "PixelShuffle": _shuffle,
}  # fmt: skip
