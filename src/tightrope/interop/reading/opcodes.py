"""Pickles of every protocol, read into records: an interpreter of their instructions in which no instruction runs anything.

The format is that of Python's `pickletools`. Instructions that would import, call or fill objects make the records of `records`;
persistent ids become pointers; extension codes and buffers from outside are refused. Large byte strings stay views of the file.
"""

from __future__ import annotations

import codecs
import pickle
import struct
from collections.abc import Callable

from tightrope.interop.reading import records
from tightrope.interop.reading.errors import DamagedFile, HostileFile, shown
from tightrope.interop.reading.limits import DIGITS, TEXT, Budget, within
from tightrope.interop.reading.machine import Machine
from tightrope.interop.reading.names import admit, called, instance
from tightrope.interop.reading.records import Bag, Name, Pointer, Value

for codec in ("latin-1", "unicode_escape", "raw-unicode-escape", "utf-8"):
    codecs.lookup(codec)  # Python imports it at its first use, when the door is shut
SMALL = 1 << 16  # byte strings above it stay views


def load(data: memoryview, budget: Budget, pointers: list[Pointer] | None = None) -> tuple[Value, int]:
    """The value of the pickle at the beginning of `data`, and how many bytes it takes.

    Args:
        pointers: where persistent ids are listed; they occur within torch's files, and are refused without it.
    """
    machine = Machine(data, budget, pointers)
    try:
        return _run(machine), machine.at
    except IndexError:
        raise DamagedFile("its pickle takes values that it never gave.") from None
    except (ValueError, UnicodeError, struct.error) as error:
        raise DamagedFile(f"its pickle is not well-formed ({shown(error)}).") from None


def _run(m: Machine) -> Value:
    """Until STOP."""
    data, length, codes = m.data, len(m.data), CODES
    allowed, steps = m.budget.instructions, 0
    while m.at < length:
        code = data[m.at]
        m.at += 1
        if code == STOP:
            m.budget.run(steps)
            return m.stack.pop()
        if code not in codes:
            raise DamagedFile(f"byte {m.at - 1:,} of its pickle is no instruction.")
        codes[code](m)
        steps += 1
        if steps > allowed:
            m.budget.run(steps)
    raise DamagedFile("it is cut off: its pickle has no end.")


def _constant(make: Callable[[], Value]) -> Callable[[Machine], None]:
    return lambda m: m.stack.append(make())


def _push(read: Callable[[Machine], Value]) -> Callable[[Machine], None]:
    def run(m: Machine) -> None:
        value = read(m)  # first: it may take the stack down to its mark
        m.stack.append(value)

    return run


def _integer(m: Machine, form: str) -> int:
    size = m.number(form)
    if size > DIGITS:
        raise HostileFile(f"it holds an integer of {size:,} bytes.")
    return int.from_bytes(m.take(size), "little", signed=True)


def _decimal(m: Machine) -> Value:
    word = m.line(DIGITS)
    return {"00": False, "01": True}[word] if word in ("00", "01") else int(word.rstrip("L"))


def _bytes(m: Machine, form: str) -> bytes | memoryview:
    found = m.take(m.number(form))
    return found if len(found) > SMALL else bytes(found)


def _text(m: Machine, form: str) -> str:
    found = m.take(m.number(form))
    m.budget.run(len(found) >> TEXT)
    return str(found, "utf-8", "surrogatepass")


def _old_text(m: Machine, form: str) -> str | memoryview:
    """Python 2's str, text or bytes alike: as latin-1 both survive."""
    found = m.take(m.number(form))
    return found if len(found) > SMALL else str(found, "latin-1")


def _quoted(m: Machine) -> str:
    word = m.line()
    if len(word) < 2 or word[0] not in "'\"" or word[-1] != word[0]:
        raise DamagedFile("a text of its pickle has no quotes.")
    return word[1:-1].encode("latin-1").decode("unicode_escape")


