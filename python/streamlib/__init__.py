"""Real-time video processing on the GPU.

A graph of processors passes video frames, each a handle to a texture, from a camera through shaders to a window, a recording or code of
your own, without copying pixels between them. What is written in Python holds the very textures that the engine, which is Rust, holds.

    import streamlib as sl

    graph = sl.Graph()
    graph.chain(sl.Camera(), sl.BouncingBall(), sl.Display(title="Bouncing ball"))
    graph.run()
"""

import atexit as _atexit

from . import _built_in, _end, _native, debug, errors, webgpu
from ._built_in import *  # noqa: F403
from ._gpu import gpu
from ._native import GpuContext, Kernel, ReadBack, VideoFrame, cameras, has_screen
from .annotations import Input, Output, Parameter
from .errors import *  # noqa: F403
from .graphs import Graph, RunOptions
from .processors import pixel_shader, processor
from .statistics import Statistics
from .webgpu import Texture, TextureView

__version__ = _native.VERSION

__all__ = [
    "GpuContext",
    "Graph",
    "Input",
    "Kernel",
    "Output",
    "Parameter",
    "ReadBack",
    "RunOptions",
    "Statistics",
    "Texture",
    "TextureView",
    "VideoFrame",
    "cameras",
    "debug",
    "errors",
    "gpu",
    "has_screen",
    "pixel_shader",
    "processor",
    "webgpu",
]
__all__ += _built_in.__all__
__all__ += errors.__all__

_atexit.register(_end.end)
