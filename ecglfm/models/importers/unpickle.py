"""The pickle inside a PyTorch checkpoint, read without running any of it: an unpickler with an allow-list.

A pickle is a program that calls what it names. Here a name is either one of the few that a checkpoint needs to
describe tensors, or one that stands for plain settings (`argparse.Namespace`, OmegaConf's containers) and becomes an
inert record, or the file is refused. No module is imported and no method of a loaded object is called. Nor does a small
file make much of itself: objects that hold one another many times over (2^n of them after n steps) are never hashed,
printed or copied whole.
"""

from __future__ import annotations

import pickle
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple

import torch

from ecglfm.config import UserError

_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
#: Names that become `Inert`: they describe settings and meters, which are read as data or not at all.
_INERT = {
    *(("builtins", name) for name in ("bool", "bytearray", "dict", "float", "int", "list", "object", "set", "str")),
    *(("torch", str(dtype).removeprefix("torch.")) for dtype in _DTYPES.values()),
    *(
        (module, name)
        for module in ("numpy.core.multiarray", "numpy._core.multiarray")
        for name in ("scalar", "_reconstruct")
    ),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("_codecs", "encode"),
    ("argparse", "Namespace"),
    ("pathlib", "PosixPath"),
    ("torch", "device"),
    ("torch", "Size"),
    ("typing", "Any"),
}
#: Opcodes that PyTorch never writes: other ways to make objects, sets (which hash), a buffer of any size.
_FOREIGN = (pickle.OBJ, pickle.NEWOBJ_EX, pickle.EXT1, pickle.EXT2, pickle.EXT4,
            pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET, pickle.BYTEARRAY8)  # fmt: skip
_DIMENSIONS = 8
#: How many values settings may hold; real ones hold some thousand.
_SETTINGS = 100_000
#: Packages of which every class becomes `Inert`: the originals' own, and the one that holds their settings.
_INERT_PACKAGES = ("fairseq", "fairseq_signals", "lightning", "lightning_fabric", "omegaconf", "pytorch_lightning")


class Storage(NamedTuple):
    """Numbers in the file: their type, their key, and how many there are."""

    dtype: torch.dtype
    key: str
    size: int


class StoredTensor(NamedTuple):
    """A tensor that has not been read: a view of a `Storage`."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class Inert:
    """What stands in for an object whose class is not loaded: its class's name, arguments and state."""

    def __init__(self, name: str, args: tuple[Any, ...]) -> None:
        self.name, self.args, self.state = name, args, None

    def __setitem__(self, key: Any, value: Any) -> None:
        """Items of a container that nobody reads."""

    def append(self, value: Any) -> None:
        """Items of a container that nobody reads."""

    extend = append


class Unpickler(pickle._Unpickler):
    """Python's own, not the faster one in C: that one allocates as much as a number in the file says."""

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)
    stack: list[Any]
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]
    readline: Callable[[], bytes]

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Give what stands for a global of the file; nothing is imported."""
        # torch.save names what Python 2 had by its names there
        module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        if (module, name) in _KNOWN:
            return _KNOWN[module, name]
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        if (module, name) in _INERT:
            return _InertClass(f"{module}.{name}")
        if module.partition(".")[0] in _INERT_PACKAGES and name.isidentifier():
            return _InertClass(f"{module}.{name}")
        # A HuBERT-ECG's .pt holds its settings as an object of its own code.
        instead = "; take model.safetensors with config.json, which hold data only" if name.endswith("Config") else ""
        raise UserError(
            f"would run {shown(f'{module}.{name}')}, which no checkpoint of weights needs; refused, and nothing ran"
            f"{instead}"
        )

    def persistent_load(self, identity: Any) -> Storage:
        """Storages are kept outside the pickle, under a key."""
        kind, dtype, key, _location, count, *view = identity
        known = kind == "storage" and isinstance(dtype, torch.dtype) and isinstance(key, str | int)
        if not known or (view and view[0] is not None):
            raise pickle.UnpicklingError("an unknown kind of storage")
        return self.storages.setdefault(str(key), Storage(dtype, str(key), int(count)))

    def load_build(self) -> None:
        """State is kept as data, never given to a method of the object it belongs to."""
        state = self.stack.pop()
        if isinstance(self.stack[-1], Inert):
            self.stack[-1].state = state

    dispatch[pickle.BUILD[0]] = load_build

    def load_setitem(self) -> None:
        """Set one item under a plain key."""
        value, key = self.stack.pop(), self.stack.pop()
        self.stack[-1][_key(key)] = value

    dispatch[pickle.SETITEM[0]] = load_setitem

    def load_setitems(self) -> None:
        """Set items under plain keys."""
        items = self.pop_mark()
        for key, value in zip(items[::2], items[1::2], strict=True):
            self.stack[-1][_key(key)] = value

    dispatch[pickle.SETITEMS[0]] = load_setitems

    def load_dict(self) -> None:
        """Make a dict of items under plain keys."""
        items = self.pop_mark()
        self.append({_key(key): value for key, value in zip(items[::2], items[1::2], strict=True)})

    dispatch[pickle.DICT[0]] = load_dict

    def load_newobj(self) -> None:
        """Make an `Inert`; no other class is ever made this way."""
        args, cls = self.stack.pop(), self.stack.pop()
        self.append(_call(cls, args))

    dispatch[pickle.NEWOBJ[0]] = load_newobj

    def load_reduce(self) -> None:
        """Call one of our own stand-ins."""
        args, function = self.stack.pop(), self.stack.pop()
        self.append(_call(function, args))

    dispatch[pickle.REDUCE[0]] = load_reduce

    def load_inst(self) -> None:
        """Name the class that an opcode of Python 1 would make; `find_class` refuses the dangerous ones by name."""
        module, name = (self.readline()[:-1].decode("ascii") for _ in range(2))
        self.find_class(module, name)
        self._refuse()

    dispatch[pickle.INST[0]] = load_inst

    def _refuse(self) -> None:
        raise pickle.UnpicklingError("an opcode that PyTorch never writes")

    for opcode in _FOREIGN:
        dispatch[opcode[0]] = _refuse


class _InertClass:
    """Stands for a class; calling it makes an `Inert`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *args: Any) -> Inert:
        return Inert(self.name, args)


