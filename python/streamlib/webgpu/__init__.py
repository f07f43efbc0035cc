"""WebGPU on streamlib's device: the specification's objects, in snake_case, as wgpu-py has them.

    from streamlib import webgpu

    device = webgpu.gpu.request_adapter_sync().request_device_sync()

Most code written for wgpu-py runs with `import streamlib.webgpu as wgpu`. The device is the process's: a frame's texture
(`frame.texture`) is used like any other. In a processor, `gpu.device` in `setup` is the device.

What WebGPU refuses raises `streamlib.GpuError`, which the specification's names stand for, too; wrong arguments raise `TypeError` or
`ValueError` with the argument's name.
"""

from .. import _native
from .._native import (
    Adapter,
    BindGroup,
    BindGroupLayout,
    Buffer,
    CommandBuffer,
    CommandEncoder,
    ComputePass,
    ComputePipeline,
    Device,
    Object,
    PipelineLayout,
    QuerySet,
    Queue,
    Sampler,
    ShaderModule,
    Texture,
    TextureView,
)
from ..errors import Error, GpuError, OutOfMemoryError
from . import enums, flags, structs, utils
from .adapters import GPU, gpu
from .enums import *  # noqa: F403
from .flags import *  # noqa: F403
from .promise import Promise
from .structs import *  # noqa: F403

__version__ = _native.VERSION

# As the specification and wgpu-py call them.
GPUAdapter = Adapter
GPUAdapterInfo = structs.AdapterInfo
GPUBindGroup = BindGroup
GPUBindGroupLayout = BindGroupLayout
GPUBuffer = Buffer
GPUCommandBuffer = CommandBuffer
GPUCommandEncoder = CommandEncoder
GPUComputePassEncoder = ComputePass
GPUComputePipeline = ComputePipeline
GPUDevice = Device
GPUObjectBase = Object
GPUPipelineLayout = PipelineLayout
GPUPromise = Promise
GPUQuerySet = QuerySet
GPUQueue = Queue
GPUSampler = Sampler
GPUShaderModule = ShaderModule
GPUTexture = Texture
GPUTextureView = TextureView
GPUError = Error
GPUInternalError = GpuError
GPUOutOfMemoryError = OutOfMemoryError
GPUPipelineError = GpuError
GPUValidationError = GpuError

__all__ = [
    "GPU",
    "Adapter",
    "BindGroup",
    "BindGroupLayout",
    "Buffer",
    "CommandBuffer",
    "CommandEncoder",
    "ComputePass",
    "ComputePipeline",
    "Device",
    "GPUAdapter",
    "GPUAdapterInfo",
    "GPUBindGroup",
    "GPUBindGroupLayout",
    "GPUBuffer",
    "GPUCommandBuffer",
    "GPUCommandEncoder",
    "GPUComputePassEncoder",
    "GPUComputePipeline",
    "GPUDevice",
    "GPUError",
    "GPUInternalError",
    "GPUObjectBase",
    "GPUOutOfMemoryError",
    "GPUPipelineError",
    "GPUPipelineLayout",
    "GPUPromise",
    "GPUQuerySet",
    "GPUQueue",
    "GPUSampler",
    "GPUShaderModule",
    "GPUTexture",
    "GPUTextureView",
    "GPUValidationError",
    "Object",
    "PipelineLayout",
    "Promise",
    "QuerySet",
    "Queue",
    "Sampler",
    "ShaderModule",
    "Texture",
    "TextureView",
    "gpu",
    "utils",
]
__all__ += enums.__all__
__all__ += flags.__all__
__all__ += structs.__all__
