"""What wgpu-py's compute examples and the compute part of its tests exercise, written anew from WebGPU's specification."""

from __future__ import annotations

import asyncio
import ctypes
import inspect
import struct
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import streamlib as sl
import streamlib.webgpu as wgpu
from streamlib.webgpu.utils import compute_with_buffers, get_default_device

pytestmark = pytest.mark.usefixtures("nothing_left")

STORED = "STORAGE | COPY_SRC"

# Writes 7 times its place plus 5, in each of the languages.
SEVENFOLD_WGSL = """
@group(0) @binding(0) var<storage, read_write> sevenfold: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) group: vec3u) {
    sevenfold[group.x] = group.x * 7u + 5u;
}
"""
SEVENFOLD_GLSL = """#version 450
layout(local_size_x = 1) in;
layout(std430, set = 0, binding = 0) buffer Sevenfold { uint sevenfold[]; };

void main() {
    sevenfold[gl_WorkGroupID.x] = gl_WorkGroupID.x * 7u + 5u;
}
"""

# One buffer to another, and something added.
RAISE = """
@group(0) @binding(0) var<storage, read> from_here: array<i32>;
@group(GROUP) @binding(BINDING) var<storage, read_write> to_there: array<i32>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) group: vec3u) {
    to_there[group.x] = from_here[group.x] + 100;
}
"""
RAISE_IN_ONE_GROUP = RAISE.replace("GROUP", "0").replace("BINDING", "1")
RAISE_IN_TWO_GROUPS = RAISE.replace("GROUP", "1").replace("BINDING", "0")


def sevenfold_spirv() -> bytes:
    """Assemble the same in SPIR-V, word by word."""
    void, function, uint, vector, to_vector, numbers, block, to_block, to_uint, zero, seven, five = range(1, 13)
    place, buffer, main, begin, group, x, product, total, target = range(13, 22)
    decorate, constant, pointer, variable, type_int = 71, 43, 32, 59, 21
    name = struct.unpack("<2I", b"main\0\0\0\0")
    instructions: list[tuple[int, ...]] = [
        (17, 1),  # The capability: Shader.
        (14, 0, 1),  # Logical addresses, GLSL450's memory model.
        (15, 5, main, *name, place),  # The entry point, and what it reads.
        (16, main, 17, 1, 1, 1),  # Workgroups of one.
        (decorate, place, 11, 26),  # BuiltIn WorkgroupId.
        (decorate, numbers, 6, 4),  # ArrayStride.
        (decorate, block, 2),  # Block.
        (72, block, 0, 35, 0),  # The member's Offset.
        (decorate, buffer, 34, 0),  # DescriptorSet.
        (decorate, buffer, 33, 0),  # Binding.
        (19, void),
        (33, function, void),
        (type_int, uint, 32, 0),
        (23, vector, uint, 3),
        (pointer, to_vector, 1, vector),  # Input.
        (29, numbers, uint),  # An array without an end.
        (30, block, numbers),
        (pointer, to_block, 12, block),  # StorageBuffer.
        (pointer, to_uint, 12, uint),
        (constant, uint, zero, 0),
        (constant, uint, seven, 7),
        (constant, uint, five, 5),
        (variable, to_vector, place, 1),
        (variable, to_block, buffer, 12),
        (54, void, main, 0, function),
        (248, begin),
        (61, vector, group, place),  # Load.
        (81, uint, x, group, 0),  # Extract x.
        (132, uint, product, x, seven),
        (128, uint, total, product, five),
        (65, to_uint, target, buffer, zero, x),  # The element's address.
        (62, target, total),  # Store.
        (253,),
        (56,),
    ]
    words = [0x07230203, 0x00010300, 0, 22, 0]
    for code, *operands in instructions:
        words += [(len(operands) + 1) << 16 | code, *operands]
    return struct.pack(f"<{len(words)}I", *words)


def pipeline_of(code: str | bytes, layout: wgpu.PipelineLayout | str = "auto", **stage: Any) -> wgpu.ComputePipeline:
    """Compile a shader and make its pipeline."""
    device = get_default_device()
    compute: Any = {"module": device.create_shader_module(code=code), **stage}
    return device.create_compute_pipeline(layout=layout, compute=compute)


def group_of(layout: wgpu.BindGroupLayout, *resources: Any) -> wgpu.BindGroup:
    """Make a bind group of resources, whose bindings count from 0."""
    entries: Any = [{"binding": binding, "resource": resource} for binding, resource in enumerate(resources)]
    return get_default_device().create_bind_group(layout=layout, entries=entries)


def auto_groups(pipeline: wgpu.ComputePipeline, *groups: Sequence[Any]) -> list[wgpu.BindGroup]:
    """Make the bind groups of a pipeline whose layout the shader says."""
    return [group_of(pipeline.get_bind_group_layout(index), *resources) for index, resources in enumerate(groups)]


def record(encoder: wgpu.CommandEncoder, pipeline: wgpu.ComputePipeline, groups: Iterable[wgpu.BindGroup], *counts: int) -> None:
    """Record a pass with one dispatch."""
    commands = encoder.begin_compute_pass()
    commands.set_pipeline(pipeline)
    for index, group in enumerate(groups):
        commands.set_bind_group(index, group)
    commands.dispatch_workgroups(*counts)
    commands.end()


def dispatch(pipeline: wgpu.ComputePipeline, groups: Iterable[wgpu.BindGroup], *counts: int) -> None:
    """Submit one dispatch."""
    device = get_default_device()
    encoder = device.create_command_encoder()
    record(encoder, pipeline, groups, *counts)
    device.queue.submit([encoder.finish()])


def read(buffer: wgpu.Buffer, format: str) -> list[Any]:
    """Read a buffer as numbers."""
    memory: Any = get_default_device().queue.read_buffer(buffer)
    numbers: list[Any] = memory.cast(format).tolist()
    return numbers


def is_legal(request: Callable[[], wgpu.Device]) -> bool:
    """Tell whether names of features or limits are known, whether or not the device has them."""
    try:
        return isinstance(request(), wgpu.GPUDevice)
    except sl.UnsupportedError:
        return True
    except ValueError:
        return False


# The examples.


def test_compute_noop() -> None:
    copy = RAISE_IN_ONE_GROUP.replace(" + 100", "")
    numbers = memoryview(bytearray(4 * 24)).cast("i")
    for place in range(24):
        numbers[place] = place * place - 50
    # In short, with a memoryview and with numpy.
    for given in (numbers, np.asarray(numbers)):
        out = compute_with_buffers({0: given}, {1: (24, "i")}, copy, n=24)
        assert out[1].tolist() == numbers.tolist()
    raw = compute_with_buffers({0: numbers}, {1: numbers.nbytes}, copy, n=24)[1]
    np.testing.assert_array_equal(np.frombuffer(raw, np.int32), np.asarray(numbers))
    # And at length.
    device = get_default_device()
    source = device.create_buffer_with_data(data=numbers, usage=wgpu.BufferUsage.STORAGE)
    target = device.create_buffer(size=numbers.nbytes, usage=wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC)
    layout = device.create_bind_group_layout(
        entries=[
            {"binding": 0, "visibility": wgpu.ShaderStage.COMPUTE, "buffer": {"type": wgpu.BufferBindingType.read_only_storage}},
            {"binding": 1, "visibility": wgpu.ShaderStage.COMPUTE, "buffer": {"type": wgpu.BufferBindingType.storage}},
        ]
    )
    pipeline = pipeline_of(copy, device.create_pipeline_layout(bind_group_layouts=[layout]), entry_point="main")
    parts = [{"buffer": buffer, "offset": 0, "size": buffer.size} for buffer in (source, target)]
    dispatch(pipeline, [group_of(layout, *parts)], 24, 1, 1)
    assert read(target, "i") == numbers.tolist()


