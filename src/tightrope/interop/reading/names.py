"""Which names a file may mention, and which of them it may note as called. Everything else is refused by name.

Nothing is ever looked up or called, mentioned or not. The lists are there to tell people when a file wants something done.
"""

from __future__ import annotations

import re
import sys

from tightrope.interop.reading.errors import HostileFile, shown
from tightrope.interop.reading.limits import NAME
from tightrope.interop.reading.records import Bag, Made, Name, Value, kind

NUMPY = ("numpy.core.multiarray", "numpy._core.multiarray")
CALLED = frozenset(
    {
        "torch._utils._rebuild_tensor",
        "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_parameter_with_state",
        "torch._tensor._rebuild_from_type_v2",
        "torch.storage._load_from_bytes",
        "torch.device",
        "torch_utils.persistence._reconstruct_persistent_obj",
        *(f"{module}.{name}" for module in NUMPY for name in ("_reconstruct", "scalar")),
        "numpy.core.numeric._frombuffer",
        "numpy._core.numeric._frombuffer",
        "numpy.dtype",
        "pathlib.PosixPath",
        "pathlib.WindowsPath",
    }
)
MENTIONED = re.compile(
    r"""numpy\.ndarray
    | (__builtin__|builtins)\.(object|set|frozenset|dict|list|tuple|int|long|float|bool|str|unicode|bytes|bytearray|complex)
    | (copyreg|copy_reg)\._reconstructor
    | _codecs\.encode
    | argparse\.Namespace
    | collections\.(OrderedDict|defaultdict|Counter)
    | torch\.(Size|Tensor|(cuda\.)?(Byte|Char|Short|Int|Long|Half|Float|Double|BFloat16|Bool)Storage)
    | torch\.(u?int(8|16|32|64)|float(16|32|64)?|bfloat16|half|double|long|bool)
    | torch\.storage\.(Untyped|Typed)Storage
    | torch\.nn\.[\w.]+ | torch\._C\._nn\.\w+ | torch\.optim\.[\w.]+""",
    re.VERBOSE,
)
GUARDED = sys.stdlib_module_names | {"__builtin__", "copy_reg", "commands", "cPickle", "numpy", "torch", "nt", "urllib2"}
GUARDED -= {"__main__"}  # the script a network was defined in


def admit(module: Value, name: Value) -> Name:
    """A name that a file mentions.

    Raises:
        HostileFile: it is of the language, its library, numpy or torch, and no part of any checkpoint.
    """
    if type(module) is not str or type(name) is not str:
        raise HostileFile(f"it names {kind(module)} and {kind(name)} instead of a module and a name.")
    if len(module) + len(name) > NAME:
        raise HostileFile(f"it uses a name of {len(module) + len(name):,} characters.")
    full = f"{module}.{name}"
    if module.split(".")[0] in GUARDED and full not in CALLED and not MENTIONED.fullmatch(full):
        raise HostileFile(f"it asks for {shown(full)}, which no checkpoint needs.")
    return Name(module, name)


def called(function: Value, args: Value) -> Value:
    """What stands for the outcome of a call."""
    if not isinstance(function, Name):
        raise HostileFile(f"it calls {kind(function)}.")
    if type(args) is not tuple:
        raise HostileFile(f"it calls {shown(function)} with {kind(args)}.")
    full = str(function)
    if full in CALLED:
        return Made(function, args)
    if full in PLAIN:
        return PLAIN[full](args)
    raise HostileFile(f"it calls {shown(function)}, which no checkpoint needs.")


def instance(of: Value, args: Value) -> Made:
    """What stands for an object of a class, made without its constructor."""
    if not isinstance(of, Name) or type(args) is not tuple:
        raise HostileFile(f"it makes an object of {kind(of)}.")
    if str(of) in CALLED or str(of) in ("_codecs.encode", "copyreg._reconstructor", "copy_reg._reconstructor"):
        raise HostileFile(f"it makes an object of {of}, which is a function.")
    return Made(of, args)


def _dictionary(args: tuple) -> dict:
    pairs = args[0] if args and type(args[0]) in (list, tuple) else ()
    made: dict = {}
    for pair in pairs:
        if type(pair) not in (list, tuple) or len(pair) != 2 or type(pair[0]) not in (str, int):
            raise HostileFile("it makes a dictionary of what are no pairs.")
        made[pair[0]] = pair[1]
    return made


def _bag(args: tuple) -> Bag:
    return Bag(args[0]) if args and type(args[0]) in (list, tuple) else Bag()


def _encoded(args: tuple) -> bytes:
    """How protocol 2 keeps bytes: as a text whose characters are the bytes."""
    if not args or type(args[0]) is not str:
        raise HostileFile("it encodes what is no text.")
    return args[0].encode("latin-1")


def _reconstructed(args: tuple) -> Made:
    return instance(args[0] if args else None, ())


PLAIN = {
    "collections.OrderedDict": _dictionary,
    "collections.Counter": _dictionary,
    "collections.defaultdict": lambda args: {},
    "builtins.set": _bag,
    "builtins.frozenset": _bag,
    "__builtin__.set": _bag,
    "__builtin__.frozenset": _bag,
    "builtins.bytearray": lambda args: args[0] if args and type(args[0]) is bytes else b"",
    "_codecs.encode": _encoded,
    "copyreg._reconstructor": _reconstructed,
    "copy_reg._reconstructor": _reconstructed,
    "torch.Size": lambda args: args[0] if args and type(args[0]) is tuple else (),
}
