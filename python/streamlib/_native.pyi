# Made by scripts/python-stubs from the Rust source. Do not edit.
import collections.abc
import typing

import numpy
import numpy.typing

import streamlib.webgpu

"""
The native half of `streamlib`. Import `streamlib` instead.
"""

from typing import Any, Final, SupportsFloat, SupportsIndex, final

from _typeshed import SupportsGetItem
from typing_extensions import disjoint_base

__all__ = [
    "VERSION",
    "Adapter",
    "BindGroup",
    "BindGroupLayout",
    "Buffer",
    "BuiltIn",
    "CommandBuffer",
    "CommandEncoder",
    "ComputePass",
    "ComputePipeline",
    "Declaration",
    "Device",
    "GpuContext",
    "Graph",
    "Kernel",
    "Mapping",
    "Object",
    "PipelineLayout",
    "Pixels",
    "QuerySet",
    "Queue",
    "ReadBack",
    "Sampler",
    "ShaderModule",
    "SignalPipe",
    "Texture",
    "TextureView",
    "VideoFrame",
    "adapters",
    "attachments_elsewhere",
    "cameras",
    "close",
    "descriptors",
    "gpu",
    "gpu_objects",
    "has_screen",
    "live_objects",
    "next_log",
    "python_threads",
    "set_log_level",
    "stop_logging",
    "trace_frames",
]

VERSION: Final[str]

@final
class Adapter:
    """
    A GPU, or a driver that computes on the CPU.
    """
    def __repr__(self, /) -> str: ...
    @property
    def features(self, /) -> set[str]:
        """
        What it can do beyond what every adapter can: `"timestamp-query"`.
        """
    @property
    def info(self, /) -> Any:
        """
        What is known of it.
        """
    @property
    def limits(self, /) -> dict[str, int]:
        """
        How much it can do, by name: `"max-texture-dimension-2d"`.
        """
    def request_device_async(
        self,
        /,
        *,
        label: str = "",
        required_features: collections.abc.Iterable[str] | None = None,
        required_limits: dict[str, int | None] | None = None,
        default_queue: typing.Any = None,
    ) -> streamlib.webgpu.Promise[Device]:
        """
        The same, to be awaited.
        """
    def request_device_sync(
        self,
        /,
        *,
        label: str = "",
        required_features: collections.abc.Iterable[str] | None = None,
        required_limits: dict[str, int | None] | None = None,
        default_queue: typing.Any = None,
    ) -> Device:
        """
        The device of the process, opened on this adapter if none was opened yet. `default_queue` is what it always is.

        There is one: graphs and frames are on it. Raises `streamlib.BusyError` if it is open on another adapter, and
        `streamlib.UnsupportedError` if it was opened without a feature, or has less of something, than is asked for: ask before the first graph or call that
        needs the GPU.
        """
    @property
    def summary(self, /) -> str:
        """
        Its name, its kind and the API through which it is used, in a line.
        """

@final
class BindGroup(Object):
    """
    What a shader is given: buffers, textures and samplers, all of which it keeps alive.
    """

@final
class BindGroupLayout(Object):
    """
    Of which types the members of a bind group are.
    """

@final
class Buffer(Object):
    """
    Bytes on the GPU.

    With `MAP_READ` or `MAP_WRITE`, the CPU can have its memory for a while: `map_sync`, then `read_mapped` or `write_mapped`, then `unmap`. Others are
    written and read by the queue.
    """
    def __repr__(self, /) -> str: ...
    def destroy(self, /) -> None:
        """
        Frees its memory now, whoever refers to it; whatever is submitted with it from then on is refused.
        """
    def get_mapped_range(self, /, offset: SupportsIndex = 0, size: SupportsIndex | None = None) -> memoryview:
        """
        The mapped memory, or a part of it, as a memoryview that `unmap` releases: to be written, or, if it is mapped for reading, read-only.
        """
    def map_async(self, /, mode: int | str, offset: SupportsIndex = 0, size: SupportsIndex | None = None) -> streamlib.webgpu.Promise[None]:
        """
        The same, at once: `await` what is returned, or call its `sync_wait`.
        """
    @property
    def map_state(self, /) -> str:
        """
        `unmapped`, `pending` or `mapped`.
        """
    def map_sync(self, /, mode: int | str, offset: SupportsIndex = 0, size: SupportsIndex | None = None) -> None:
        """
        Maps the memory, or a part of it, for `"READ"` or `"WRITE"`. Blocks, without the interpreter's lock, until the GPU has done what was submitted
        with it. The offset is a multiple of 8, the size of 4.
        """
    def read_mapped(
        self, /, buffer_offset: SupportsIndex | None = None, size: SupportsIndex | None = None, *, copy: bool = True
    ) -> memoryview:
        """
        The mapped bytes, or a part of them: to be kept, or, with `copy=False`, a read-only memoryview that `unmap` releases.
        """
    @property
    def size(self, /) -> int:
        """
        In bytes.
        """
    def unmap(self, /) -> None:
        """
        Gives the memory back to the GPU, with what was written to it. Memoryviews of it are released; arrays that were made from those keep their
        bytes, which are the buffer's no more.
        """
    @property
    def usage(self, /) -> int:
        """
        What it may be used for: `BufferUsage` flags.
        """
    def write_mapped(self, /, data: typing.Any, buffer_offset: SupportsIndex | None = None) -> None:
        """
        Writes to the mapped bytes: a multiple of 4 bytes, to an offset that is one of 8.
        """