def shown(text: str) -> str:
    """Text of the file, fit for a line of a message."""
    return text[:200] if text.isprintable() else ascii(text[:200])


def _key(key: Any) -> Any:
    """Give the key of a dict when it takes no time to hash: text, a number, an `Inert`, a flat tuple of such."""
    for part in key if type(key) is tuple else (key,):
        if not isinstance(part, str | bytes | int | float | Inert | _InertClass | torch.dtype | None):
            raise pickle.UnpicklingError(f"a {type(part).__name__} as the key of a dict")
    return key


def _call(function: Any, args: tuple[Any, ...]) -> Any:
    if not isinstance(function, _InertClass) and function not in _KNOWN.values():
        raise pickle.UnpicklingError("calls something that is no class")
    return function(*args)


def _tensor(storage: Storage, offset: int, shape: Any, stride: Any, *_: Any) -> StoredTensor:
    if not isinstance(storage, Storage):
        raise pickle.UnpicklingError("a tensor without storage")
    if not len(shape) == len(stride) <= _DIMENSIONS:
        raise pickle.UnpicklingError(f"a tensor of {len(shape)} dimensions and {len(stride)} strides")
    return StoredTensor(storage, int(offset), tuple(map(int, shape)), tuple(map(int, stride)))


def _parameter(data: Any, *_: Any) -> Any:
    return data


def _mapping(*args: Any) -> dict[Any, Any]:
    """OrderedDict, and defaultdict without what it would call."""
    pairs = [
        pair for arg in args if isinstance(arg, list | dict) for pair in (arg.items() if isinstance(arg, dict) else arg)
    ]
    return OrderedDict((_key(key), value) for key, value in pairs)


_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): _mapping,
    ("collections", "defaultdict"): _mapping,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
}


def plain(value: Any) -> Any:
    """Settings as plain data: of a namespace its fields, of OmegaConf's containers their content, else None.

    Raises
    ------
    UserError
        They hold more values than any settings do.
    """
    return _plain(value, (), iter(range(_SETTINGS)))


def _plain(value: Any, above: tuple[int, ...], budget: Iterator[int]) -> Any:
    """Copy as a tree; what holds itself ends there."""
    if next(budget, None) is None:
        raise UserError(f"its settings hold more than {_SETTINGS:,} values")
    if isinstance(value, Inert):
        state: dict[Any, Any] = value.state if isinstance(value.state, dict) else {}
        value = state.get("_content", state.get("_val", state))
    if isinstance(value, bool | int | float | str):
        return value
    if id(value) in above:
        return None
    above = (*above, id(value))
    if isinstance(value, dict):
        return {str(key): _plain(inner, above, budget) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, above, budget) for inner in value]
    return None
