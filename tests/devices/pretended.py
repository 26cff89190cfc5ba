"""A device that isn't there: tensors on the CPU under the rules of a GPU.

What goes wrong on a GPU is mostly that something was left on the CPU: a prompt, a mask, a table of
positions. Nothing of that shows on a machine without one, unless the rules are applied there too.
:class:`Pretended` does so. Within ``with Pretended("cuda"):`` anything may be put on the device
in the usual ways (``.to("cuda")``, ``device="cuda"``, a module's ``.to``), and is then a
:class:`There`, which

* says that it is on that device, and computes what the CPU computes;
* refuses, as torch does, to be used together with a tensor on the CPU. What torch allows is
  allowed: numbers (tensors without dimensions), indices from the CPU, copies;
* refuses to become a numpy array before it is brought back by ``.cpu()``;
* on "mps", refuses float64 and the antialiased resizing, which torch before 2.7 hasn't there.

Errors are of torch's own kind and wording. What a call of torch does inside, in C++, is not
looked into; what goes into it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import FunctionType
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only

from panoptic.devices import Machine

GIB = 2**30

MOVES = {Tensor.to, Tensor.cuda, Tensor.cpu, Tensor.type_as}
INDEXED = {Tensor.__getitem__, Tensor.__setitem__}
"""Take indices from the CPU as well, which get to the device by themselves."""
SIDE_BY_SIDE = {torch.stack, torch.cat, torch.concat, torch.hstack, torch.vstack}
"""Even numbers must be on the device to get into these."""
FROM_DATA = {torch.tensor, torch.as_tensor, torch.asarray}


class There(Tensor):
    """A tensor on the device of the :class:`Pretended` that is in force."""

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return Pretended.in_force().device

    @property
    def is_cuda(self) -> bool:  # type: ignore[override]
        return self.device.type == "cuda"

    @property
    def is_mps(self) -> bool:  # type: ignore[override]
        return self.device.type == "mps"

    @property
    def is_cpu(self) -> bool:  # type: ignore[override]
        return False

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return Pretended.in_force().apply(func, args, kwargs or {})


class Pretended(TorchFunctionMode):
    """The rules, in force within ``with``. ``device`` is "cuda", "cuda:1" or "mps".

    ``memory`` is what the device has free, in bytes. ``pinned`` holds the tensors that were
    pinned, in whatever thread.
    """

    _current: Pretended | None = None

    def __init__(self, device: str = "cuda", memory: int = 8 * GIB) -> None:
        super().__init__()
        asked = torch.device(device)
        self.device = torch.device(asked.type, asked.index or 0)
        self.memory = memory
        self.pinned: list[Tensor] = []
        self._gpus = self.device.index + 1 if self.device.type == "cuda" else 0
        self._patches = ExitStack()

    @classmethod
    def in_force(cls) -> Pretended:
        assert cls._current, "a tensor on a pretended device is used outside of Pretended"
        return cls._current

    def __enter__(self) -> Pretended:
        assert Pretended._current is None, "one pretended device at a time"
        answers: list[tuple[Any, str, Callable]] = [
            (torch.cuda, "mem_get_info", lambda device=None: (self.memory, self.memory)),
            (torch.cuda, "memory_reserved", lambda device=None: 0),
            (torch.cuda, "memory_allocated", lambda device=None: 0),
            (torch.mps, "recommended_max_memory", lambda: self.memory),
            (torch.mps, "current_allocated_memory", lambda: 0),
            (Machine, "here", lambda: Machine(self._gpus, self.device.type == "mps")),
            (Tensor, "pin_memory", lambda tensor: self._pin(tensor)),  # in any thread
        ]
        for owner, name, answer in answers:
            self._patches.enter_context(mock.patch.object(owner, name, answer, create=True))
        Pretended._current = self
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        Pretended._current = None
        self._patches.close()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.apply(func, args, kwargs or {})

    def apply(self, func: Callable, args: tuple, kwargs: Mapping[str, Any]) -> Any:
        """What a function of torch does on this device, or the error that it raises."""
        with torch._C.DisableTorchFunction():
            if func in MOVES:
                return self._move(func, args, dict(kwargs))
            if func is Tensor.__iter__:
                return iter([self._wrap(t) if _is_there(args[0]) else t for t in args[0].unbind()])
            if getattr(func, "__name__", "") == "_has_compatible_shallow_copy_type":
                return False  # else a module would put the new values into the old CPU tensor
            if kwargs.get("device") is not None:
                return self._make(func, args, dict(kwargs))
            tensors = _tensors((args, kwargs))
            if not any(_is_there(t) for t in tensors):
                return func(*args, **kwargs)
            self._check(func, args, kwargs, tensors)
            answer = _call(func, args, kwargs)
            first = args[0] if args else None
            if func is Tensor.copy_ and not _is_there(first):
                return first  # brought back
            if func in FROM_DATA and not _is_there(first):
                return answer  # from a list of numbers, wherever these are
            if isinstance(answer, Tensor):
                return self._wrap(answer)
            return tree_map_only(Tensor, self._wrap, answer)

    def _check(
        self, func: Callable, args: tuple, kwargs: Mapping[str, Any], tensors: list[Tensor]
    ) -> None:
        if func in (Tensor.numpy, Tensor.__array__):
            raise TypeError(
                f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() to "
                "copy the tensor to host memory first."
            )
        if func is interpolate and kwargs.get("antialias") and self.device.type == "mps":
            raise NotImplementedError(
                "The operator 'aten::_upsample_bilinear2d_aa.out' is not currently implemented "
                "for the MPS device."
            )
        if func is Tensor.copy_ or func in FROM_DATA:
            return
        if func in INDEXED and _is_there(args[0]):
            by_tensors = bool(_tensors(args[1]))
            # What is put into a slice is copied, from wherever it is.
            tensors = _tensors(args[2:]) if by_tensors else []
        for tensor in tensors:
            is_number = tensor.ndim == 0 and func not in SIDE_BY_SIDE
            if not _is_there(tensor) and not is_number:
                raise RuntimeError(
                    "Expected all tensors to be on the same device, but found at least two "
                    f"devices, {self.device} and cpu! (in {getattr(func, '__name__', func)}: "
                    f"{[*tensor.shape]} is on the CPU)"
                )

    def _make(self, func: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
        """A function that says where its answer is to be."""
        here = self._is_this(kwargs["device"])
        kwargs["device"] = torch.device("cpu") if here else kwargs["device"]
        answer = _call(func, args, kwargs)
        # From an array this is a view on a CPU, and never on a device.
        return self._wrap(answer.clone() if func in FROM_DATA else answer) if here else answer

    def _move(self, func: Callable, args: tuple, kwargs: dict[str, Any]) -> Tensor:
        tensor, *rest = args
        if func is Tensor.type_as or (rest and isinstance(rest[0], Tensor)):
            other = rest.pop(0)
            kwargs = {"dtype": other.dtype, **kwargs}
            device: Any = other.device
        elif func is Tensor.to:
            device = kwargs.pop("device", None)
            if rest and (rest[0] is None or isinstance(rest[0], (str, int, torch.device))):
                device = rest.pop(0)
                # On "meta" there are no values, and modules made there are filled later.
                here = device is None or self._is_this(device)
                rest = [torch.Tensor.device.__get__(tensor) if here else device, *rest]
            elif device is not None and not self._is_this(device):
                kwargs["device"] = device
        else:
            device = func.__name__
            rest = []
        before = _is_there(tensor)
        after = before if device is None else self._is_this(device)
        plain = tensor.as_subclass(Tensor) if before else tensor
        moved = plain.to(*rest, **kwargs) if rest or kwargs else plain
        if moved is plain:
            if before == after:
                return tensor
            moved = plain.clone()
        return self._wrap(moved) if after else moved

    def _is_this(self, device: Any) -> bool:
        asked = torch.device(device)
        if asked.type in ("cpu", "meta"):
            return False
        if asked.type != self.device.type or asked.index not in (None, self.device.index):
            raise RuntimeError(f"invalid device {asked}: there is {self.device}")
        return True

    def _wrap(self, tensor: Tensor) -> Tensor:
        if _is_there(tensor):
            return tensor  # what an in-place function was given
        if self.device.type == "mps" and tensor.dtype == torch.float64:
            raise TypeError(
                "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't "
                "support float64. Please use float32 instead."
            )
        return tensor.as_subclass(There)

    def _pin(self, tensor: Tensor) -> Tensor:
        if _is_there(tensor):
            raise RuntimeError(f"cannot pin '{self.device}' memory, only CPU memory can be pinned")
        self.pinned.append(tensor)
        return tensor


def _is_there(value: Any) -> bool:
    return isinstance(value, There)


def _tensors(value: Any) -> list[Tensor]:
    """All in a value, and in lists, tuples and dictionaries of values."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, (tuple, list)):
        return [tensor for part in value for tensor in _tensors(part)]
    return []


def _call(func: Callable, args: tuple, kwargs: Mapping[str, Any]) -> Any:
    """Functions written in Python look at their arguments' device themselves: to them, the CPU."""
    if isinstance(func, FunctionType):
        args, kwargs = tree_map_only(There, lambda t: t.as_subclass(Tensor), (args, dict(kwargs)))
    return func(*args, **kwargs)