@disjoint_base
class BuiltIn:
    """
    A processor that comes with streamlib. Use its classes: `streamlib.Camera` and the others.
    """
    def __new__(cls, /, name: str, parameters: Any) -> BuiltIn: ...
    @property
    def _name(self, /) -> str:
        """
        Its name in graphs.
        """
    @property
    def _parameters(self, /) -> Any:
        """
        The parameters that were given.
        """

@final
class CommandBuffer(Object):
    """
    Commands that can be submitted once.
    """

@final
class CommandEncoder(Object):
    """
    Records commands. `finish` makes a command buffer of them, which the queue takes.
    """
    def begin_compute_pass(
        self, /, *, label: str = "", timestamp_writes: streamlib.webgpu.ComputePassTimestampWrites | None = None
    ) -> ComputePass:
        """
        Begins a compute pass. Nothing else can be recorded before it has ended.
        """
    def clear_buffer(self, /, buffer: Buffer, offset: SupportsIndex = 0, size: SupportsIndex | None = None) -> None:
        """
        Zeroes a part of a buffer: all from `offset` on, unless told. Both are multiples of 4.
        """
    def copy_buffer_to_buffer(
        self,
        /,
        source: Buffer,
        source_offset: SupportsIndex,
        destination: Buffer,
        destination_offset: SupportsIndex,
        size: SupportsIndex | None = None,
    ) -> None:
        """
        Copies bytes from buffer to buffer: all that fit, unless told. Offsets and size are multiples of 4.
        """
    def copy_buffer_to_texture(
        self,
        /,
        source: streamlib.webgpu.TexelCopyBufferInfo,
        destination: streamlib.webgpu.TexelCopyTextureInfo,
        copy_size: streamlib.webgpu.Extent3D,
    ) -> None:
        """
        Copies texels from a buffer, whose rows begin at multiples of 256 bytes, to a texture.
        """
    def copy_texture_to_buffer(
        self,
        /,
        source: streamlib.webgpu.TexelCopyTextureInfo,
        destination: streamlib.webgpu.TexelCopyBufferInfo,
        copy_size: streamlib.webgpu.Extent3D,
    ) -> None:
        """
        Copies texels from a texture to a buffer, whose rows begin at multiples of 256 bytes.
        """
    def copy_texture_to_texture(
        self,
        /,
        source: streamlib.webgpu.TexelCopyTextureInfo,
        destination: streamlib.webgpu.TexelCopyTextureInfo,
        copy_size: streamlib.webgpu.Extent3D,
    ) -> None:
        """
        Copies texels from texture to texture.
        """
    def finish(self, /, *, label: str = "") -> CommandBuffer:
        """
        The commands, to be submitted. Mistakes in them show here. Nothing can be recorded afterwards.
        """
    def insert_debug_marker(self, /, marker_label: str) -> None:
        """
        Marks a place among the commands, for debuggers.
        """
    def pop_debug_group(self, /) -> None:
        """
        Ends it.
        """
    def push_debug_group(self, /, group_label: str) -> None:
        """
        Begins a group of commands, for debuggers.
        """
    def resolve_query_set(
        self,
        /,
        query_set: QuerySet,
        first_query: SupportsIndex,
        query_count: SupportsIndex,
        destination: Buffer,
        destination_offset: SupportsIndex,
    ) -> None:
        """
        Writes what queries have found to a buffer, 8 bytes each.
        """

