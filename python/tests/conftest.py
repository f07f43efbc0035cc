"""What the tests share."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator

import pytest

import streamlib as sl

INVERT = """
@group(0) @binding(0) var src: texture_2d<f32>;
@group(0) @binding(1) var dst: texture_storage_2d<rgba8unorm, write>;

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if any(id.xy >= textureDimensions(dst)) {
        return;
    }
    let color = textureLoad(src, id.xy, 0);
    textureStore(dst, id.xy, vec4f(1.0 - color.rgb, color.a));
}
"""


@pytest.fixture(scope="session")
def gpu() -> sl.GpuContext:
    return sl.gpu()


def alive() -> dict[str, int]:
    """Count what lives, classes apart: those stay for as long as their modules."""
    gc.collect()
    # Memory of uploads comes back when the GPU has read it.
    sl.gpu().wait_idle()
    counts = sl.debug.live_objects()
    del counts["Declaration"]
    return counts


@pytest.fixture
def nothing_left(gpu: sl.GpuContext) -> Iterator[None]:
    """Check that the test leaves nothing behind: no wrapper, no texture, no buffer."""
    before = alive()
    yield
    assert alive() == before


def gpu_objects() -> dict[str, int]:
    """Count what wgpu says is alive, the pools' textures and buffers apart: those wait to be used again."""
    gc.collect()
    gpu = sl.gpu()
    gpu.wait_idle()
    counts, pools = sl.debug.gpu_objects(), json.loads(gpu._statistics())
    pooled = pools["textures"]["allocated"]
    counts["textures"] -= pooled
    counts["views"] -= pooled
    counts["buffers"] -= pools["staging"]["allocated"] + pools["buffers"]["allocated"]
    counts["bind_groups"] -= pools["kernels"]["bind_groups"]
    return counts


@pytest.fixture
def nothing_left_on_the_gpu(gpu: sl.GpuContext) -> Iterator[None]:
    """Check that the test leaves no object of wgpu's behind."""
    before = gpu_objects()
    yield
    assert gpu_objects() == before