def _tuple(count: int) -> Callable[[Machine], None]:
    def run(m: Machine) -> None:
        if len(m.stack) < count:
            raise IndexError
        m.stack[-count:] = [tuple(m.stack[-count:])]

    return run


def _pairs(m: Machine, items: list[Value]) -> None:
    if len(items) % 2:
        raise DamagedFile("a key of its pickle has no value.")
    for key, value in zip(items[::2], items[1::2], strict=True):
        records.set_item(m.stack[-1], key, value)


def _new_dict(m: Machine) -> None:
    items = m.marked()
    m.stack.append({})
    _pairs(m, items)


def _set_item(m: Machine) -> None:
    value, key = m.stack.pop(), m.stack.pop()
    records.set_item(m.stack[-1], key, value)


def _append(m: Machine) -> None:
    value = m.stack.pop()
    records.append(m.stack[-1], [value])


def _appends(m: Machine) -> None:
    items = m.marked()
    records.append(m.stack[-1], items)


def _build(m: Machine) -> None:
    state = m.stack.pop()
    m.pay(*(state if type(state) is tuple and len(state) == 2 else (state,)))
    records.build(m.stack[-1], state)


def _call(m: Machine) -> None:
    args, function = m.stack.pop(), m.stack.pop()
    m.pay(*(args[:1] if type(args) is tuple else ()))
    m.stack.append(called(function, args))


def _two(make: Callable[[Value, Value], Value]) -> Callable[[Machine], None]:
    """An instruction that makes one value of the upper two."""

    def run(m: Machine) -> None:
        upper, lower = m.stack.pop(), m.stack.pop()
        m.stack.append(make(lower, upper))

    return run


def _new_with_names(m: Machine) -> None:
    names, args, of = m.stack.pop(), m.stack.pop(), m.stack.pop()
    made = instance(of, args)
    if type(names) is not dict:
        raise DamagedFile("an object of its pickle is made with what are no names.")
    made.states.append(names)
    m.stack.append(made)


def _old_instance(m: Machine) -> None:
    of: Name = admit(m.line(), m.line())
    m.stack.append(instance(of, tuple(m.marked())))


def _old_object(m: Machine) -> None:
    of, *args = m.marked() or [None]
    m.stack.append(instance(of, tuple(args)))


def _pointer(m: Machine) -> Pointer | Name:
    parts = m.stack.pop()
    if m.pointers is None or type(parts) is not tuple:
        raise HostileFile("it points to objects outside the file.")
    if len(parts) == 4 and parts[0] == "module" and isinstance(parts[1], Name):
        return parts[1]  # before torch 1.6 a class came with its source text, which is left alone
    m.pointers.append(Pointer(parts))
    return m.pointers[-1]


def _remember(m: Machine, index: int) -> None:
    m.memo[index] = m.stack[-1]


def _recall(m: Machine, index: int) -> None:
    if index not in m.memo:
        raise DamagedFile(f"its pickle refers to value {index}, which it never gave.")
    m.stack.append(m.memo[index])


def _mark(m: Machine) -> None:
    m.below.append(m.stack)
    m.stack = []


def _pop(m: Machine) -> None:
    if m.stack:
        m.stack.pop()
    else:
        m.marked()


def _refuse(what: str) -> Callable[[Machine], None]:
    def run(m: Machine) -> None:
        raise HostileFile(what)

    return run