@final
class ComputePass(Object):
    """
    Records dispatches of compute shaders, until it is ended.
    """
    def dispatch_workgroups(
        self, /, workgroup_count_x: SupportsIndex, workgroup_count_y: SupportsIndex = 1, workgroup_count_z: SupportsIndex = 1
    ) -> None:
        """
        Runs the shader in so many workgroups.
        """
    def dispatch_workgroups_indirect(self, /, indirect_buffer: Buffer, indirect_offset: SupportsIndex) -> None:
        """
        The same, as often as three numbers in a buffer say.
        """
    def end(self, /) -> None:
        """
        Ends it: its encoder can record again.
        """
    def insert_debug_marker(self, /, marker_label: str) -> None:
        """
        Marks a place among the commands, for debuggers.
        """
    def pop_debug_group(self, /) -> None:
        """
        Ends it.
        """
    def push_debug_group(self, /, group_label: str) -> None:
        """
        Begins a group of commands, for debuggers.
        """
    def set_bind_group(
        self,
        /,
        index: SupportsIndex,
        bind_group: BindGroup | None,
        dynamic_offsets_data: SupportsGetItem[int, SupportsIndex] | None = None,
        dynamic_offsets_data_start: SupportsIndex | None = None,
        dynamic_offsets_data_length: SupportsIndex | None = None,
    ) -> None:
        """
        What the shader's `@group(index)` is from now on. Of `dynamic_offsets_data`, a part can be named by its begin and its length.
        """
    def set_immediates(
        self, /, range_offset: SupportsIndex, data: typing.Any, data_offset: SupportsIndex = 0, data_size: SupportsIndex | None = None
    ) -> None:
        """
        Sets bytes of the pipeline's immediate data.
        """
    def set_pipeline(self, /, pipeline: ComputePipeline) -> None:
        """
        The pipeline of the dispatches that follow.
        """

@final
class ComputePipeline(Object):
    """
    A shader that can be dispatched.
    """
    def get_bind_group_layout(self, /, index: SupportsIndex) -> BindGroupLayout:
        """
        The layout of `@group(index)`: with the layout `"auto"`, the one to make bind groups with.
        """

@final
class Declaration:
    """
    What the engine knows of a class of processors.
    """
    def __new__(
        cls,
        /,
        name: str,
        inputs: collections.abc.Sequence[typing.Any],
        outputs: collections.abc.Sequence[typing.Any],
        *,
        returns: str,
        parameters: str,
        has_setup: bool,
        has_teardown: bool,
        rate: str | None,
        wgsl: str | None,
        has_uniform: bool,
        on_failure: str,
        place: tuple[str, SupportsIndex] | None,
    ) -> Declaration: ...
    def check(self, /, values: str) -> None:
        """
        Refuses values of parameters that cannot be: names, types, ranges. `values` is a JSON object.
        """
    @property
    def fields(self, /) -> list[str]:
        """
        The attributes that a pixel shader takes its parameters from, if no method says them.
        """
    @property
    def parameters(self, /) -> Any:
        """
        The parameters, as the descriptors of built-in processors have them.
        """

@final
class Device(Object):
    """
    The GPU device of the process: frames and graphs are on it, too. It makes everything else.
    """
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    @property
    def adapter(self, /) -> Adapter:
        """
        The adapter that it is of.
        """
    @property
    def adapter_info(self, /) -> Any:
        """
        What is known of the adapter.
        """
    def create_bind_group(
        self, /, *, label: str = "", layout: BindGroupLayout, entries: collections.abc.Sequence[streamlib.webgpu.BindGroupEntry]
    ) -> BindGroup:
        """
        A bind group: what a shader is given, all of which it keeps alive.
        """
    def create_bind_group_layout(
        self, /, *, label: str = "", entries: collections.abc.Sequence[streamlib.webgpu.BindGroupLayoutEntry]
    ) -> BindGroupLayout:
        """
        The layout of a bind group.
        """
    def create_buffer(self, /, *, label: str = "", size: SupportsIndex, usage: int | str, mapped_at_creation: bool = False) -> Buffer:
        """
        A buffer of zeros. With `mapped_at_creation`, `write_mapped` and `unmap` give it other contents.
        """
    def create_buffer_with_data(self, /, *, label: str = "", data: typing.Any, usage: int | str) -> Buffer:
        """
        A buffer with the bytes of an array, or of what else has the buffer protocol.
        """
    def create_command_encoder(self, /, *, label: str = "") -> CommandEncoder:
        """
        Records commands.
        """
    def create_compute_pipeline(
        self, /, *, label: str = "", layout: PipelineLayout | str, compute: streamlib.webgpu.ProgrammableStage
    ) -> ComputePipeline:
        """
        A compute pipeline. `layout` is a `PipelineLayout`, or `"auto"`: then the shader says it.
        """
    def create_compute_pipeline_async(
        self, /, *, label: str = "", layout: PipelineLayout | str, compute: streamlib.webgpu.ProgrammableStage
    ) -> streamlib.webgpu.Promise[ComputePipeline]:
        """
        The same, to be awaited.
        """
    def create_pipeline_layout(
        self, /, *, label: str = "", bind_group_layouts: SupportsGetItem[int, BindGroupLayout | None], immediate_size: SupportsIndex = 0
    ) -> PipelineLayout:
        """
        The layout of a pipeline: that of each of its bind groups, and how many bytes of immediate data there are.
        """
    def create_query_set(self, /, *, label: str = "", type: str, count: SupportsIndex) -> QuerySet:
        """
        A set of queries of a type: `"timestamp"`, if the device has the feature `"timestamp-query"`, or `"occlusion"`.
        """
    def create_sampler(
        self,
        /,
        *,
        label: str = "",
        address_mode_u: str = "clamp-to-edge",
        address_mode_v: str = "clamp-to-edge",
        address_mode_w: str = "clamp-to-edge",
        mag_filter: str = "nearest",
        min_filter: str = "nearest",
        mipmap_filter: str = "nearest",
        lod_min_clamp: SupportsFloat | SupportsIndex = 0.0,
        lod_max_clamp: SupportsFloat | SupportsIndex = 32.0,
        compare: str | None = None,
        max_anisotropy: SupportsIndex = 1,
    ) -> Sampler:
        """
        A sampler.
        """
    def create_shader_module(self, /, *, label: str = "", code: str | bytes, compilation_hints: typing.Any = None) -> ShaderModule:
        """
        A shader: WGSL, GLSL of a compute shader (which says `#version`), or SPIR-V (which is bytes).

        Mistakes in it raise `streamlib.GpuError`; WGSL's and GLSL's with line, column and text. Hints are not needed.
        """
    def create_texture(
        self,
        /,
        *,
        label: str = "",
        size: streamlib.webgpu.Extent3D,
        mip_level_count: SupportsIndex = 1,
        sample_count: SupportsIndex = 1,
        dimension: str = "2d",
        format: str,
        usage: int | str,
        view_formats: collections.abc.Sequence[str] | None = None,
    ) -> Texture:
        """
        A texture of zeros.
        """
    def destroy(self, /) -> None:
        """
        Ends the device, once it has done what was submitted. What is done with it or what is of it afterwards raises `streamlib.DeviceLostError`; who needs a GPU then opens another.

        Raises `streamlib.BusyError` while a graph runs on it.
        """
    @property
    def features(self, /) -> set[str]:
        """
        What it can do beyond what every device can.
        """
    @property
    def limits(self, /) -> dict[str, int]:
        """
        How much it can do, by name: `"max-texture-dimension-2d"`.
        """
    @property
    def queue(self, /) -> Queue:
        """
        Where commands are submitted.
        """

