"""The specification's structures: dicts, whose members these name for type checkers. What is in a `total=False` class may be left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from .._native import Buffer, QuerySet, Sampler, ShaderModule, Texture, TextureView

__all__ = [
    "AdapterInfo",
    "BindGroupEntry",
    "BindGroupLayoutEntry",
    "BufferBinding",
    "BufferBindingLayout",
    "ComputePassTimestampWrites",
    "Extent3D",
    "Extent3DDict",
    "Origin3D",
    "Origin3DDict",
    "ProgrammableStage",
    "SamplerBindingLayout",
    "StorageTextureBindingLayout",
    "TexelCopyBufferInfo",
    "TexelCopyBufferLayout",
    "TexelCopyTextureInfo",
    "TextureBindingLayout",
]


class AdapterInfo(dict[str, Any]):
    """What is known of an adapter: a dict whose items are attributes, too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"an adapter's info has no {name!r}; it has {', '.join(self)}") from None


class _Extent3D(TypedDict):
    width: int


class Extent3DDict(_Extent3D, total=False):
    """Texels, or layers: each 1 unless told."""

    height: int
    depth_or_array_layers: int


class Origin3DDict(TypedDict, total=False):
    """Where: each 0 unless told."""

    x: int
    y: int
    z: int


Extent3D = Sequence[int] | Extent3DDict
Origin3D = Sequence[int] | Origin3DDict


class _BufferBinding(TypedDict):
    buffer: Buffer


class BufferBinding(_BufferBinding, total=False):
    """A part of a buffer: all from `offset` on, unless told."""

    offset: int
    size: int | None


class BindGroupEntry(TypedDict):
    """A member of a bind group."""

    binding: int
    resource: Buffer | BufferBinding | TextureView | Texture | Sampler


class BufferBindingLayout(TypedDict, total=False):
    """A buffer: `"uniform"` unless told."""

    type: str
    has_dynamic_offset: bool
    min_binding_size: int


class SamplerBindingLayout(TypedDict, total=False):
    """A sampler: `"filtering"` unless told."""

    type: str


class TextureBindingLayout(TypedDict, total=False):
    """A texture that is read: `"float"` and `"2d"` unless told."""

    sample_type: str
    view_dimension: str
    multisampled: bool


class _StorageTextureBindingLayout(TypedDict):
    format: str


class StorageTextureBindingLayout(_StorageTextureBindingLayout, total=False):
    """A storage texture: `"write-only"` and `"2d"` unless told."""

    access: str
    view_dimension: str


class _BindGroupLayoutEntry(TypedDict):
    binding: int
    visibility: int | str


class BindGroupLayoutEntry(_BindGroupLayoutEntry, total=False):
    """A member of a bind group's layout, which is one of the four."""

    buffer: BufferBindingLayout
    sampler: SamplerBindingLayout
    texture: TextureBindingLayout
    storage_texture: StorageTextureBindingLayout


class _ProgrammableStage(TypedDict):
    module: ShaderModule


class ProgrammableStage(_ProgrammableStage, total=False):
    """A function of a shader; if the shader has one only, its name may be left out."""

    entry_point: str | None
    constants: dict[str, float] | dict[int, float] | None


class _ComputePassTimestampWrites(TypedDict):
    query_set: QuerySet


class ComputePassTimestampWrites(_ComputePassTimestampWrites, total=False):
    """Which queries get the times at which a pass begins and ends."""

    beginning_of_pass_write_index: int
    end_of_pass_write_index: int


class TexelCopyBufferLayout(TypedDict, total=False):
    """How texels lie in memory."""

    offset: int
    bytes_per_row: int | None
    rows_per_image: int | None


class _TexelCopyBufferInfo(TypedDict):
    buffer: Buffer


class TexelCopyBufferInfo(_TexelCopyBufferInfo, TexelCopyBufferLayout):
    """Texels in a buffer."""


class _TexelCopyTextureInfo(TypedDict):
    texture: Texture


class TexelCopyTextureInfo(_TexelCopyTextureInfo, total=False):
    """Texels of a texture."""

    mip_level: int
    origin: Origin3D
    aspect: str
