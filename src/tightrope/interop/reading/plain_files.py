"""Files of torch.save and safetensors: one state dict, or several in a dictionary, or whole modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tightrope.interop.reading import kinds
from tightrope.interop.reading.arrays import Tensor
from tightrope.interop.reading.errors import UnknownFile, shown
from tightrope.interop.reading.limits import NAME
from tightrope.interop.reading.modules import Walk, is_module
from tightrope.interop.reading.networks import Contents, Net, counted
from tightrope.interop.reading.nvidia import licence, r3gan
from tightrope.interop.reading.records import Made, Value, kind
from tightrope.interop.reading.settings import Plain
from tightrope.interop.reading.torchfile import Tensors

LEVELS = 3  # of dictionaries around a state dict
CONSTRUCTED = ("depth", "num_channels", "latent_size", "use_eql", "num_classes")  # of the `conf` that goes with a state dict


def read(root: Value, tensors: Tensors, container: str) -> Contents:
    """The networks of a file.

    Raises:
        UnknownFile: it holds none of a known kind.
    """
    return _contents(_states(root, tensors, "", 0), container, _seen(root))


def from_state(state: dict[str, Tensor], container: str) -> Contents:
    """The one network of a file that is nothing but a state dict."""
    return _contents([("", state, {})], container, f"tensors such as {', '.join(map(shown, list(state)[:4])) or 'none'}")


def _contents(states: Iterable[tuple[str, dict[str, Tensor], dict]], container: str, seen: str) -> Contents:
    nets, others = [], []
    for name, state, settings in states:
        system = kinds.system(state)
        if system:
            nets.append(Net(name or kinds.role(system), system, state, settings or _told(system, state)))
            counted(nets)
        elif name.rpartition("_")[2] != "optim":
            others.append(kinds.refused(state))
    if nets:
        return Contents(container, licence(nets), nets)
    known = next(filter(None, others), None)
    if known:
        raise UnknownFile(f"it holds {known}, which is not read; `interop.systems` lists what is.")
    raise UnknownFile(f"it holds no network of a known kind: {seen}.")


def _told(system: str, state: dict[str, Tensor]) -> dict:
    return r3gan(state) if system.startswith("r3gan") else {}


def _states(root: Value, tensors: Tensors, name: str, level: int) -> Iterator[tuple[str, dict[str, Tensor], dict]]:
    """(name, state dict, settings) of everything in a value that looks like a network."""
    if is_module(root):
        yield name, stripped(Walk(tensors).state(root)), {}
        return
    held = root.entries if isinstance(root, Made) and root.of.name == "OrderedDict" else root
    if type(held) is not dict or level > LEVELS:
        return
    tensors.budget.run(len(held) + 1)
    if "state_dict" in held and type(held.get("conf")) is dict:  # progressive GAN of akanimax
        conf = {key: held["conf"][key] for key in CONSTRUCTED if key in held["conf"]}
        for _, state, _ in _states(held["state_dict"], tensors, name, level + 1):
            yield name, state, Plain().dictionary(conf)
        return
    if is_state(held, tensors):
        yield name, stripped({key: tensors.of(value, key) for key, value in held.items() if tensors.is_tensor(value)}), {}
        return
    for key, value in held.items():
        if type(key) is str and len(key) <= NAME:
            yield from _states(value, tensors, name if key in ("state_dict", "model") and name else key, level + 1)


def is_state(held: dict, tensors: Tensors) -> bool:
    """Whether a dictionary is a state dict: names to tensors; plain numbers beside them do not matter."""
    loose = (int, float, bool, type(None))
    found = [tensors.is_tensor(value) for value in held.values() if not isinstance(value, loose)]
    return bool(found) and all(found) and all(type(key) is str and len(key) <= NAME for key in held)


def stripped(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without the "module." that parallel training puts before every name."""
    whole = bool(state) and all(name.startswith("module.") for name in state)
    return {name.removeprefix("module.") if whole else name: tensor for name, tensor in state.items()}


def _seen(root: Value) -> str:
    if type(root) is not dict:
        return f"it is {shown(kind(root))}"
    names = [shown(key, 40) for key in list(root)[:6]]
    return f"a dictionary of {len(root):,} entries" + (f", {', '.join(names)}{' ...' if len(root) > 6 else ''}" if names else "")