@final
class GpuContext:
    """
    The GPU: makes frames and compiles kernels.

    Processors are handed it in `setup`; elsewhere `streamlib.gpu()` gives it. All threads may use it.
    """
    def __repr__(self, /) -> str: ...
    def _statistics(self, /) -> str:
        """
        What the GPU did and holds, as JSON.
        """
    @property
    def adapter(self, /) -> str:
        """
        The adapter's name.
        """
    @property
    def backend(self, /) -> str:
        """
        The API through which it is used: `vulkan`, `metal`, `dx12` or `gl`.
        """
    @property
    def device(self, /) -> Device:
        """
        WebGPU itself, on the same device: `streamlib.webgpu`.
        """
    def frame(self, /, width: SupportsIndex, height: SupportsIndex, format: str = "rgba8") -> VideoFrame:
        """
        A pooled frame whose pixels are undefined. It has the time and the place in the stream of the frame that `process` was given, if it
        was given one.

        Waits up to two seconds, without the interpreter's lock, when the memory budget is used up; then raises
        `streamlib.OutOfMemoryError`, which says who holds what.
        """
    def kernel(
        self,
        /,
        wgsl: str,
        *,
        label: str = "kernel",
        entry_point: str | None = None,
        constants: dict[str, SupportsFloat | SupportsIndex] | None = None,
    ) -> Kernel:
        """
        Compiles a compute shader, or finds it where it was compiled before, whoever asked. The place for it is `setup`.

        `label` names it in errors. `entry_point` chooses among several `@compute` functions, `constants` sets its `override`s. Mistakes in
        the WGSL raise `streamlib.InvalidArgumentError` with line, column and text.
        """
    def wait_idle(self, /, timeout: SupportsFloat | SupportsIndex = 30.0) -> None:
        """
        Blocks until the GPU has done everything that was submitted before this call, without the interpreter's lock.
        """

