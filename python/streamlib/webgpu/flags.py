"""The specification's flags. Where they are taken, so is their text: `"COPY_SRC | COPY_DST"`."""

from enum import IntFlag

__all__ = ["BufferUsage", "MapMode", "ShaderStage", "TextureUsage"]


class BufferUsage(IntFlag):
    """What a buffer may be used for."""

    MAP_READ = 0x0001
    MAP_WRITE = 0x0002
    COPY_SRC = 0x0004
    COPY_DST = 0x0008
    INDEX = 0x0010
    VERTEX = 0x0020
    UNIFORM = 0x0040
    STORAGE = 0x0080
    INDIRECT = 0x0100
    QUERY_RESOLVE = 0x0200


class MapMode(IntFlag):
    """What a buffer is mapped for."""

    READ = 0x0001
    WRITE = 0x0002


class ShaderStage(IntFlag):
    """Which shaders see a binding."""

    VERTEX = 0x1
    FRAGMENT = 0x2
    COMPUTE = 0x4


class TextureUsage(IntFlag):
    """What a texture may be used for."""

    COPY_SRC = 0x01
    COPY_DST = 0x02
    TEXTURE_BINDING = 0x04
    STORAGE_BINDING = 0x08
    RENDER_ATTACHMENT = 0x10
