"""Pickles of strangers, read without running anything of theirs.

A pickle is a program that may call any function. This reader knows containers, numbers, texts and
NumPy arrays, and refuses everything else by name before it is called.
"""

from __future__ import annotations

import collections
import io
import pickle
from typing import Any

import numpy as np

from usearch.errors import InputError

_ARRAY_BUILDERS = {
    "_reconstruct": np.empty(0).__reduce__()[0],
    "scalar": np.float32(0).__reduce__()[0],
}
"""What pickles of arrays and of their numbers call; NumPy has moved its home."""


def _latin1(text: str, encoding: str = "latin1") -> bytes:
    """What old pickles of bytes call: no other codec is needed, and some codecs unpack archives."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"the encoding {encoding!r}")
    return text.encode("latin1")


_KNOWN: dict[tuple[str, str], Any] = {
    ("_codecs", "encode"): _latin1,
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    **{("builtins", kind.__name__): kind for kind in (set, frozenset, bytearray, complex)},
    **{
        (module, name): builder
        for module in ("numpy.core.multiarray", "numpy._core.multiarray")
        for name, builder in _ARRAY_BUILDERS.items()
    },
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """One of the few names that plain data needs."""
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


def read_pickle(data: bytes, where: str) -> Any:
    """The plain data of a pickle.

    Raises:
        InputError: It is broken, or holds anything but containers, numbers, texts and arrays.
    """
    try:
        return _Unpickler(io.BytesIO(data)).load()
    except Exception as error:  # broken pickles raise anything
        raise InputError(
            f"{where} cannot be read as a pickle of plain data: {error}",
            "save it as Parquet or json: a pickle that needs more could run any program",
        ) from error