@final
class Graph:
    """
    Processors and the links between their ports, and their run. `streamlib.Graph` is the face of it.
    """
    def __new__(cls, /) -> Graph: ...
    def add(self, /, processor: Any, name: str | None, declaration: Declaration | None, values: str) -> str:
        """
        Adds a processor and returns its name: `base`, or that with a number behind it if it is taken, where no `name` is given.
        """
    def connect(self, /, from_: str, to: str, delivery: str | None = None) -> None: ...
    def events(self, /) -> list[dict[str, typing.Any]]:
        """
        What happened to the processors of the run: a list of dicts.
        """
    def explain(self, /, *, offline: bool, fusion: bool) -> str:
        """
        How the graph runs, or would run, in words.
        """
    @property
    def is_running(self, /) -> bool:
        """
        Whether a run is under way.
        """
    def leases(self, /) -> list[dict[str, typing.Any]]:
        """
        Which textures, buffers and staging memory are out, and which Python objects hold them: a list of dicts.
        """
    def on_failure(self, /, node: str, reaction: str) -> None: ...
    def parameters(self, /, node: str) -> dict[str, typing.Any]:
        """
        The parameters of a node of the run that is under way, as they were set last.
        """
    def pause(self, /) -> None: ...
    def processors(self, /) -> list[tuple[str, object]]:
        """
        The nodes whose processors are Python's, with these.
        """
    def raise_error(self, /) -> None:
        """
        Raises what ended the last run, if that was an error.
        """
    def raise_unread(self, /) -> None:
        """
        The same, if the run is over and nobody was told yet.
        """
    def refuse_own(self, /) -> None:
        """
        Fails in a call of one of the graph's own processors, which would wait for itself.
        """
    def resume(self, /) -> None: ...
    def set(self, /, node: str, changes: dict[str, typing.Any]) -> None:
        """
        Sets parameters of a node of the run that is under way. `changes` is a JSON object.
        """
    def set_enabled(self, /, node: str, enabled: bool) -> None:
        """
        Switches a filter off or on: in the run that is under way, else in the next.
        """
    def set_values(self, /, values: dict[str, str]) -> None:
        """
        What these are set to when the next run begins, by node, as JSON.
        """
    def start(
        self,
        /,
        *,
        lend: bool,
        offline: bool,
        frames: SupportsIndex | None,
        duration: SupportsFloat | SupportsIndex | None,
        drain_deadline: SupportsFloat | SupportsIndex,
        max_in_flight: SupportsIndex | None,
        fusion: bool,
    ) -> None:
        """
        Starts a run and returns at once. If a processor needs the main thread, which is to be lent, `wait` lends it.
        """
    def statistics(self, /) -> str:
        """
        What the run has done so far, or the last one did, as JSON.
        """
    def steps(self, /) -> int:
        """
        How many steps have made it so far.
        """
    def stop(self, /, drain: bool) -> None:
        """
        Asks the run to end. Returns at once.
        """
    def undo(self, /, steps: SupportsIndex) -> None:
        """
        Goes back to what it was after so many steps.
        """
    def wait(self, /, timeout: SupportsFloat | SupportsIndex | None = None) -> bool:
        """
        Waits until the run is over, without the interpreter's lock; whether it is. Python's signal handlers run meanwhile.
        """

@final
class Kernel:
    """
    A compiled compute shader. Call it with everything that its WGSL declares, by name: frames for textures (or a `webgpu.Texture`, of
    which it has mip level 0 of layer 0), dicts or numbers for uniforms, a `webgpu.Buffer` for storage buffers, `"linear"` or `"nearest"` for samplers (which may be left out).

    The shader is invoked once for each texel of the first texture that it writes; if it writes none, say how often, across and down:
    `kernel(frame.size, src=frame, counts=buffer)`.

    Within a processor's call the work is recorded in the order of the calls and submitted when `process` has returned; elsewhere each call
    is submitted at once.
    """
    def __call__(self, invocations: tuple[SupportsIndex, SupportsIndex] | None = None, /, **bindings: typing.Any) -> None:
        """
        Invokes the shader once for each texel of the first texture that it writes (if there is none, for each element of the first such buffer), or for `invocations` across and down; rounded up to whole
        workgroups, so check the bounds.
        """
    def __repr__(self, /) -> str: ...
    @property
    def bindings(self, /) -> list[str]:
        """
        What it can be given, by name.
        """
    def dispatch_workgroups(self, workgroups: tuple[SupportsIndex, SupportsIndex, SupportsIndex], /, **bindings: typing.Any) -> None:
        """
        Invokes the shader in so many workgroups.
        """
    @property
    def label(self, /) -> str:
        """
        Its name in errors.
        """

@final
class Mapping:
    """
    A buffer's memory on its way to the CPU.
    """
    def wait(self, /) -> None:
        """
        Blocks, without the interpreter's lock, until the memory is the CPU's.
        """

@disjoint_base
class Object:
    """
    What every object of a device is: it has a label, by which errors call it.
    """
    def __repr__(self, /) -> str: ...
    @property
    def label(self, /) -> str:
        """
        What errors call it.
        """

@final
class PipelineLayout(Object):
    """
    The layouts of the bind groups of a pipeline.
    """

@final
class Pixels:
    """
    The pixels of a frame, where the GPU has written them: what is behind an array of `to_numpy`.
    """
    @property
    def __array_interface__(self, /) -> dict[str, Any]:
        """
        numpy's protocol: where the bytes lie. They live as long as this object.
        """

@final
class QuerySet(Object):
    """
    Queries: of the times at which passes begin and end, in nanoseconds.
    """
    @property
    def count(self, /) -> int:
        """
        How many there are.
        """
    def destroy(self, /) -> None:
        """
        Lets go of it: it cannot be used any more.
        """
    @property
    def type(self, /) -> str:
        """
        `timestamp` or `occlusion`.
        """