def test_compute_matmul() -> None:
    product = """
    @group(0) @binding(0) var<storage, read> left: array<f32>;
    @group(0) @binding(1) var<storage, read> right: array<f32>;
    @group(0) @binding(2) var<storage, read_write> result: array<f32>;
    @group(0) @binding(3) var<storage, read> left_shape: vec2u;
    @group(0) @binding(4) var<storage, read> right_shape: vec2u;

    @compute @workgroup_size(1)
    fn main(@builtin(global_invocation_id) at: vec3u) {
        var total = 0.0;
        for (var k = 0u; k < left_shape.y; k++) {
            total = fma(left[at.y * left_shape.y + k], right[k * right_shape.y + at.x], total);
        }
        result[at.y * right_shape.y + at.x] = total;
    }
    """
    random = np.random.default_rng(5)
    left, right = random.random((5, 9), np.float32), random.random((9, 4), np.float32)
    shapes = [np.array(array.shape, np.uint32) for array in (left, right)]
    inputs = {0: left, 1: right, 3: shapes[0], 4: shapes[1]}
    out = compute_with_buffers(input_arrays=inputs, output_arrays={2: (np.prod((5, 4)), "f")}, shader=product, n=(4, 5, 1))
    result = np.frombuffer(out[2], dtype=np.float32).reshape(5, 4)
    np.testing.assert_allclose(result, left @ right, rtol=1e-5)


