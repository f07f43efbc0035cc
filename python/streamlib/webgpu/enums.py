"""The specification's enumerations: their values are texts, which may be written as well."""

from collections.abc import Iterator
from typing import Final

__all__ = [
    "AddressMode",
    "AutoLayoutMode",
    "BufferBindingType",
    "BufferMapState",
    "CompareFunction",
    "FeatureName",
    "FilterMode",
    "MipmapFilterMode",
    "PowerPreference",
    "QueryType",
    "SamplerBindingType",
    "StorageTextureAccess",
    "TextureAspect",
    "TextureDimension",
    "TextureFormat",
    "TextureSampleType",
    "TextureViewDimension",
]


class Words(type):
    """What an enumeration can do: be shown, looked through and asked."""

    def __iter__(cls) -> Iterator[str]:
        return (value for name, value in vars(cls).items() if not name.startswith("_"))

    def __contains__(cls, value: object) -> bool:
        return value in tuple(cls)

    def __repr__(cls) -> str:
        return f"<{cls.__name__}: {', '.join(cls)}>"


class AddressMode(metaclass=Words):
    """Beyond the edge of a texture."""

    clamp_to_edge: Final = "clamp-to-edge"
    repeat: Final = "repeat"
    mirror_repeat: Final = "mirror-repeat"


class AutoLayoutMode(metaclass=Words):
    """The layout that the shader says."""

    auto: Final = "auto"


class BufferBindingType(metaclass=Words):
    """How a shader uses a buffer."""

    uniform: Final = "uniform"
    storage: Final = "storage"
    read_only_storage: Final = "read-only-storage"


class BufferMapState(metaclass=Words):
    """Whose a buffer's memory is."""

    unmapped: Final = "unmapped"
    pending: Final = "pending"
    mapped: Final = "mapped"


class CompareFunction(metaclass=Words):
    """How a sampler compares."""

    never: Final = "never"
    less: Final = "less"
    equal: Final = "equal"
    less_equal: Final = "less-equal"
    greater: Final = "greater"
    not_equal: Final = "not-equal"
    greater_equal: Final = "greater-equal"
    always: Final = "always"


class FeatureName(metaclass=Words):
    """What not every device can do."""

    depth_clip_control: Final = "depth-clip-control"
    depth32float_stencil8: Final = "depth32float-stencil8"
    texture_compression_bc: Final = "texture-compression-bc"
    texture_compression_bc_sliced_3d: Final = "texture-compression-bc-sliced-3d"
    texture_compression_etc2: Final = "texture-compression-etc2"
    texture_compression_astc: Final = "texture-compression-astc"
    texture_compression_astc_sliced_3d: Final = "texture-compression-astc-sliced-3d"
    timestamp_query: Final = "timestamp-query"
    indirect_first_instance: Final = "indirect-first-instance"
    shader_f16: Final = "shader-f16"
    rg11b10ufloat_renderable: Final = "rg11b10ufloat-renderable"
    bgra8unorm_storage: Final = "bgra8unorm-storage"
    float32_filterable: Final = "float32-filterable"
    float32_blendable: Final = "float32-blendable"
    clip_distances: Final = "clip-distances"
    dual_source_blending: Final = "dual-source-blending"
    subgroups: Final = "subgroups"
    core_features_and_limits: Final = "core-features-and-limits"
    texture_formats_tier1: Final = "texture-formats-tier1"
    texture_formats_tier2: Final = "texture-formats-tier2"
    primitive_index: Final = "primitive-index"


class FilterMode(metaclass=Words):
    """Between texels."""

    nearest: Final = "nearest"
    linear: Final = "linear"


class MipmapFilterMode(metaclass=Words):
    """Between mip levels."""

    nearest: Final = "nearest"
    linear: Final = "linear"


class PowerPreference(metaclass=Words):
    """Which adapter."""

    low_power: Final = "low-power"
    high_performance: Final = "high-performance"


class QueryType(metaclass=Words):
    """What is asked."""

    occlusion: Final = "occlusion"
    timestamp: Final = "timestamp"