@final
class Queue(Object):
    """
    Takes commands and data to the GPU, in the order of the calls. Within a processor's call, what its kernels have recorded before comes before.
    """
    def on_submitted_work_done_async(self, /) -> streamlib.webgpu.Promise[None]:
        """
        The same, to be awaited: what is submitted after this call is not waited for.
        """
    def on_submitted_work_done_sync(self, /) -> None:
        """
        Blocks, without the interpreter's lock, until the GPU has done what was submitted before.
        """
    def read_buffer(self, /, buffer: Buffer, buffer_offset: SupportsIndex = 0, size: SupportsIndex | None = None) -> memoryview:
        """
        What is in a buffer that has `COPY_SRC`, or in a part of it. Blocks, without the interpreter's lock, until the GPU has done what was submitted
        before.
        """
    def read_texture(
        self,
        /,
        source: streamlib.webgpu.TexelCopyTextureInfo,
        data_layout: streamlib.webgpu.TexelCopyBufferLayout,
        size: streamlib.webgpu.Extent3D,
    ) -> memoryview:
        """
        What is in a texture that has `COPY_SRC`, or in a part of it: rows as close as they can be, or `bytes_per_row` apart. Blocks like
        `read_buffer`.
        """
    def submit(self, /, command_buffers: collections.abc.Iterable[CommandBuffer]) -> None:
        """
        Submits commands, each once. Does not wait for the GPU.

        A frame's texture that they write is written from then on. If the frame was sent meanwhile, nothing is submitted.
        """
    def write_buffer(
        self,
        /,
        buffer: Buffer,
        buffer_offset: SupportsIndex,
        data: typing.Any,
        data_offset: SupportsIndex = 0,
        size: SupportsIndex | None = None,
    ) -> None:
        """
        Writes data to a buffer that has `COPY_DST`, before what is submitted next: all of it, or `size` bytes from `data_offset` on; a multiple of 4.
        """
    def write_texture(
        self,
        /,
        destination: streamlib.webgpu.TexelCopyTextureInfo,
        data: typing.Any,
        data_layout: streamlib.webgpu.TexelCopyBufferLayout,
        size: streamlib.webgpu.Extent3D,
    ) -> None:
        """
        Writes texels to a texture that has `COPY_DST`, before what is submitted next. Rows lie `bytes_per_row` apart, which may be any number.
        """

@final
class ReadBack:
    """
    Pixels on their way to the CPU. `await` it, or `wait` for it, for an array: as often as one likes.
    """
    def __await__(self, /) -> Any: ...
    @property
    def is_ready(self, /) -> bool:
        """
        Whether `wait` would return at once.
        """
    def wait(self, /, *, copy: bool = False) -> numpy.typing.NDArray[numpy.uint8]:
        """
        The array, as `VideoFrame.to_numpy` gives it. Blocks, without the interpreter's lock, until it is there.
        """

@final
class Sampler(Object):
    """
    How a texture is sampled.
    """

@final
class ShaderModule(Object):
    """
    A compiled shader's source.
    """
    def get_compilation_info_async(self, /) -> streamlib.webgpu.Promise[list[typing.Any]]:
        """
        The same, to be awaited.
        """
    def get_compilation_info_sync(self, /) -> list[typing.Any]:
        """
        What the compiler has to say: nothing. Mistakes are raised where the module is made.
        """

@final
class SignalPipe:
    """
    Where Python's C-level handler writes the number of each signal that has a handler of Python's: of these, the first has the graph drain, the
    second ends the process. Others are the program's.
    """
    def __new__(cls, /, graph: Graph, numbers: collections.abc.Sequence[int]) -> SignalPipe: ...
    def fileno(self, /) -> int:
        """
        For `signal.set_wakeup_fd`.
        """

@final
class Texture(Object):
    """
    Texels on the GPU: the program's own, or the very texture of a frame.

    That of a frame is used like any other; `streamlib` uses it for no other frame while this, or what refers to it, lives. Once the frame was
    sent, it cannot be written; it can never be destroyed, as it is the pool's.
    """
    def __repr__(self, /) -> str: ...
    def create_view(
        self,
        /,
        *,
        label: str = "",
        format: str | None = None,
        dimension: str | None = None,
        usage: int | str | None = None,
        aspect: str = "all",
        base_mip_level: SupportsIndex = 0,
        mip_level_count: SupportsIndex | None = None,
        base_array_layer: SupportsIndex = 0,
        array_layer_count: SupportsIndex | None = None,
    ) -> TextureView:
        """
        A view: of the whole texture, unless told.
        """
    @property
    def depth_or_array_layers(self, /) -> int:
        """
        In texels of a 3D texture, else how many layers there are.
        """
    def destroy(self, /) -> None:
        """
        Frees its memory now, whoever refers to it; whatever is submitted with it from then on is refused.

        Raises `streamlib.InvalidArgumentError` for a frame's texture: it is the pool's.
        """
    @property
    def dimension(self, /) -> str:
        """
        `1d`, `2d` or `3d`.
        """
    @property
    def format(self, /) -> str:
        """
        WebGPU's name of the format: `rgba8unorm`. Frames have `rgba8unorm` or `r8unorm`.
        """
    @property
    def height(self, /) -> int:
        """
        In texels.
        """
    @property
    def mip_level_count(self, /) -> int:
        """
        How many mip levels there are.
        """
    @property
    def sample_count(self, /) -> int:
        """
        How many samples a texel has.
        """
    @property
    def size(self, /) -> tuple[int, int, int]:
        """
        `(width, height, depth_or_array_layers)` in texels. Frames of formats with several planes, or several pixels a texel, have other sizes
        than the picture.
        """
    @property
    def usage(self, /) -> int:
        """
        What it may be used for: `TextureUsage` flags.
        """
    @property
    def width(self, /) -> int:
        """
        In texels.
        """