def test_compute_textures() -> None:
    """An image becomes its brightness and, at half the size, two colour differences, which a sampler averages."""
    split = """
    @group(0) @binding(0) var image: texture_2d<f32>;
    @group(0) @binding(1) var bright: texture_storage_2d<r32float, write>;
    @group(0) @binding(2) var tint: texture_storage_2d<rg32float, write>;
    @group(0) @binding(3) var averaging: sampler;
    override columns: u32;
    override rows: u32;

    fn brightness(color: vec4f) -> f32 { return dot(color.rgb, vec3f(0.25, 0.5, 0.25)); }

    @compute @workgroup_size(columns, rows)
    fn main(@builtin(global_invocation_id) id: vec3u) {
        textureStore(bright, id.xy, vec4f(brightness(textureLoad(image, id.xy, 0))));
        if all(id.xy < textureDimensions(tint)) {
            let middle = (vec2f(id.xy) * 2.0 + 1.0) / vec2f(textureDimensions(image));
            let color = textureSampleLevel(image, averaging, middle, 0.0);
            textureStore(tint, id.xy, vec4f(color.b - brightness(color), color.r - brightness(color), 0.0, 1.0));
        }
    }
    """
    device = get_default_device()
    width, height = 48, 32
    pixels = np.random.default_rng(6).integers(0, 256, (height, width, 4), np.uint8)
    written = wgpu.TextureUsage.COPY_SRC | wgpu.TextureUsage.STORAGE_BINDING
    image = device.create_texture(
        label="image",
        size=(width, height, 1),
        usage=wgpu.TextureUsage.COPY_DST | wgpu.TextureUsage.TEXTURE_BINDING,
        dimension=wgpu.TextureDimension.d2,
        format=wgpu.TextureFormat.rgba8unorm,
        mip_level_count=1,
        sample_count=1,
    )
    device.queue.write_texture(
        {"texture": image, "mip_level": 0, "origin": (0, 0, 0)}, pixels, {"offset": 0, "bytes_per_row": width * 4}, (width, height, 1)
    )
    bright = device.create_texture(size=(width, height, 1), usage=written, format=wgpu.TextureFormat.r32float)
    tint = device.create_texture(size=(width // 2, height // 2, 1), usage=written, format=wgpu.TextureFormat.rg32float)
    sampler = device.create_sampler(min_filter=wgpu.FilterMode.linear, mag_filter=wgpu.FilterMode.linear)
    pipeline = pipeline_of(split, wgpu.AutoLayoutMode.auto, entry_point="main", constants={"columns": 8, "rows": 4})
    groups = auto_groups(pipeline, [image.create_view(), bright.create_view(), tint.create_view(), sampler])
    counts = np.ceil(np.array([width, height]) / (8, 4)).astype(int)
    dispatch(pipeline, groups, *counts, 1)

    def texels(texture: wgpu.Texture, columns: int, rows: int, channels: int) -> npt.NDArray[np.float32]:
        layout: wgpu.TexelCopyBufferLayout = {"offset": 0, "bytes_per_row": columns * channels * 4}
        data = device.queue.read_texture(source={"texture": texture}, data_layout=layout, size=(columns, rows, 1))
        return np.frombuffer(data, dtype=np.float32).reshape(rows, columns, channels)

    colors = pixels[..., :3] / 255
    weights = np.array([0.25, 0.5, 0.25])
    np.testing.assert_allclose(texels(bright, width, height, 1)[..., 0], colors @ weights, atol=1e-5)
    means = colors.reshape(height // 2, 2, width // 2, 2, 3).mean(axis=(1, 3))
    expected = means[..., [2, 0]] - (means @ weights)[..., None]
    np.testing.assert_allclose(texels(tint, width // 2, height // 2, 2), expected, atol=0.01)


def test_compute_timestamps() -> None:
    adapter = wgpu.gpu.request_adapter_sync(power_preference="high-performance")
    if "timestamp-query" not in adapter.features:
        pytest.skip("the adapter measures no times")
    device = adapter.request_device_sync(required_features=[wgpu.FeatureName.timestamp_query])
    pipeline = pipeline_of(RAISE_IN_ONE_GROUP)
    numbers = np.arange(4096, dtype=np.int32)
    source = device.create_buffer_with_data(data=numbers, usage="STORAGE")
    target = device.create_buffer(size=numbers.nbytes, usage=STORED)
    query_set = device.create_query_set(type=wgpu.QueryType.timestamp, count=2)
    times = device.create_buffer(size=8 * query_set.count, usage=wgpu.BufferUsage.QUERY_RESOLVE | wgpu.BufferUsage.COPY_SRC)
    encoder = device.create_command_encoder()
    commands = encoder.begin_compute_pass(
        timestamp_writes={"query_set": query_set, "beginning_of_pass_write_index": 0, "end_of_pass_write_index": 1}
    )
    commands.set_pipeline(pipeline)
    commands.set_bind_group(0, auto_groups(pipeline, [source, target])[0])
    commands.dispatch_workgroups(4096, 1, 1)
    commands.end()
    encoder.resolve_query_set(query_set=query_set, first_query=0, query_count=2, destination=times, destination_offset=0)
    device.queue.submit([encoder.finish()])
    begin, end = read(times, "Q")
    assert 0 < begin < end < begin + 60 * 10**9
    np.testing.assert_array_equal(read(target, "i"), numbers + 100)


def test_compute_workgroups() -> None:
    ids = """
    @group(0) @binding(0) var<storage, read_write> seen: array<vec4u>;

    @compute @workgroup_size(3, 2, 1)
    fn main(
        @builtin(global_invocation_id) global: vec3u, @builtin(local_invocation_id) local: vec3u,
        @builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
    ) {
        let row = global.y * groups.x * 3u + global.x;
        seen[row] = vec4u(local.x, local.y, group.x, group.y);
    }
    """
    pipeline = pipeline_of(ids, entry_point="main")
    buffer = get_default_device().create_buffer(size=12 * 6 * 16, usage=STORED)
    dispatch(pipeline, auto_groups(pipeline, [{"buffer": buffer, "offset": 0, "size": buffer.size}]), 4, 3, 1)
    seen = np.array(read(buffer, "I")).reshape(6, 12, 4)
    y, x = np.mgrid[:6, :12]
    np.testing.assert_array_equal(seen, np.stack([x % 3, y % 2, x // 3, y // 2], axis=-1))


def test_compute_int64() -> None:
    """In a process of its own, whose device is opened with the feature."""
    names = ["shader-int64"]
    if "shader-int64" not in wgpu.gpu.request_adapter_sync().features:
        pytest.skip("the adapter has no 64-bit numbers")
    program = f"""
import numpy as np
import streamlib.webgpu as wgpu

device = wgpu.gpu.request_adapter_sync().request_device_sync(required_features={names!r})
assert {names[0]!r} in device.features
code = '''
@group(0) @binding(0) var<storage, read_write> rows: array<array<i64, 3>>;
@compute @workgroup_size(1) fn main(@builtin(workgroup_id) group: vec3u) {{
    rows[group.x][2] = rows[group.x][0] - rows[group.x][1];
}}'''
pipeline = device.create_compute_pipeline(layout="auto", compute={{"module": device.create_shader_module(code=code)}})
rows = np.array([[2**40 + 3, 2**35, 0], [-(2**50), 7, 0]])
buffer = device.create_buffer_with_data(data=rows, usage="STORAGE | COPY_SRC")
group = device.create_bind_group(layout=pipeline.get_bind_group_layout(0), entries=[{{"binding": 0, "resource": buffer}}])
encoder = device.create_command_encoder()
commands = encoder.begin_compute_pass()
commands.set_pipeline(pipeline)
commands.set_bind_group(0, group)
commands.dispatch_workgroups(2)
commands.end()
device.queue.submit([encoder.finish()])
print(device.queue.read_buffer(buffer).cast("q").tolist()[2::3])
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout.strip()) == (0, str([2**40 + 3 - 2**35, -(2**50) - 7])), ran.stderr


# test_wgpu_native_basics


@pytest.mark.parametrize("code", [SEVENFOLD_WGSL, SEVENFOLD_GLSL, sevenfold_spirv()], ids=["wgsl", "glsl", "spirv"])
def test_basics_shaders_in_three_languages(code: str | bytes) -> None:
    device = get_default_device()
    module = device.create_shader_module(label="sevenfold", code=code)
    assert module.label == "sevenfold"
    assert module.get_compilation_info_sync() == []
    layout = device.create_bind_group_layout(entries=[{"binding": 0, "visibility": "COMPUTE", "buffer": {"type": "storage"}}])
    whole = device.create_pipeline_layout(bind_group_layouts=[layout])
    pipeline = device.create_compute_pipeline(layout=whole, compute={"module": module, "entry_point": "main"})
    buffer = device.create_buffer(size=4 * 20, usage=STORED)
    dispatch(pipeline, [group_of(layout, buffer)], 20)
    assert read(buffer, "I") == list(range(5, 145, 7))


def test_basics_code_that_is_no_shader() -> None:
    device = get_default_device()
    nothing: Any
    for nothing in (type("Code", (), {}), {"a", "set"}, 5, None):
        with pytest.raises(TypeError, match="code"):
            device.create_shader_module(code=nothing)
    with pytest.raises(ValueError, match="SPIR-V"):
        device.create_shader_module(code=b"these bytes do not begin as SPIR-V does")
    with pytest.raises(wgpu.GPUError, match="incomplete"):
        device.create_shader_module(code=sevenfold_spirv()[:-6])


def test_basics_names_of_features() -> None:
    adapter = wgpu.gpu.request_adapter_sync(power_preference="high-performance")

    def legal(*names: str) -> bool:
        return is_legal(lambda: adapter.request_device_sync(required_features=names))

    assert legal("shader-f16", "depth-clip-control", "immediates")
    assert legal("shader_f16", "depth_clip_control")
    assert legal("ShaderF16", "DepthClipControl")
    assert legal(wgpu.FeatureName.texture_compression_bc)
    assert legal(*adapter.features)
    assert not legal("shader-f17")
    assert not legal("shader-f16", "made-up")
    device = adapter.request_device_sync(required_features=set(get_default_device().features))
    assert device.features <= adapter.features


def test_basics_names_of_limits() -> None:
    adapter = wgpu.gpu.request_adapter_sync(power_preference="high-performance")

    def legal(limits: dict[str, int | None]) -> bool:
        return is_legal(lambda: adapter.request_device_sync(required_limits=limits))

    assert legal({"max-bind-groups": 4, "max-immediate-size": 16})
    assert legal({"max_bind_groups": 4, "max_immediate_size": 16})
    assert legal({"maxBindGroups": 4, "maxImmediateSize": 16, "maxTextureDimension2D": None})
    assert legal({"max-bind-groups": 4000})
    assert not legal({"max-bind-group": 4})
    with pytest.raises(sl.UnsupportedError, match="maxBindGroups"):
        adapter.request_device_sync(required_limits={"max-bind-groups": 4000})
    assert adapter.limits["max-bind-groups"] >= 4
    assert get_default_device().limits.keys() == adapter.limits.keys()


def test_basics_adapters() -> None:
    adapters = wgpu.gpu.enumerate_adapters_sync()
    assert adapters
    for adapter in adapters:
        assert "\n" not in adapter.summary
        assert adapter.info["device"] in adapter.summary
        assert adapter.info.backend_type in adapter.summary
    device = adapters[0].request_device_sync(label="of the first")
    assert isinstance(device, wgpu.GPUDevice)
    assert device.label == "of the first"
    assert device.adapter_info == adapters[0].info


def test_basics_extents_and_origins() -> None:
    device = get_default_device()

    def texture(size: Any) -> wgpu.Texture:
        return device.create_texture(size=size, format="r32uint", dimension="3d", usage="COPY_SRC | COPY_DST")

    for size, expected in [
        ((4, 3, 2), (4, 3, 2)),
        ([4, 3], (4, 3, 1)),
        ((4,), (4, 1, 1)),
        ({"width": 4, "height": 3, "depth_or_array_layers": 2}, (4, 3, 2)),
        ({"width": 4, "depth_or_array_layers": 2}, (4, 1, 2)),
    ]:
        assert texture(size).size == expected
    for wrong in ((), (1, 2, 3, 4), {"height": 3}, {"width": 4, "depth_or_aray_layers": 2}, (-1, 2)):
        with pytest.raises(ValueError, match="size"):
            texture(wrong)
    with pytest.raises(TypeError, match="size"):
        texture(4)
    cube = texture((4, 3, 2))
    device.queue.write_texture({"texture": cube}, np.arange(24, dtype=np.uint32), {"bytes_per_row": 16, "rows_per_image": 3}, cube.size)

    def at(origin: Any) -> int:
        source: wgpu.TexelCopyTextureInfo = {"texture": cube, "origin": origin}
        return int(device.queue.read_texture(source, {}, (1, 1, 1)).cast("I")[0])

    origins: list[Any] = [(), [1], (1, 2), (1, 2, 1), {}, {"z": 1}, {"x": 1, "y": 2, "z": 1}]
    assert [at(origin) for origin in origins] == [0, 1, 9, 21, 0, 12, 21]
    with pytest.raises(ValueError, match=r"origin.*'w'"):
        at({"x": 1, "w": 2})


# test_wgpu_native_buffer


@pytest.mark.parametrize("how", ["data", "mapped_at_creation", "queue", "map"])
@pytest.mark.parametrize("back", ["queue", "map", "copy"])
def test_buffer_ways_to_write_and_read(how: str, back: str) -> None:
    device = get_default_device()
    data = b"sixteen bytes ok"
    usage = {"queue": "COPY_SRC", "map": " MAP_READ ", "copy": "COPY_SRC"}[back]
    usage += {"data": "", "mapped_at_creation": "", "queue": "|COPY_DST", "map": "| MAP_WRITE"}[how]
    if (how, back) == ("map", "map"):
        with pytest.raises(wgpu.GPUValidationError, match="MAP"):
            device.create_buffer(size=len(data), usage=usage)
        return
    if how == "data":
        buffer = device.create_buffer_with_data(data=data, usage=usage)
    else:
        buffer = device.create_buffer(size=len(data), usage=usage, mapped_at_creation=how == "mapped_at_creation")
    assert buffer.size == len(data)
    if how == "queue":
        device.queue.write_buffer(buffer, 0, data)
    elif how != "data":
        if how == "map":
            assert buffer.map_state == "unmapped"
            buffer.map_sync("write")
        assert buffer.map_state == "mapped"
        buffer.write_mapped(data)
        buffer.unmap()
    if back == "queue":
        assert device.queue.read_buffer(buffer) == data
        return
    if back == "copy":
        target = device.create_buffer(size=len(data), usage=wgpu.BufferUsage.COPY_DST | wgpu.BufferUsage.MAP_READ)
        encoder = device.create_command_encoder()
        encoder.copy_buffer_to_buffer(buffer, 0, target, 0, len(data))
        device.queue.submit([encoder.finish()])
        buffer = target
    buffer.map_sync(wgpu.MapMode.READ)
    result = buffer.read_mapped()
    buffer.unmap()
    assert result == data


@pytest.mark.parametrize("at_once", [False, True])
def test_buffer_parts(at_once: bool) -> None:
    device = get_default_device()
    parts = [letter.encode() * 8 for letter in "wxyz"]
    written = device.create_buffer(size=32, usage="MAP_WRITE | COPY_SRC")
    target = device.create_buffer(size=32, usage="MAP_READ | COPY_DST")
    for number, part in enumerate(parts):
        if not at_once or number == 0:
            written.map_sync("write")
        written.write_mapped(part, number * 8)
        if not at_once or number == 3:
            written.unmap()
        device.queue.write_buffer(target, number * 8, part)
    assert device.queue.read_buffer(written) == b"".join(parts)
    assert [device.queue.read_buffer(written, number * 8, size=8) for number in range(4)] == parts
    for number, part in enumerate(parts):
        if not at_once or number == 0:
            target.map_sync("read")
        assert target.read_mapped(number * 8, 8) == part
        if not at_once or number == 3:
            target.unmap()


def test_buffer_mapping_failures() -> None:
    device = get_default_device()
    eight = b"12345678"
    buffer = device.create_buffer(size=32, usage="MAP_WRITE | COPY_SRC")
    not_mapped: list[Callable[[], object]] = [lambda: buffer.write_mapped(eight), buffer.read_mapped, buffer.unmap, buffer.get_mapped_range]
    for call in not_mapped:
        with pytest.raises(RuntimeError, match="not mapped"):
            call()
    with pytest.raises(ValueError, match="mode"):
        buffer.map_sync("sideways")
    for offset, size in [(4, 8), (0, 30), (16, 32), (0, 0)]:
        with pytest.raises(ValueError, match="cannot be mapped"):
            buffer.map_sync("write", offset, size)
    buffer.map_sync("write", 0, 28)
    for mode in ("write", "read"):
        with pytest.raises(RuntimeError, match="mapped already"):
            buffer.map_sync(mode)
    with pytest.raises(RuntimeError, match="to be written"):
        buffer.read_mapped()
    for good, begin in [(eight, None), (eight, 0), (eight, 8), (eight, 16), (b"1" * 4, None), (b"1" * 28, None), (b"1" * 12, 16)]:
        buffer.write_mapped(good, begin)
    for bad, begin in [(eight, -1), (eight, -8), (eight, 6), (b"", None), (b"1" * 64, None), (b"1" * 32, None), (eight, 24)]:
        with pytest.raises(ValueError, match=r"buffer_offset|size"):
            buffer.write_mapped(bad, begin)
    for length in (3, 6, 9):
        with pytest.raises(ValueError, match="multiple of 4"):
            buffer.write_mapped(b"1" * length)
    with pytest.raises(TypeError, match="data"):
        buffer.write_mapped("text")
    buffer.unmap()
    with pytest.raises(RuntimeError, match="not mapped"):
        buffer.unmap()
    assert device.queue.read_buffer(buffer) == b"1" * 28 + bytes(4)
    # To be read.
    buffer = device.create_buffer(size=32, usage="MAP_READ | COPY_DST")
    device.queue.write_buffer(buffer, 0, bytes(range(32)))
    buffer.map_sync("read", 8, 20)
    for mode in ("read", "write"):
        with pytest.raises(RuntimeError, match="mapped already"):
            buffer.map_sync(mode)
    with pytest.raises(RuntimeError, match="to be read"):
        buffer.write_mapped(eight)
    assert buffer.read_mapped() == bytes(range(8, 28))
    for begin, size in [(0, 64), (0, 32), (0, 8), (12, 4), (8, 3), (24, 8), (-8, 8)]:
        with pytest.raises(ValueError, match=r"buffer_offset|size"):
            buffer.read_mapped(begin, size)
    buffer.unmap()
    with pytest.raises(RuntimeError, match="not mapped"):
        buffer.unmap()


def test_buffer_can_be_mapped_after_a_refused_mapping() -> None:
    buffer = get_default_device().create_buffer(size=8, usage="MAP_READ | COPY_DST")
    with pytest.raises(wgpu.GPUValidationError, match="MAP_WRITE"):
        buffer.map_sync("write")
    assert buffer.map_state == "unmapped"
    buffer.map_sync("read")
    assert buffer.read_mapped() == bytes(8)
    buffer.unmap()


def test_buffer_read_without_a_copy() -> None:
    device = get_default_device()
    data = b"Python 'n' WebGPU"[:16]
    buffer = device.create_buffer(size=16, usage="MAP_READ | COPY_DST")
    device.queue.write_buffer(buffer, 0, data)
    buffer.map_sync("read")
    views = [buffer.read_mapped(copy=False), buffer.read_mapped(0, 8, copy=False), buffer.read_mapped(8, 8, copy=False)]
    assert views == [data, data[:8], data[8:]]
    for view in views:
        assert view.readonly
        with pytest.raises(TypeError):
            view[0] = 1
    copied = buffer.read_mapped()
    buffer.unmap()
    for view in views:
        with pytest.raises(ValueError, match="released"):
            view[0]
        with pytest.raises(ValueError, match="released"):
            view[0] = 1
    assert copied == data


def test_buffer_clear() -> None:
    device = get_default_device()
    data = bytes(range(1, 45))
    buffer = device.create_buffer(size=44, usage="COPY_DST | COPY_SRC")

    def clear(*part: int | None) -> bytes:
        device.queue.write_buffer(buffer, 0, data)
        encoder = device.create_command_encoder()
        encoder.clear_buffer(buffer, *part)  # type: ignore[arg-type]
        device.queue.submit([encoder.finish()])
        return bytes(device.queue.read_buffer(buffer))

    assert clear(8, 12) == data[:8] + bytes(12) + data[20:]
    assert clear(4, None) == clear(4) == data[:4] + bytes(40)
    assert clear(0) == clear() == bytes(44)
    for wrong in ((10,), (12, 30), (12, 44), (48,)):
        with pytest.raises(wgpu.GPUValidationError):
            clear(*wrong)
    with pytest.raises((ValueError, OverflowError)):
        clear(-8)
    assert clear(40, 4) == data[:40] + bytes(4)


# Few bytes, and more.
@pytest.mark.parametrize("count", [12, 1200])
@pytest.mark.parametrize("kind", ["memoryview", "ctypes", "numpy", "columns", "strided", "bytes", "bytearray"])
def test_buffer_write_from(kind: str, count: int) -> None:
    device = get_default_device()
    numbers = np.random.default_rng(7).random(count, np.float32)
    kinds: dict[str, Callable[[], Any]] = {
        "memoryview": lambda: memoryview(numbers.copy()),
        "ctypes": lambda: (ctypes.c_float * count)(*numbers),
        "numpy": lambda: numbers.reshape(-1, 4).copy(),
        # Where they lie, the elements are in another order.
        "columns": lambda: np.asfortranarray(numbers.reshape(-1, 4)),
        "strided": lambda: np.repeat(numbers, 3)[::3],
        "bytes": numbers.tobytes,
        "bytearray": lambda: bytearray(numbers.tobytes()),
    }
    data = kinds[kind]()
    size = 4 * count
    buffer = device.create_buffer(size=size, usage="COPY_DST | COPY_SRC")
    device.queue.write_buffer(buffer, 0, data)
    if kind != "bytes":
        # It was copied.
        data[0] = 0
    device.queue.submit([])
    np.testing.assert_array_equal((ctypes.c_float * count).from_buffer(device.queue.read_buffer(buffer)), numbers)
    data = kinds[kind]()
    # Offsets of data are in bytes.
    device.queue.write_buffer(buffer, 0, data, 8)
    device.queue.write_buffer(buffer, size - 8, data, 0, 8)
    assert device.queue.read_buffer(buffer).cast("f").tolist() == [*numbers[2:].tolist(), *numbers[:2].tolist()]
    with pytest.raises(ValueError, match="size"):
        device.queue.write_buffer(buffer, 0, data, size - 4, 8)
    with pytest.raises(ValueError, match="data_offset"):
        device.queue.write_buffer(buffer, 0, data, size + 4)
    for offset, length in [(2, 4), (0, 6), (size - 4, 8)]:
        with pytest.raises(wgpu.GPUValidationError):
            device.queue.write_buffer(buffer, offset, data, 0, length)


# test_wgpu_native_texture


def float_row(width: int) -> wgpu.Texture:
    """Make a texture of one dimension."""
    usage = wgpu.TextureUsage.COPY_SRC | wgpu.TextureUsage.COPY_DST | wgpu.TextureUsage.STORAGE_BINDING
    size = (width, 1, 1)
    return get_default_device().create_texture(
        size=size, dimension=wgpu.TextureDimension.d1, format=wgpu.TextureFormat.r32float, usage=usage
    )


@pytest.mark.parametrize("at_once", [False, True])
def test_texture_round_trip(at_once: bool) -> None:
    device = get_default_device()
    numbers = np.random.default_rng(8).random(128, np.float32)
    textures = [float_row(128), float_row(128)]
    first = textures[0]
    assert (first.size, first.width, first.height, first.depth_or_array_layers) == ((128, 1, 1), 128, 1, 1)
    assert (first.mip_level_count, first.sample_count, first.dimension, first.format) == (1, 1, "1d", "r32float")
    assert first.usage == wgpu.TextureUsage.COPY_SRC | wgpu.TextureUsage.COPY_DST | wgpu.TextureUsage.STORAGE_BINDING
    assert first.create_view().texture is first
    buffers = [device.create_buffer(size=numbers.nbytes, usage="COPY_DST | COPY_SRC") for _ in range(3)]
    device.queue.write_buffer(buffers[0], 0, numbers)
    infos: Any = [{"buffer": buffer, "offset": 0, "bytes_per_row": 512, "rows_per_image": 1} for buffer in buffers]
    places: Any = [{"texture": texture, "mip_level": 0, "origin": (0, 0, 0)} for texture in textures]
    steps: list[Callable[[wgpu.CommandEncoder], None]] = [
        lambda encoder: encoder.copy_buffer_to_texture(infos[0], places[0], (128, 1, 1)),
        lambda encoder: encoder.copy_texture_to_texture(places[0], places[1], (128, 1, 1)),
        lambda encoder: encoder.copy_texture_to_buffer(places[1], infos[1], (128, 1, 1)),
        lambda encoder: encoder.copy_buffer_to_buffer(buffers[1], 0, buffers[2], 0, numbers.nbytes),
    ]
    for together in [steps] if at_once else [[step] for step in steps]:
        encoder = device.create_command_encoder()
        for step in together:
            step(encoder)
        device.queue.submit([encoder.finish()])
    np.testing.assert_array_equal(np.frombuffer(device.queue.read_buffer(buffers[2]), np.float32), numbers)


def test_texture_write_read_and_the_256_rule() -> None:
    device = get_default_device()
    for width in (128, 90):
        numbers = np.random.default_rng(9).random(width, np.float32)
        texture, buffer = float_row(width), device.create_buffer(size=512, usage="COPY_DST | COPY_SRC")
        given = (ctypes.c_float * width)(*numbers)
        device.queue.write_texture({"texture": texture}, given, {"bytes_per_row": 4 * width, "rows_per_image": 1}, (width, 1, 1))
        given[0] = 0
        encoder = device.create_command_encoder()
        row = {"buffer": buffer, "offset": 0, "bytes_per_row": 4 * width, "rows_per_image": 1}
        into: Any = row
        if width == 128:
            encoder.copy_texture_to_buffer({"texture": texture}, into, (width, 1, 1))
            device.queue.submit([encoder.finish()])
            assert read(buffer, "f") == numbers.tolist()
        else:
            with pytest.raises(ValueError, match="256"):
                encoder.copy_texture_to_buffer({"texture": texture}, into, (width, 1, 1))
            with pytest.raises(ValueError, match="256"):
                encoder.copy_buffer_to_texture(into, {"texture": texture}, (width, 1, 1))
        # To the CPU, rows may be of any length.
        data = device.queue.read_texture({"texture": texture}, {"bytes_per_row": 4 * width}, (width, 1, 1))
        np.testing.assert_array_equal((ctypes.c_float * width).from_buffer(data), numbers)
    with pytest.raises(ValueError, match="data_layout"):
        device.queue.read_texture({"texture": texture}, {"bytes_per_row": 4 * width - 4}, (width, 1, 1))
    with pytest.raises(wgpu.GPUValidationError, match="overrun"):
        device.queue.write_texture({"texture": texture}, b"1234", {"bytes_per_row": 360}, (90, 1, 1))


# test_wgpu_native_compute_tex


@pytest.mark.parametrize("format", ["rgba8uint", "rgba16sint", "r32sint", "r32float"])
@pytest.mark.parametrize("sides", [1, 2, 3])
def test_compute_tex(sides: int, format: str) -> None:
    kind, sample_type, dtype = {
        "rgba8uint": ("u32", "uint", np.uint8),
        "rgba16sint": ("i32", "sint", np.int16),
        "r32sint": ("i32", "sint", np.int32),
        "r32float": ("f32", "unfilterable-float", np.float32),
    }[format]
    change = f"""
    @group(0) @binding(0) var before: texture_{sides}d<{kind}>;
    @group(0) @binding(1) var after: texture_storage_{sides}d<{format}, write>;

    @compute @workgroup_size(1)
    fn main(@builtin(workgroup_id) at: vec3u) {{
        let texel = textureLoad(before, at.{"xyz"[:sides]}, 0);
        let moved = vec4<{kind}>({kind}(at.x), {kind}(at.y), {kind}(at.z), 3);
        textureStore(after, at.{"xyz"[:sides]}, texel * 2 + moved);
    }}
    """
    device = get_default_device()
    channels = 4 if "rgba" in format else 1
    size = (256 // channels // np.dtype(dtype).itemsize, 6 if sides > 1 else 1, 5 if sides > 2 else 1)
    texels = np.random.default_rng(10).integers(0, 90, (*size[::-1], channels)).astype(dtype)
    dimension = f"{sides}d"
    before = device.create_texture(size=size, dimension=dimension, format=format, usage="TEXTURE_BINDING | COPY_DST")
    after = device.create_texture(size=size, dimension=dimension, format=format, usage="STORAGE_BINDING | COPY_SRC")
    layout = device.create_bind_group_layout(
        entries=[
            {"binding": 0, "visibility": "COMPUTE", "texture": {"sample_type": sample_type, "view_dimension": dimension}},
            {"binding": 1, "visibility": "COMPUTE", "storage_texture": {"format": format, "view_dimension": dimension}},
        ]
    )
    pipeline = pipeline_of(change, device.create_pipeline_layout(bind_group_layouts=[layout]), entry_point="main")
    buffer = device.create_buffer_with_data(data=texels, usage="COPY_SRC | COPY_DST")
    assert buffer.usage == wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST
    rows: wgpu.TexelCopyBufferInfo = {"buffer": buffer, "offset": 0, "bytes_per_row": 256, "rows_per_image": size[1]}
    encoder = device.create_command_encoder()
    encoder.copy_buffer_to_texture(rows, {"texture": before, "mip_level": 0, "origin": (0, 0, 0)}, size)
    commands = encoder.begin_compute_pass(label="change")
    commands.push_debug_group("all of it")
    commands.insert_debug_marker("what is used")
    commands.set_pipeline(pipeline)
    commands.set_bind_group(0, group_of(layout, before.create_view(), after.create_view()))
    commands.dispatch_workgroups(*size)
    commands.pop_debug_group()
    commands.end()
    encoder.copy_texture_to_buffer({"texture": after}, rows, size)
    device.queue.submit([encoder.finish()])
    result = np.frombuffer(device.queue.read_buffer(buffer), dtype).reshape(texels.shape)
    z, y, x = np.mgrid[: size[2], : size[1], : size[0]]
    moved = np.stack([x, y, z, np.full_like(x, 3)], axis=-1)[..., :channels]
    np.testing.assert_array_equal(result, (texels.astype(np.int64) * 2 + moved).astype(dtype))


# test_wgpu_native_query_set


def test_query_set() -> None:
    device = get_default_device()
    if "timestamp-query" not in device.features:
        pytest.skip("the device measures no times")
    query_set = device.create_query_set(label="times", type=wgpu.QueryType.timestamp, count=4)
    assert (query_set.label, query_set.type, query_set.count) == ("times", "timestamp", 4)
    usage = wgpu.BufferUsage.QUERY_RESOLVE | wgpu.BufferUsage.COPY_SRC
    times = device.create_buffer(size=32, usage=usage)
    assert (times.size, times.usage) == (32, usage)
    pipeline = pipeline_of(SEVENFOLD_WGSL)
    target = device.create_buffer(size=4 * 256, usage=STORED)
    [group] = auto_groups(pipeline, [target])
    encoder = device.create_command_encoder()
    for begin in (0, 2):
        commands = encoder.begin_compute_pass(
            timestamp_writes={"query_set": query_set, "beginning_of_pass_write_index": begin, "end_of_pass_write_index": begin + 1}
        )
        commands.set_pipeline(pipeline)
        # No offset is dynamic: those two numbers say nothing.
        commands.set_bind_group(0, group, [], 0, 12345)
        commands.dispatch_workgroups(256)
        commands.end()
    encoder.resolve_query_set(query_set, 0, 4, times, 0)
    device.queue.submit([encoder.finish()])
    ticks = read(times, "Q")
    assert 0 < ticks[0] <= ticks[1] <= ticks[2] <= ticks[3]
    assert read(target, "I") == [place * 7 + 5 for place in range(256)]
    with pytest.raises(ValueError, match="type"):
        device.create_query_set(type="duration", count=2)
    for writes in ({"beginning_of_pass_write_index": 4}, {"beginning_of_pass_write_index": 1, "end_of_pass_write_index": 1}):
        encoder = device.create_command_encoder()
        wrong: Any = {"query_set": query_set, **writes}
        encoder.begin_compute_pass(timestamp_writes=wrong).end()
        with pytest.raises(wgpu.GPUValidationError):
            encoder.finish()


# test_wgpu_native_errors


@pytest.mark.parametrize(
    ("code", "line", "text"),
    [
        ("struct Pair {\n    a: vec2f,\n}\n\nfn f() -> f32 {\n    var pair: Pair;\n    return pair.c;\n}", 7, "invalid field accessor `c`"),
        ("struct Pair {\n    a: f32;\n    b: f32,\n}", 2, 'expected `,`, found ";"'),
        ("struct Pair {\n    a: f32,\n\tb: vec2<f31>,\n}", 3, "`f31`"),
        ("fn f() {\n    var m: mat3x3f;\n    var v: vec2f;\n    let w = m * v;\n}", 4, "Operation Multiply"),
        ("fn f(yes: bool) -> vec3f {\n    if yes {\n        return vec4f(1.0);\n    }\n    return vec3f();\n}", 3, "`return`"),
        ("fn f() {\n    let m = mat2x2f(1, 0, 0, 1);\n    let n = m[2];\n}", None, "Index 2 is out of bounds"),
    ],
    ids=["member", "grammar", "type", "operands", "return", "index"],
)
def test_errors_of_shaders(code: str, line: int | None, text: str) -> None:
    with pytest.raises(wgpu.GPUError, match="mistaken") as caught:
        get_default_device().create_shader_module(label="mistaken", code=code)
    message = caught.value.message
    assert text in message
    if line is not None:
        assert f"line {line}," in message
        assert code.splitlines()[line - 1].strip() in message


def test_errors_of_glsl() -> None:
    with pytest.raises(wgpu.GPUError, match="nowhere"):
        get_default_device().create_shader_module(code="#version 450\nvoid main() { nowhere(); }")


# test_set_override, test_set_constant, test_set_immediates


@pytest.mark.parametrize(
    ("constants", "expected"),
    [
        (None, [10, 20, 30, 0]),
        ({}, [10, 20, 30, 0]),
        ({"signed": 11, "unsigned": 12, 5: 13, 8: -2}, [11, 12, 13, 1]),
        ({"5": 4.0, 8: True}, [10, 20, 4, 1]),
    ],
)
def test_override(constants: Any, expected: list[int]) -> None:
    code = """
    override signed: i32 = 10;
    override unsigned: u32 = 20u;
    @id(5) override real: f32 = 30.0;
    @id(8) override truth: bool = false;
    @group(0) @binding(0) var<storage, read_write> seen: vec4u;

    @compute @workgroup_size(1)
    fn main() { seen = vec4u(u32(signed), unsigned, u32(real), u32(truth)); }
    """
    pipeline = pipeline_of(code, constants=constants)
    buffer = get_default_device().create_buffer(size=16, usage=STORED)
    dispatch(pipeline, auto_groups(pipeline, [buffer]), 1)
    assert read(buffer, "I") == expected
    # What has a number is known by it alone.
    with pytest.raises(wgpu.GPUValidationError, match="real"):
        pipeline_of(code, constants={"real": 1.0})
    with pytest.raises(TypeError, match="signed"):
        pipeline_of(code, constants={"signed": "one"})


def test_immediates() -> None:
    code = """
    struct Given { left: array<u32, 8>, right: array<u32, 8> }
    var<immediate> given: Given;
    @group(0) @binding(0) var<storage, read_write> sums: array<u32>;

    @compute @workgroup_size(1)
    fn main(@builtin(workgroup_id) group: vec3u) { sums[group.x] = given.left[group.x] + given.right[group.x]; }
    """
    adapter = wgpu.gpu.request_adapter_sync(power_preference="high-performance")
    if "immediates" not in adapter.features:
        pytest.skip("the adapter has no immediates")
    device = adapter.request_device_sync(required_features=["immediates"], required_limits={"max-immediate-size": 64})
    layout = device.create_bind_group_layout(entries=[{"binding": 0, "visibility": "COMPUTE", "buffer": {"type": "storage"}}])
    pipeline = pipeline_of(code, device.create_pipeline_layout(bind_group_layouts=[layout], immediate_size=64))
    buffer = device.create_buffer(size=32, usage=STORED)
    numbers = np.random.default_rng(11).integers(0, 10**6, 16, np.uint32)
    encoder = device.create_command_encoder()
    commands = encoder.begin_compute_pass()
    commands.set_pipeline(pipeline)
    commands.set_bind_group(0, group_of(layout, buffer))
    commands.set_immediates(0, numbers, 0, 32)
    commands.set_immediates(32, numbers, 32, 32)
    for data, offset in [(numbers[:7], 0), (numbers[:9], 8), (numbers, 68)]:
        with pytest.raises(ValueError, match=r"size|offset"):
            commands.set_immediates(0, data, offset, 32)
    commands.dispatch_workgroups(8)
    commands.end()
    device.queue.submit([encoder.finish()])
    assert read(buffer, "I") == (numbers[:8] + numbers[8:]).tolist()


# test_async


def test_async() -> None:
    async def main() -> None:
        for adapter in await wgpu.gpu.enumerate_adapters_async():
            assert isinstance(adapter, wgpu.GPUAdapter)
        adapter = await wgpu.gpu.request_adapter_async(power_preference="high-performance")
        device = await adapter.request_device_async()
        assert isinstance(device, wgpu.GPUDevice)
        data = np.arange(2500, dtype=np.uint32)
        written = device.create_buffer(size=data.nbytes, usage="MAP_WRITE | COPY_SRC")
        target = device.create_buffer(size=data.nbytes, usage="MAP_READ | COPY_DST")
        await written.map_async(wgpu.MapMode.WRITE)
        written.write_mapped(data)
        written.unmap()
        encoder = device.create_command_encoder()
        encoder.copy_buffer_to_buffer(written, 0, target, 0, data.nbytes)
        device.queue.submit([encoder.finish()])
        await target.map_async(wgpu.MapMode.READ)
        assert target.map_state == "mapped"
        assert target.read_mapped() == data.tobytes()
        target.unmap()
        module = device.create_shader_module(code=SEVENFOLD_WGSL)
        assert await module.get_compilation_info_async() == []
        stage: wgpu.ProgrammableStage = {"module": module}
        making = (device.create_compute_pipeline_async(layout="auto", compute=stage) for _ in range(2))
        pipelines = await asyncio.gather(*making)
        buffer = device.create_buffer(size=40, usage=STORED)
        for pipeline in pipelines:
            dispatch(pipeline, auto_groups(pipeline, [buffer]), 10)
        await device.queue.on_submitted_work_done_async()
        assert read(buffer, "I") == list(range(5, 75, 7))
        stage["entry_point"] = "missing"
        with pytest.raises(wgpu.GPUPipelineError, match="missing"):
            await device.create_compute_pipeline_async(layout="auto", compute=stage)

    asyncio.run(main())


def test_async_waited_for() -> None:
    device = wgpu.gpu.request_adapter_async().sync_wait().request_device_async(label="waited for").sync_wait()
    assert device.label == "waited for"
    buffer = device.create_buffer_with_data(data=b"abcd", usage="MAP_READ")
    promise = buffer.map_async("READ")
    assert promise.sync_wait() is None
    # It can be asked again.
    assert promise.sync_wait() is None
    assert bytes(buffer.read_mapped()) == b"abcd"
    buffer.unmap()
    module = device.create_shader_module(code=SEVENFOLD_WGSL)
    pipeline = device.create_compute_pipeline_async(layout="auto", compute={"module": module}).sync_wait()
    assert isinstance(pipeline, wgpu.GPUComputePipeline)
    assert device.queue.on_submitted_work_done_async().sync_wait() is None


# test_util_compute


def test_util_compute_outputs() -> None:
    expected = list(range(5, 215, 7))
    for code in (SEVENFOLD_WGSL, sevenfold_spirv()):
        out = compute_with_buffers({}, {0: ctypes.c_uint32 * 30}, code)
        assert list(out) == [0]
        assert isinstance(out[0], ctypes.Array)
        assert list(out[0]) == expected
    raw = compute_with_buffers({}, {0: ctypes.c_ubyte * 120}, SEVENFOLD_WGSL, n=30)[0]
    assert list((ctypes.c_uint32 * 30).from_buffer(raw)) == expected
    for wanted in ((30, "I"), "30xI"):
        assert compute_with_buffers({}, {0: wanted}, SEVENFOLD_WGSL)[0].tolist() == expected
    assert compute_with_buffers({}, {0: "10x3xI"}, SEVENFOLD_WGSL, n=30)[0].tolist() == np.reshape(expected, (10, 3)).tolist()
    assert compute_with_buffers({}, {0: 120}, SEVENFOLD_WGSL, n=(30, 1, 1))[0].cast("I").tolist() == expected
    # As many workgroups as the output is long.
    assert compute_with_buffers({}, {0: 16}, SEVENFOLD_WGSL, n=2)[0].cast("I").tolist() == [5, 12, 0, 0]


def test_util_compute_inputs() -> None:
    numbers = (ctypes.c_int32 * 40)(*range(-20, 20))
    two = """
    @group(0) @binding(0) var<storage, read> given: array<i32>;
    @group(0) @binding(1) var<storage, read_write> same: array<i32>;
    @group(0) @binding(2) var<storage, read_write> place: array<i32>;
    @compute @workgroup_size(1)
    fn main(@builtin(workgroup_id) group: vec3u) { same[group.x] = given[group.x]; place[group.x] = i32(group.x); }
    """
    out = compute_with_buffers({0: numbers}, {1: ctypes.c_int32 * 40, 2: (40, "i")}, two)
    assert out.keys() == {1, 2}
    assert (list(out[1]), out[2].tolist()) == (list(numbers), list(range(40)))
    twice = """
    @group(0) @binding(0) var<storage, read_write> both: array<i32>;
    @compute @workgroup_size(1) fn main(@builtin(workgroup_id) group: vec3u) { both[group.x] *= 2; }
    """
    out = compute_with_buffers({0: numbers}, {0: 40 * ctypes.c_int32}, twice)
    assert list(out[0]) == [number * 2 for number in range(-20, 20)]
    assert list(numbers) == list(range(-20, 20))


@pytest.mark.parametrize("layout", ["explicit", "auto", "two groups"])
def test_util_compute_indirect_and_layouts(layout: str) -> None:
    device = get_default_device()
    numbers = np.random.default_rng(12).integers(0, 1000, 50, np.int32)
    source = device.create_buffer_with_data(data=numbers, usage=wgpu.BufferUsage.STORAGE)
    target = device.create_buffer(size=numbers.nbytes, usage=STORED)
    counts = device.create_buffer_with_data(data=np.array([9, 47, 1, 1], np.int32), usage=wgpu.BufferUsage.INDIRECT)
    parts = [{"buffer": buffer, "offset": 0, "size": buffer.size} for buffer in (source, target)]
    if layout == "explicit":
        types = (wgpu.BufferBindingType.read_only_storage, wgpu.BufferBindingType.storage)
        entries: Any = [
            {"binding": place, "visibility": wgpu.ShaderStage.COMPUTE, "buffer": {"type": type}} for place, type in enumerate(types)
        ]
        bindings = device.create_bind_group_layout(entries=entries)
        whole = device.create_pipeline_layout(bind_group_layouts=[bindings])
        with pytest.raises(ValueError, match="colour"):
            pipeline_of(RAISE_IN_ONE_GROUP, whole, entry_point="main", colour=1)
        pipeline = pipeline_of(RAISE_IN_ONE_GROUP, whole, entry_point="main")
        groups = [group_of(bindings, *parts)]
    elif layout == "auto":
        pipeline = pipeline_of(RAISE_IN_ONE_GROUP, wgpu.enums.AutoLayoutMode.auto)
        groups = auto_groups(pipeline, parts)
    else:
        pipeline = pipeline_of(RAISE_IN_TWO_GROUPS)
        groups = auto_groups(pipeline, parts[:1], parts[1:])
    encoder = device.create_command_encoder()
    commands = encoder.begin_compute_pass()
    commands.set_pipeline(pipeline)
    for index, group in enumerate(groups):
        commands.set_bind_group(index, group, [], 0, 999)
    commands.dispatch_workgroups_indirect(counts, 4)
    commands.end()
    device.queue.submit([encoder.finish()])
    assert read(target, "i") == [*(numbers[:47] + 100).tolist(), 0, 0, 0]


def test_util_compute_failures() -> None:
    numbers = (ctypes.c_int32 * 10)(*range(10))
    good = {1: ctypes.c_int32 * 10}
    assert list(compute_with_buffers({0: numbers}, good, RAISE_IN_ONE_GROUP, n=(10, 1, 1))[1]) == list(range(100, 110))
    wrong_types: list[tuple[Any, Any, Any, Any]] = [
        ([numbers], good, RAISE_IN_ONE_GROUP, None),
        ({"0": numbers}, good, RAISE_IN_ONE_GROUP, None),
        ({0: list(numbers)}, good, RAISE_IN_ONE_GROUP, None),
        ({0: numbers}, [ctypes.c_int32 * 10], RAISE_IN_ONE_GROUP, None),
        ({0: numbers}, {}, RAISE_IN_ONE_GROUP, None),
        ({0: numbers}, {"1": ctypes.c_int32 * 10}, RAISE_IN_ONE_GROUP, None),
        ({0: numbers}, {1: "bytes"}, RAISE_IN_ONE_GROUP, None),
        ({0: numbers}, {1: 1.5}, RAISE_IN_ONE_GROUP, None),
        ({0: numbers}, good, RAISE_IN_ONE_GROUP, "10"),
        ({0: numbers}, good, {"no", "shader"}, None),
    ]
    for inputs, outputs, shader, n in wrong_types:
        with pytest.raises(TypeError):
            compute_with_buffers(inputs, outputs, shader, n=n)
    for wanted in ("10xtext", ("i",), (0, "i"), (-1, "i"), 0):
        with pytest.raises(ValueError, match="output_arrays"):
            compute_with_buffers({0: numbers}, {1: wanted}, RAISE_IN_ONE_GROUP)
    for n in (-1, 0, (1, 2, 3, 4)):
        with pytest.raises(ValueError, match="'n'"):
            compute_with_buffers({0: numbers}, good, RAISE_IN_ONE_GROUP, n=n)


# test_util_default_device


def test_default_device() -> None:
    devices = [get_default_device() for _ in range(3)]
    assert all(isinstance(device, wgpu.GPUDevice) for device in devices)
    # One device, of which each call gives an object.
    assert devices[0] == devices[1] == devices[2] == wgpu.gpu.request_adapter_sync().request_device_sync()
    program = "import streamlib.webgpu as wgpu; wgpu.utils.get_default_device(); print('over')"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout.strip(), "Traceback" in ran.stderr) == (0, "over", False), ran.stderr


# test_api


def test_api_enums_and_flags() -> None:
    for name in wgpu.enums.__all__:
        values = {key: value for key, value in vars(getattr(wgpu, name)).items() if not key.startswith("_")}
        assert values
        for key, value in values.items():
            assert isinstance(value, str)
            # What begins with a digit cannot be a name: `d2_array` is "2d-array".
            expected = f"{key[1]}d{key[2:]}" if key[:1] == "d" and key[1].isdigit() else key
            assert value == expected.replace("_", "-")
    assert wgpu.BufferBindingType.read_only_storage == "read-only-storage"
    for name in wgpu.flags.__all__:
        flags: list[Any] = list(getattr(wgpu, name))
        for flag in flags:
            assert flag.name.isupper()
            assert isinstance(flag, int)
            assert flag.bit_count() == 1
    assert wgpu.BufferUsage.MAP_READ | wgpu.BufferUsage.COPY_DST == 9
    assert (wgpu.TextureUsage.RENDER_ATTACHMENT, wgpu.ShaderStage.COMPUTE, wgpu.MapMode.WRITE) == (16, 4, 2)


def test_api_docstrings() -> None:
    without = []
    public = [(name, getattr(wgpu, name)) for name in wgpu.__all__]
    classes = [(name, value) for name, value in public if inspect.isclass(value)]
    for name, value in [*public, *inspect.getmembers(wgpu.utils, inspect.isfunction)]:
        if (inspect.isclass(value) or callable(value)) and name not in ("Extent3D", "Origin3D") and not inspect.getdoc(value):
            without.append(name)
    for name, value in classes:
        for member, attribute in vars(value).items():
            is_described = callable(attribute) or inspect.isdatadescriptor(attribute)
            if not member.startswith("_") and is_described and not isinstance(attribute, int) and not inspect.getdoc(attribute):
                without.append(f"{name}.{member}")
    assert len(classes) > 40
    assert without == []


def test_api_signatures() -> None:
    for name in ("request_adapter", "enumerate_adapters"):
        sync, promised = (inspect.signature(getattr(wgpu.gpu, f"{name}_{how}")) for how in ("sync", "async"))
        assert sync.parameters == promised.parameters
    assert issubclass(wgpu.GPUValidationError, wgpu.GPUError)
    assert issubclass(wgpu.GPUOutOfMemoryError, wgpu.GPUError)
    assert issubclass(wgpu.GPUBuffer, wgpu.GPUObjectBase)


# test_not_finite


@pytest.mark.parametrize(
    "how",
    [
        "let bits = bitcast<u32>(values[i]); let nan = (bits & 0x7fffffffu) > 0x7f800000u; let inf = (bits & 0x7fffffffu) == 0x7f800000u;",
        "let v = values[i]; let nan = max(v, -3.0) == -3.0 && min(v, 3.0) == 3.0; let inf = v != 0.0 && v + v == v;",
    ],
    ids=["bits", "extremes"],
)
def test_not_finite(how: str) -> None:
    code = f"""
    @group(0) @binding(0) var<storage, read> values: array<f32>;
    @group(0) @binding(1) var<storage, read_write> kinds: array<u32>;
    @group(0) @binding(2) var<storage, read_write> finite: array<f32>;

    @compute @workgroup_size(1)
    fn main(@builtin(workgroup_id) group: vec3u) {{
        let i = group.x;
        {how}
        kinds[i] = select(0u, 1u, inf) + select(0u, 2u, nan);
        finite[i] = select(values[i], 0.0, nan || inf);
    }}
    """
    ordinary = np.random.default_rng(13).uniform(-1e9, 1e9, 9).astype(np.float32)
    values = np.concatenate([np.zeros(5), [np.nan, -np.nan] * 4, [np.inf, -np.inf] * 4, ordinary, [3.0, -3.0]], dtype=np.float32)
    length = len(values)
    out = compute_with_buffers({0: values}, {1: (length, "I"), 2: (length, "f")}, code)
    np.testing.assert_array_equal(out[1], np.isinf(values) + 2 * np.isnan(values))
    np.testing.assert_array_equal(out[2], np.where(np.isfinite(values), values, 0))
    # What is only copied stays what it is, bit by bit.
    through = RAISE_IN_ONE_GROUP.replace(" + 100", "")
    assert compute_with_buffers({0: values}, {1: (length, "i")}, through)[1].tobytes() == values.tobytes()
