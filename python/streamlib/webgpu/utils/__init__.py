"""What wgpu-py has beside WebGPU."""

from __future__ import annotations

from ..._native import Device
from ..adapters import gpu
from .compute import compute_with_buffers

__all__ = ["compute_with_buffers", "get_default_device"]


def get_default_device() -> Device:
    """Give the device of the process."""
    return gpu.request_adapter_sync(power_preference="high-performance").request_device_sync()