class SamplerBindingType(metaclass=Words):
    """How a shader uses a sampler."""

    filtering: Final = "filtering"
    non_filtering: Final = "non-filtering"
    comparison: Final = "comparison"


class StorageTextureAccess(metaclass=Words):
    """How a shader uses a storage texture."""

    write_only: Final = "write-only"
    read_only: Final = "read-only"
    read_write: Final = "read-write"


class TextureAspect(metaclass=Words):
    """Which part of its texels."""

    all: Final = "all"
    stencil_only: Final = "stencil-only"
    depth_only: Final = "depth-only"


class TextureDimension(metaclass=Words):
    """How many sides a texture has."""

    d1: Final = "1d"
    d2: Final = "2d"
    d3: Final = "3d"


class TextureFormat(metaclass=Words):
    """How texels lie in memory."""

    r8unorm: Final = "r8unorm"
    r8snorm: Final = "r8snorm"
    r8uint: Final = "r8uint"
    r8sint: Final = "r8sint"
    r16unorm: Final = "r16unorm"
    r16snorm: Final = "r16snorm"
    r16uint: Final = "r16uint"
    r16sint: Final = "r16sint"
    r16float: Final = "r16float"
    rg8unorm: Final = "rg8unorm"
    rg8snorm: Final = "rg8snorm"
    rg8uint: Final = "rg8uint"
    rg8sint: Final = "rg8sint"
    r32uint: Final = "r32uint"
    r32sint: Final = "r32sint"
    r32float: Final = "r32float"
    rg16unorm: Final = "rg16unorm"
    rg16snorm: Final = "rg16snorm"
    rg16uint: Final = "rg16uint"
    rg16sint: Final = "rg16sint"
    rg16float: Final = "rg16float"
    rgba8unorm: Final = "rgba8unorm"
    rgba8unorm_srgb: Final = "rgba8unorm-srgb"
    rgba8snorm: Final = "rgba8snorm"
    rgba8uint: Final = "rgba8uint"
    rgba8sint: Final = "rgba8sint"
    bgra8unorm: Final = "bgra8unorm"
    bgra8unorm_srgb: Final = "bgra8unorm-srgb"
    rgb9e5ufloat: Final = "rgb9e5ufloat"
    rgb10a2uint: Final = "rgb10a2uint"
    rgb10a2unorm: Final = "rgb10a2unorm"
    rg11b10ufloat: Final = "rg11b10ufloat"
    rg32uint: Final = "rg32uint"
    rg32sint: Final = "rg32sint"
    rg32float: Final = "rg32float"
    rgba16unorm: Final = "rgba16unorm"
    rgba16snorm: Final = "rgba16snorm"
    rgba16uint: Final = "rgba16uint"
    rgba16sint: Final = "rgba16sint"
    rgba16float: Final = "rgba16float"
    rgba32uint: Final = "rgba32uint"
    rgba32sint: Final = "rgba32sint"
    rgba32float: Final = "rgba32float"
    stencil8: Final = "stencil8"
    depth16unorm: Final = "depth16unorm"
    depth24plus: Final = "depth24plus"
    depth24plus_stencil8: Final = "depth24plus-stencil8"
    depth32float: Final = "depth32float"
    depth32float_stencil8: Final = "depth32float-stencil8"
    bc1_rgba_unorm: Final = "bc1-rgba-unorm"
    bc1_rgba_unorm_srgb: Final = "bc1-rgba-unorm-srgb"
    bc2_rgba_unorm: Final = "bc2-rgba-unorm"
    bc2_rgba_unorm_srgb: Final = "bc2-rgba-unorm-srgb"
    bc3_rgba_unorm: Final = "bc3-rgba-unorm"
    bc3_rgba_unorm_srgb: Final = "bc3-rgba-unorm-srgb"
    bc4_r_unorm: Final = "bc4-r-unorm"
    bc4_r_snorm: Final = "bc4-r-snorm"
    bc5_rg_unorm: Final = "bc5-rg-unorm"
    bc5_rg_snorm: Final = "bc5-rg-snorm"
    bc6h_rgb_ufloat: Final = "bc6h-rgb-ufloat"
    bc6h_rgb_float: Final = "bc6h-rgb-float"
    bc7_rgba_unorm: Final = "bc7-rgba-unorm"
    bc7_rgba_unorm_srgb: Final = "bc7-rgba-unorm-srgb"
    etc2_rgb8unorm: Final = "etc2-rgb8unorm"
    etc2_rgb8unorm_srgb: Final = "etc2-rgb8unorm-srgb"
    etc2_rgb8a1unorm: Final = "etc2-rgb8a1unorm"
    etc2_rgb8a1unorm_srgb: Final = "etc2-rgb8a1unorm-srgb"
    etc2_rgba8unorm: Final = "etc2-rgba8unorm"
    etc2_rgba8unorm_srgb: Final = "etc2-rgba8unorm-srgb"
    eac_r11unorm: Final = "eac-r11unorm"
    eac_r11snorm: Final = "eac-r11snorm"
    eac_rg11unorm: Final = "eac-rg11unorm"
    eac_rg11snorm: Final = "eac-rg11snorm"
    astc_4x4_unorm: Final = "astc-4x4-unorm"
    astc_4x4_unorm_srgb: Final = "astc-4x4-unorm-srgb"
    astc_5x4_unorm: Final = "astc-5x4-unorm"
    astc_5x4_unorm_srgb: Final = "astc-5x4-unorm-srgb"
    astc_5x5_unorm: Final = "astc-5x5-unorm"
    astc_5x5_unorm_srgb: Final = "astc-5x5-unorm-srgb"
    astc_6x5_unorm: Final = "astc-6x5-unorm"
    astc_6x5_unorm_srgb: Final = "astc-6x5-unorm-srgb"
    astc_6x6_unorm: Final = "astc-6x6-unorm"
    astc_6x6_unorm_srgb: Final = "astc-6x6-unorm-srgb"
    astc_8x5_unorm: Final = "astc-8x5-unorm"
    astc_8x5_unorm_srgb: Final = "astc-8x5-unorm-srgb"
    astc_8x6_unorm: Final = "astc-8x6-unorm"
    astc_8x6_unorm_srgb: Final = "astc-8x6-unorm-srgb"
    astc_8x8_unorm: Final = "astc-8x8-unorm"
    astc_8x8_unorm_srgb: Final = "astc-8x8-unorm-srgb"
    astc_10x5_unorm: Final = "astc-10x5-unorm"
    astc_10x5_unorm_srgb: Final = "astc-10x5-unorm-srgb"
    astc_10x6_unorm: Final = "astc-10x6-unorm"
    astc_10x6_unorm_srgb: Final = "astc-10x6-unorm-srgb"
    astc_10x8_unorm: Final = "astc-10x8-unorm"
    astc_10x8_unorm_srgb: Final = "astc-10x8-unorm-srgb"
    astc_10x10_unorm: Final = "astc-10x10-unorm"
    astc_10x10_unorm_srgb: Final = "astc-10x10-unorm-srgb"
    astc_12x10_unorm: Final = "astc-12x10-unorm"
    astc_12x10_unorm_srgb: Final = "astc-12x10-unorm-srgb"
    astc_12x12_unorm: Final = "astc-12x12-unorm"
    astc_12x12_unorm_srgb: Final = "astc-12x12-unorm-srgb"


class TextureSampleType(metaclass=Words):
    """What a shader reads of a texture."""

    float: Final = "float"
    unfilterable_float: Final = "unfilterable-float"
    depth: Final = "depth"
    sint: Final = "sint"
    uint: Final = "uint"


class TextureViewDimension(metaclass=Words):
    """How a view looks at a texture."""

    d1: Final = "1d"
    d2: Final = "2d"
    d2_array: Final = "2d-array"
    cube: Final = "cube"
    cube_array: Final = "cube-array"
    d3: Final = "3d"