@final
class TextureView(Object):
    """
    A view of a texture, which it keeps alive.
    """
    @property
    def size(self, /) -> tuple[int, int, int]:
        """
        That of the texture.
        """
    @property
    def texture(self, /) -> Texture:
        """
        The texture that it is of.
        """

@final
class VideoFrame:
    """
    A picture on the GPU: a texture, what its pixels mean, when it was captured and its place in the stream.

    It holds the very texture that the engine holds; no pixel is copied. When the last object that holds it goes, the texture is used again
    for another frame. Once it was sent it cannot be changed: draw into a frame that is `like` it, or `edit` it.
    """
    def __array__(self, /, dtype: typing.Any = None, copy: bool | None = None) -> numpy.typing.NDArray[typing.Any]:
        """
        For `numpy.asarray(frame)`: `to_numpy()`, which waits for the GPU. `copy=False` is refused: the pixels are on the GPU.
        """
    def __dlpack__(self, /, **options: typing.Any) -> typing.Any:
        """
        For `numpy.from_dlpack` and `torch.from_dlpack`: a copy of the pixels on the CPU, `to_numpy(copy=True)`.
        """
    def __dlpack_device__(self, /) -> tuple[int, int]:
        """
        The CPU: `(1, 0)`.
        """
    def __repr__(self, /) -> str: ...
    @property
    def age(self, /) -> float:
        """
        How many seconds ago it was captured, in real time: live and offline alike.
        """
    @property
    def alpha(self, /) -> str:
        """
        How alpha relates to colour: `opaque`, or `premultiplied`.
        """
    @property
    def color(self, /) -> tuple[str, str, str]:
        """
        How its Y'CbCr is to be read, or, for `rgba8`, what it will become: matrix (`bt601`, `bt709`), range (`limited`, `full`) and where
        chroma lies (`left`, `center`).
        """
    def convert(self, /, format: str) -> VideoFrame:
        """
        The same picture in another pixel format: `rgba8`, `i420`, `nv12` or `grey8`. One pass on the GPU.
        """
    @property
    def data(self, /) -> Texture:
        """
        The same as `texture`.
        """
    def edit(self, /) -> VideoFrame:
        """
        The same picture to be changed: this very frame if nothing else holds its texture, else a copy. Others who hold the picture see no
        change. Draw into it with a kernel that writes some of its pixels, or `write` it.
        """
    @property
    def format(self, /) -> str:
        """
        The pixel format: `rgba8`, `yuyv`, `uyvy`, `nv12`, `i420`, `i422`, `i444`, `grey8`, `rgb24` or `bgr24`.
        """
    @staticmethod
    def from_numpy(
        array: numpy.typing.NDArray[typing.Any],
        *,
        format: str | None = None,
        time: SupportsIndex | None = None,
        sequence: SupportsIndex | None = None,
        gpu: GpuContext | None = None,
    ) -> VideoFrame:
        """
        A frame with the pixels of an array of `uint8`.

        `[height, width, 4]` is `rgba8`, `[height, width, 3]` is `rgb24` (say `format="bgr24"` for OpenCV's order), `[height, width]` is
        `grey8`; for other formats see `to_numpy`. One copy, into memory that the GPU reads; rows may lie apart, but the pixels of a row must
        follow each other. `time` is in nanoseconds, `sequence` the place in the stream: by default those of the frame that `process` was given, else 0. `gpu`
        is the process's by default.
        """
    @property
    def gpu(self, /) -> GpuContext:
        """
        The GPU that it is on.
        """
    @property
    def height(self, /) -> int:
        """
        In pixels.
        """
    @property
    def is_ready(self, /) -> bool:
        """
        Whether the GPU has written it.
        """
    def like(self, /, format: str | None = None) -> VideoFrame:
        """
        A pooled frame of the same size, time, sequence number and metadata, its pixels undefined; of the same format, or another.

        Waits up to two seconds, without the interpreter's lock, when the memory budget is used up; then raises
        `streamlib.OutOfMemoryError`, which says who holds what.
        """
    @property
    def metadata(self, /) -> dict[str, Any]:
        """
        What processors have said of the picture beside its pixels, by name. A copy: see `with_metadata`.
        """
    def read_back(self, /) -> ReadBack:
        """
        Starts bringing the pixels to the CPU and returns at once. `await` what is returned, or call its `wait`.
        """
    @property
    def sequence(self, /) -> int:
        """
        Its number in the stream, as its source counts.
        """
    @property
    def size(self, /) -> tuple[int, int]:
        """
        `(width, height)` in pixels.
        """
    @property
    def texture(self, /) -> Texture:
        """
        The texture. As long as somebody holds it, it is not used for another frame.
        """
    @property
    def time(self, /) -> int:
        """
        When it was captured, in nanoseconds on the run's clock. Offline: its place in the medium.
        """
    def to_numpy(self, /, *, copy: bool = False) -> numpy.typing.NDArray[numpy.uint8]:
        """
        The pixels on the CPU: an array of `uint8`, read-only. Waits for the GPU without the interpreter's lock.

        | format | shape |
        |---|---|
        | `rgba8` | `[height, width, 4]`, gamma-encoded; colour is premultiplied where alpha is not 255 |
        | `rgb24`, `bgr24` | `[height, width, 3]` |
        | `yuyv`, `uyvy` | `[height, width rounded up to even, 2]` |
        | `grey8` | `[height, width]` |
        | `nv12`, `i420` | `[even height * 3 / 2, even width]`: the rows of luma, then of chroma (OpenCV's `COLOR_YUV2RGB_NV12`) |
        | `i422` | `[height * 2, even width]`; `i444`: `[height * 3, width]` |

        The array is the memory that the GPU wrote: its rows begin at multiples of 256 bytes. `copy=True` gives a contiguous one that can
        be written, as OpenCV likes it. Arrays may be kept for as long as one likes.
        """
    @property
    def width(self, /) -> int:
        """
        In pixels.
        """
    def with_metadata(self, /, **values: typing.Any) -> VideoFrame:
        """
        The same picture, of which something more is said: values that JSON knows. It goes on to what is made of the picture.
        """
    def with_sequence(self, /, sequence: SupportsIndex) -> VideoFrame:
        """
        The same picture with another number.
        """
    def with_texture(self, /, texture: Texture) -> VideoFrame:
        """
        This frame's description with the pixels of a texture, which must have the same size and format.
        """
    def with_time(self, /, time: SupportsIndex) -> VideoFrame:
        """
        The same picture with another capture time, in nanoseconds.
        """
    def write(self, /, array: numpy.typing.NDArray[typing.Any]) -> None:
        """
        Replaces the pixels by those of an array, which must have the frame's shape; see `from_numpy`.

        Raises `streamlib.InvalidArgumentError` if the frame was sent already.
        """

