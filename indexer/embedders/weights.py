"""Reading weight files without running anything that is in them.

Three containers are read: safetensors; torch's own zip or pickle through the weights-only
loader; and TorchScript archives (the form of OpenAI's CLIP files), of which only the tensors
are taken. A file that asks for anything else to be called is refused.
"""

from __future__ import annotations

import pickle
import struct
import warnings
import zipfile
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from usearch.errors import ModelError

State = dict[str, Tensor]

_DAMAGED = (
    RuntimeError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
    SafetensorError,
)
"""What the loaders raise on damaged bytes, by experience of flipping and cutting them."""

_STORAGES: dict[str, torch.dtype] = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "BoolStorage": torch.bool,
    "ByteStorage": torch.uint8,
}


def read_weights(path: Path) -> State:
    """Tensors of a weight file by name, on the CPU.

    A checkpoint that keeps them under "state_dict" or "model" is unwrapped, and the
    "module." that data-parallel training puts before each name is taken off.

    Raises:
        ModelError: The file is missing, damaged, not a weight file, or holds anything
            beyond tensors and plain values.
    """
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        if is_torchscript(path):
            return read_torchscript(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of torch, about odd pickles; they are refused below.
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path} is refused: it holds more than weights, or is damaged",
            "loading it would run code from the file; get the published weights instead",
        ) from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error
    except _DAMAGED as error:
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise ModelError(
            f"{path} is not a weight file, or is damaged: {reason}",
            "get the file again; `usearch models verify` checks those that are published",
        ) from error
    return _unwrapped(loaded, path)


def _unwrapped(loaded: Any, path: Path) -> State:
    for key in ("state_dict", "model"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if not isinstance(loaded, dict):
        raise ModelError(f"{path} holds no tensors by name")
    state = {str(k): v for k, v in loaded.items() if isinstance(v, Tensor)}
    if not state:
        raise ModelError(f"{path} holds no tensors by name")
    if all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    return state


def load_into(module: nn.Module, state: State, path: Path, *, ignore_extra: bool = False) -> None:
    """Copy tensors into a module, all of them and nothing else.

    Args:
        module: Takes the tensors.
        state: Tensors by name.
        path: Where they come from, for the message.
        ignore_extra: Leave out tensors that the module does not know.

    Raises:
        ModelError: Names or shapes do not fit the module.
    """
    own = module.state_dict()
    absent = [name for name in own if name not in state]
    extra = [] if ignore_extra else [name for name in state if name not in own]
    wrong = [n for n in own if n in state and own[n].shape != state[n].shape]
    for what, names in (("lacks", absent), ("has unknown", extra), ("has misshapen", wrong)):
        if names:
            raise ModelError(
                f"{path} {what} {names[0]}" + (f" and {len(names) - 1} more" * (len(names) > 1)),
                "it is not a file of this architecture",
            )
    module.load_state_dict({name: state[name] for name in own})


def is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript archive."""
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


def read_torchscript(path: Path) -> State:
    """Tensors of a TorchScript archive by the dotted names of its modules' attributes.

    The archive's code is not touched: its pickle is read with an unpickler that knows
    tensors and bare objects and refuses everything else.

    Raises:
        pickle.UnpicklingError: The archive asks for something else to be called.
        RuntimeError, ValueError, LookupError, ...: The archive is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        root = next((n for n in archive.namelist() if n.endswith("/data.pkl")), "").rpartition("/")[
            0
        ]
        with archive.open(f"{root}/data.pkl") as file:
            module = _TensorUnpickler(file, archive, root).load()
    state: State = {}
    _collect(module, "", state)
    return state


class _ScriptObject:
    """Stands in for a module of the archive: attributes only."""


def _collect(module: object, prefix: str, state: State) -> None:
    for name, value in vars(module).items():
        if isinstance(value, Tensor):
            state[prefix + name] = value
        elif isinstance(value, _ScriptObject):
            _collect(value, f"{prefix}{name}.", state)


def _rebuild_tensor(
    storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> Tensor:
    return torch.as_strided(storage, size, stride, offset)


def _plain(value: object, *_: object) -> object:
    return value


class _TensorUnpickler(pickle.Unpickler):
    """Builds tensors and bare objects from an archive's pickle, and nothing else."""

    def __init__(self, file: Any, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(file)
        self._archive = archive
        self._root = root

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "__torch__":
            return _ScriptObject
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch.jit._pickle" and name in _PLAIN_LISTS:
            return _plain
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise pickle.UnpicklingError(f"it calls {module}.{name}")

    def persistent_load(self, pid: Any) -> Tensor:
        kind, dtype, key, _device, count = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype) or not str(key).isdecimal():
            raise pickle.UnpicklingError("it refers to something other than a storage")
        raw = bytearray(self._archive.read(f"{self._root}/data/{key}"))
        if not raw:
            return torch.empty(0, dtype=dtype)
        storage = torch.frombuffer(raw, dtype=dtype)
        if storage.numel() != count:
            raise pickle.UnpicklingError(
                f"storage {key} has {storage.numel()} numbers, not {count}"
            )
        return storage


_PLAIN_LISTS = frozenset(
    {"build_intlist", "build_doublelist", "build_boollist", "build_tensorlist", "restore_type_tag"}
)