STOP = pickle.STOP[0]
EXTENSION = _refuse("it uses extension codes, which name objects outside the file.")
OUTSIDE = _refuse("it points to buffers outside the file.")
CODES: dict[int, Callable[[Machine], None]] = {
    code[0]: action
    for code, action in {
        pickle.PROTO: lambda m: m.take(1),
        pickle.FRAME: lambda m: within(m.number("<Q"), len(m.data) - m.at, "a frame"),
        pickle.MARK: _mark,
        pickle.POP: _pop,
        pickle.POP_MARK: lambda m: m.marked(),
        pickle.DUP: lambda m: m.stack.append(m.stack[-1]),
        pickle.NONE: _constant(lambda: None),
        pickle.NEWTRUE: _constant(lambda: True),
        pickle.NEWFALSE: _constant(lambda: False),
        pickle.EMPTY_TUPLE: _constant(tuple),
        pickle.EMPTY_LIST: _constant(list),
        pickle.EMPTY_DICT: _constant(dict),
        pickle.EMPTY_SET: _constant(Bag),
        pickle.INT: _push(_decimal),
        pickle.LONG: _push(lambda m: int(m.line(DIGITS * 2).rstrip("L"))),
        pickle.BININT: _push(lambda m: m.number("<i")),
        pickle.BININT1: _push(lambda m: m.number("<B")),
        pickle.BININT2: _push(lambda m: m.number("<H")),
        pickle.LONG1: _push(lambda m: _integer(m, "<B")),
        pickle.LONG4: _push(lambda m: _integer(m, "<i")),
        pickle.FLOAT: _push(lambda m: float(m.line(DIGITS))),
        pickle.BINFLOAT: _push(lambda m: m.number(">d")),
        pickle.STRING: _push(_quoted),
        pickle.BINSTRING: _push(lambda m: _old_text(m, "<i")),
        pickle.SHORT_BINSTRING: _push(lambda m: _old_text(m, "<B")),
        pickle.UNICODE: _push(lambda m: m.line().encode("latin-1").decode("raw-unicode-escape")),
        pickle.BINUNICODE: _push(lambda m: _text(m, "<I")),
        pickle.SHORT_BINUNICODE: _push(lambda m: _text(m, "<B")),
        pickle.BINUNICODE8: _push(lambda m: _text(m, "<Q")),
        pickle.BINBYTES: _push(lambda m: _bytes(m, "<I")),
        pickle.SHORT_BINBYTES: _push(lambda m: _bytes(m, "<B")),
        pickle.BINBYTES8: _push(lambda m: _bytes(m, "<Q")),
        pickle.BYTEARRAY8: _push(lambda m: _bytes(m, "<Q")),
        pickle.TUPLE: _push(lambda m: tuple(m.marked())),
        pickle.TUPLE1: _tuple(1),
        pickle.TUPLE2: _tuple(2),
        pickle.TUPLE3: _tuple(3),
        pickle.LIST: _push(lambda m: m.marked()),
        pickle.DICT: _new_dict,
        pickle.FROZENSET: _push(lambda m: Bag(m.marked())),
        pickle.APPEND: _append,
        pickle.APPENDS: _appends,
        pickle.ADDITEMS: _appends,
        pickle.SETITEM: _set_item,
        pickle.SETITEMS: lambda m: _pairs(m, m.marked()),
        pickle.PUT: lambda m: _remember(m, int(m.line(DIGITS))),
        pickle.BINPUT: lambda m: _remember(m, m.number("<B")),
        pickle.LONG_BINPUT: lambda m: _remember(m, m.number("<I")),
        pickle.MEMOIZE: lambda m: _remember(m, len(m.memo)),
        pickle.GET: lambda m: _recall(m, int(m.line(DIGITS))),
        pickle.BINGET: lambda m: _recall(m, m.number("<B")),
        pickle.LONG_BINGET: lambda m: _recall(m, m.number("<I")),
        pickle.GLOBAL: _push(lambda m: admit(m.line(), m.line())),
        pickle.STACK_GLOBAL: _two(admit),
        pickle.REDUCE: _call,
        pickle.NEWOBJ: _two(instance),
        pickle.NEWOBJ_EX: _new_with_names,
        pickle.INST: _old_instance,
        pickle.OBJ: _old_object,
        pickle.BUILD: _build,
        pickle.BINPERSID: _push(_pointer),
        pickle.PERSID: _refuse("it points to objects outside the file."),
        pickle.EXT1: EXTENSION,
        pickle.EXT2: EXTENSION,
        pickle.EXT4: EXTENSION,
        pickle.NEXT_BUFFER: OUTSIDE,
        pickle.READONLY_BUFFER: OUTSIDE,
    }.items()
}