def adapters() -> list[Adapter]:
    """
    The adapters that can serve, the best first; if the GPU is open, the one that it is on is the first, by whichever name.
    """

def attachments_elsewhere() -> int:
    """
    How often threads of the engine that have no Python to run have taken the interpreter's lock: never.
    """

def cameras() -> list[dict[str, typing.Any]]:
    """
    The cameras that there are: a list of dicts with `index`, `name`, `id` (on Linux the path), `bus` and `serial`, by any of which
    `streamlib.Camera(device=...)` takes one.
    """

def close() -> None:
    """
    Ends what runs, waits for the GPU and lets go of it. What still holds something of it keeps that.
    """

def descriptors() -> list[dict[str, typing.Any]]:
    """
    What there is to know of each built-in processor: a list of dicts with `name`, `summary`, `inputs`, `outputs` and `parameters`.
    """

def gpu(*, adapter: str | None = None, budget_bytes: SupportsIndex | None = None) -> GpuContext:
    """
    The GPU that everything in this process runs on: `streamlib.gpu` is the face of it.
    """

def gpu_objects() -> dict[str, int]:
    """
    How many objects of wgpu's somebody holds, on the GPU that is open: streamlib's own and the program's.
    """

def has_screen() -> bool:
    """
    Whether there is a screen to open a window on, as far as the environment says. Opening one may fail all the same.
    """

def live_objects() -> dict[str, int]:
    """
    How many objects there are of each class, and of what is behind them on the GPU.
    """

def next_log() -> tuple[str, int, str] | None:
    """
    The next record, `(logger, level, message)`, once there is one; `None` when there will be none any more. Waits without the
    interpreter's lock.
    """

def python_threads() -> list[int]:
    """
    The threads that run processors, by what `threading.get_ident` says in them.
    """

def set_log_level(level: SupportsIndex) -> None:
    """
    Says which records Python wants: those of this level of `logging`'s and above.
    """

def stop_logging() -> None:
    """
    Ends the queue: `next_log` gives what is left, then `None`.
    """

def trace_frames(on: bool = True) -> None:
    """
    From now on `leases()` says where Python got each frame. Costs a microsecond a frame.
    """
