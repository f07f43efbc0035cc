# Made by scripts/python-stubs from the Rust source. Do not edit.
import collections.abc
import typing

import numpy
import numpy.typing

"""
The native half of `streamlib`. Import `streamlib` instead.
"""

from typing import Any, Final, SupportsFloat, SupportsIndex, final

from typing_extensions import disjoint_base

__all__ = [
    "VERSION",
    "BuiltIn",
    "Declaration",
    "GpuContext",
    "Graph",
    "Kernel",
    "Pixels",
    "ReadBack",
    "SignalPipe",
    "Texture",
    "TextureView",
    "VideoFrame",
    "attachments_elsewhere",
    "cameras",
    "close",
    "descriptors",
    "gpu",
    "has_screen",
    "live_objects",
    "next_log",
    "python_threads",
    "set_log_level",
    "stop_logging",
    "trace_frames",
]

VERSION: Final[str]

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
    def parameters(self, /) -> Any:
        """
        The parameters, as the descriptors of built-in processors have them.
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
        Starts a run and returns at once; if this thread is lent to a processor that needs the main one, when it is over.
        """
    def statistics(self, /) -> str:
        """
        What the run has done so far, or the last one did, as JSON.
        """
    def stop(self, /, drain: bool) -> None:
        """
        Asks the run to end. Returns at once.
        """
    def wait(self, /, timeout: SupportsFloat | SupportsIndex | None = None) -> bool:
        """
        Waits until the run is over, without the interpreter's lock; whether it is. Python's signal handlers run meanwhile.
        """

@final
class Kernel:
    """
    A compiled compute shader. Call it with everything that its WGSL declares, by name: frames for textures, dicts or numbers for
    uniforms, `"linear"` or `"nearest"` for samplers (which may be left out).

    Within a processor's call the work is recorded in the order of the calls and submitted when `process` has returned; elsewhere each call
    is submitted at once.
    """
    def __call__(self, invocations: tuple[SupportsIndex, SupportsIndex] | None = None, /, **bindings: typing.Any) -> None:
        """
        Invokes the shader once for each texel of the first texture that it writes, or for `invocations` across and down; rounded up to whole
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
class ReadBack:
    """
    Pixels on their way to the CPU. `await` it, or `wait` for it, for an array.
    """
    def __await__(self, /) -> Any: ...
    @property
    def is_ready(self, /) -> bool:
        """
        Whether `wait` would return at once.
        """
    def wait(self, /, *, copy: bool = False) -> numpy.typing.NDArray[numpy.uint8]:
        """
        The array, as `VideoFrame.to_numpy` gives it. Blocks, without the interpreter's lock, until it is there. Once.
        """

@final
class SignalPipe:
    """
    Where Python's C-level handler writes the number of each signal: the first has the graph drain, the second ends the process.
    """
    def __new__(cls, /, graph: Graph) -> SignalPipe: ...
    def fileno(self, /) -> int:
        """
        For `signal.set_wakeup_fd`.
        """

@final
class Texture:
    """
    A texture of a frame: the engine's own. `streamlib` uses it for no other frame while this lives.
    """
    def __repr__(self, /) -> str: ...
    def create_view(self, /) -> TextureView:
        """
        A view of the whole texture.
        """
    @property
    def format(self, /) -> str:
        """
        WebGPU's name of the format: `rgba8unorm` or `r8unorm`.
        """
    @property
    def height(self, /) -> int:
        """
        In texels.
        """
    @property
    def size(self, /) -> tuple[int, int, int]:
        """
        `(width, height, 1)` in texels: formats with several planes, or several pixels a texel, have other sizes than the picture.
        """
    @property
    def usage(self, /) -> int:
        """
        What it may be used for: WebGPU's `GPUTextureUsage` flags.
        """
    @property
    def width(self, /) -> int:
        """
        In texels.
        """

@final
class TextureView:
    """
    A view of a texture, which it keeps alive.
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
    The GPU that everything in this process runs on. Opened when it is first asked for, here or by a graph.

    `adapter` is a part of the adapter's name; `budget_bytes` bounds the textures and buffers that may exist at once. Both only matter to
    the call that opens it: later ones raise `streamlib.BusyError` if they ask for something else.
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
