"""A compute shader over arrays."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping, Sequence
from operator import index
from typing import Any

import numpy as np

from ..adapters import gpu
from ..flags import BufferUsage, ShaderStage

__all__ = ["compute_with_buffers"]

_BYTES = {"b": 1, "B": 1, "h": 2, "H": 2, "e": 2, "i": 4, "I": 4, "f": 4}


class _Output:
    """What an output is to be: how many bytes, and what is made of them."""

    def __init__(self, binding: int, wanted: Any) -> None:
        self.type: type[ctypes.Array[Any]] | None = None
        self.format = "B"
        if isinstance(wanted, str) and "x" in wanted:
            wanted = tuple(wanted.split("x"))
        if isinstance(wanted, bool):
            raise TypeError(f"argument 'output_arrays': {binding} is {wanted!r}; expected bytes, a shape or a ctypes array")
        if isinstance(wanted, int):
            self.shape: tuple[int, ...] = (wanted,)
        elif isinstance(wanted, tuple):
            self.format = wanted[-1] if wanted else ""
            if self.format not in _BYTES:
                raise ValueError(f"argument 'output_arrays': {binding} ends with {self.format!r}; expected one of {', '.join(_BYTES)}")
            try:
                self.shape = tuple(int(length) for length in wanted[:-1])
            except (TypeError, ValueError):
                raise ValueError(f"argument 'output_arrays': {binding} is {wanted!r}; expected lengths, then a format") from None
        elif isinstance(wanted, type) and issubclass(wanted, ctypes.Array):
            self.type = wanted
            self.shape = (ctypes.sizeof(wanted),)
        else:
            raise TypeError(f"argument 'output_arrays': {binding} is {wanted!r}; expected bytes, a shape with a format, or a ctypes array")
        if not self.shape or min(self.shape) <= 0:
            raise ValueError(f"argument 'output_arrays': {binding} has the shape {self.shape}; expected lengths above 0")
        self.bytes = math.prod(self.shape) * _BYTES[self.format]

    @property
    def length(self) -> int:
        """How many of them there are."""
        return len(self.type()) if self.type is not None else self.shape[0]

    def of(self, memory: memoryview) -> Any:
        """Make it of its bytes."""
        if self.type is not None:
            return self.type.from_buffer(memory)
        if self.format == "e":
            # `cast` knows it from Python 3.12 on.
            return np.frombuffer(memory, np.float16).reshape(self.shape).data
        return memory.cast(self.format, self.shape)  # type: ignore[call-overload]


def _counts(n: Any) -> tuple[int, ...]:
    """One number, or several."""
    try:
        return tuple(index(count) for count in ((n,) if hasattr(n, "__index__") else n))
    except TypeError:
        raise TypeError(f"argument 'n': expected one to three ints, got {n!r}") from None


def _memory(binding: int, array: Any) -> memoryview:
    """Where an input lies."""
    try:
        return memoryview(array)
    except TypeError:
        raise TypeError(
            f"argument 'input_arrays': {binding} is {array!r}; expected an array, or what else has the buffer protocol"
        ) from None


def compute_with_buffers(
    input_arrays: Mapping[int, Any],
    output_arrays: Mapping[int, Any],
    shader: str | bytes,
    constants: Mapping[str, float] | None = None,
    n: int | Sequence[int] | None = None,
) -> dict[int, Any]:
    """Run a compute shader over arrays, each a storage buffer of `@group(0)`, and return what is in the outputs afterwards.

    `input_arrays` has arrays, or what else has the buffer protocol, by their bindings. `output_arrays` says for each output what it is:
    bytes, a shape that ends with a format of `memoryview.cast` (`(100, "f")`, `"4x5xi"`), or a type of ctypes' arrays. What is no output
    is read-only in the shader; what is both begins with the input. `n` is how many workgroups there are, up to three numbers: the length
    of the first output, unless told. `constants` sets the shader's overrides.
    """
    if not isinstance(input_arrays, Mapping) or not isinstance(output_arrays, Mapping):
        raise TypeError("arguments 'input_arrays' and 'output_arrays': expected dicts")
    if not output_arrays:
        raise TypeError("argument 'output_arrays': expected at least one output")
    for name, arrays in (("input_arrays", input_arrays), ("output_arrays", output_arrays)):
        for binding in arrays:
            if not isinstance(binding, int):
                raise TypeError(f"argument {name!r}: expected bindings, which are ints, got {binding!r}")
    inputs = {binding: _memory(binding, array) for binding, array in input_arrays.items()}
    outputs = {binding: _Output(binding, wanted) for binding, wanted in output_arrays.items()}
    for binding, output in outputs.items():
        if binding in inputs and inputs[binding].nbytes != output.bytes:
            raise ValueError(f"output {binding} has {output.bytes} bytes, but as an input {inputs[binding].nbytes}")
    counts = _counts(next(iter(outputs.values())).length if n is None else n)
    if not 1 <= len(counts) <= 3 or min(counts) < 1 or max(counts) >= 1 << 32:
        raise ValueError(f"argument 'n': expected one to three numbers above 0, got {n!r}")

    device = gpu.request_adapter_sync().request_device_sync()
    buffers = {}
    layout = []
    for binding in sorted({*inputs, *outputs}):
        usage = BufferUsage.STORAGE | BufferUsage.COPY_SRC
        if binding in inputs:
            buffers[binding] = device.create_buffer_with_data(data=inputs[binding], usage=usage)
        else:
            size = -(-outputs[binding].bytes // 4) * 4
            buffers[binding] = device.create_buffer(size=size, usage=usage)
        access = "storage" if binding in outputs else "read-only-storage"
        layout.append({"binding": binding, "visibility": ShaderStage.COMPUTE, "buffer": {"type": access}})
    group_layout = device.create_bind_group_layout(entries=layout)  # type: ignore[arg-type]
    group = device.create_bind_group(
        layout=group_layout,
        entries=[{"binding": binding, "resource": buffer} for binding, buffer in buffers.items()],
    )
    pipeline = device.create_compute_pipeline(
        layout=device.create_pipeline_layout(bind_group_layouts=[group_layout]),
        compute={"module": device.create_shader_module(code=shader), "constants": dict(constants or {})},
    )
    encoder = device.create_command_encoder()
    commands = encoder.begin_compute_pass()
    commands.set_pipeline(pipeline)
    commands.set_bind_group(0, group)
    commands.dispatch_workgroups(*counts)
    commands.end()
    device.queue.submit([encoder.finish()])
    read = device.queue.read_buffer
    return {binding: output.of(read(buffers[binding], 0, output.bytes)) for binding, output in outputs.items()}
