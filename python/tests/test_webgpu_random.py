"""Calls at random, right and wrong: nothing crashes, refusals say something, and what is in buffers is what it should be."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import gc
import os
import random
import re
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from conftest import alive, gpu_objects

import streamlib as sl
from streamlib import webgpu

STEPS = int(os.environ.get("STREAMLIB_STEPS", "100000"))
SEED = int(os.environ.get("STREAMLIB_SEED", "1"))

ALLOWED = (TypeError, ValueError, OverflowError, MemoryError, BufferError, sl.Error)

# What errors are about, where they name neither an argument nor the call.
NAMED = (
    "while processing",
    "buffer",
    "pipeline",
    "texture",
    "encoder",
    "pass",
    "shader",
    "query set",
    "layout",
    "bind group",
    "memoryview",
    "adapter",
    "mapped",
)


def said(error: BaseException) -> str:
    """Tell all that an error says: what PyO3 refuses of an argument names it in a note."""
    return " ".join([str(error), *getattr(error, "__notes__", [])])


ADD = """
@group(0) @binding(0) var<storage, read_write> own: array<u32>;
@group(0) @binding(1) var<storage, read> others: array<u32>;
override more: u32 = 0;
@compute @workgroup_size(16)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if id.x < arrayLength(&own) { own[id.x] += others[id.x % arrayLength(&others)] + more; }
}
"""
PAINT = """
@group(0) @binding(0) var picture: texture_storage_2d<rgba8unorm, write>;
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) { textureStore(picture, id.xy, vec4f(1.0)); }
"""
GLSL = """#version 450
layout(local_size_x = 8) in;
layout(set = 0, binding = 0) buffer B { uint data[]; };
void main() { uint i = gl_GlobalInvocationID.x; if (i < data.length()) { data[i] = data[i] * 2u; } }
"""
_NAME = struct.unpack("<2I", b"main\0\0\0\0")
# One empty function with a workgroup of (1, 1, 1).
SPIRV = (0x07230203, 0x10000, 0, 20, 0, 2 << 16 | 17, 1, 3 << 16 | 14, 0, 1, 5 << 16 | 15, 5, 1, *_NAME, 6 << 16 | 16, 1, 17, 1, 1, 1)
SPIRV += (2 << 16 | 19, 2, 3 << 16 | 33, 3, 2, 5 << 16 | 54, 2, 1, 0, 3, 2 << 16 | 248, 4, 1 << 16 | 253, 1 << 16 | 56)
TOKENS = ["u32", "(", ")", "{", "}", ";", "0", "-1", "1e39", "vec4", "@", "<", ">", "array", "var", "[", "]", "uint", "/0", "é", "\0"]

# Not as large as there may be memory for.
HUGE = [2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 8, 2**64 - 1, 2**64, 2**200]
ODD = [-1, -4, -(2**63), 1, 2, 3, 5, 7, 2**32 - 4, 2**32 - 1, 2**32, *HUGE]
JUNK: list[Any] = [None, "x", "", b"bytes", 1.5, float("nan"), [], {}, (), object(), int, "\ud800", "a\0b", {"buffer": 1}, [None], True]
ZEROS = np.zeros((8, 8, 4), np.uint8)


@dataclasses.dataclass
class Known:
    """A buffer whose contents are known."""

    buffer: webgpu.Buffer
    bytes: bytearray
    mode: str = ""
    range: tuple[int, int] = (0, 0)


@dataclasses.dataclass
class Recorded:
    """An encoder or a command buffer, with what its commands do to buffers that are known."""

    commands: Any
    effects: list[Callable[[], None]]


class World:
    """Objects of all classes, and calls on them."""

    def __init__(self, gpu: sl.GpuContext, seed: int) -> None:
        self.chance = random.Random(seed)
        self.gpu, self.device, self.queue = gpu, gpu.device, gpu.device.queue
        self.things: dict[str, list[Any]] = collections.defaultdict(list)
        self.known: list[Known] = []
        self.published: list[tuple[sl.VideoFrame, np.ndarray]] = []
        self.odd = 0.15
        self.outcomes: collections.Counter[str] = collections.Counter()
        self.wrong: dict[str, str] = {}
        for usage in ("COPY_SRC | COPY_DST", "COPY_SRC | COPY_DST", "COPY_SRC | COPY_DST", "MAP_READ | COPY_DST", "MAP_WRITE | COPY_SRC"):
            self.make_known(usage)
        self.things["module"] += [self.device.create_shader_module(code=code) for code in (ADD, PAINT, GLSL)]
        for module in self.things["module"]:
            pipeline = self.device.create_compute_pipeline(layout="auto", compute={"module": module})
            self.things["pipeline"].append(pipeline)
            self.things["layout"].append(pipeline.get_bind_group_layout(0))
        self.right = list(zip(self.things["pipeline"], self.things["layout"], strict=True))
        self.actions = [getattr(self, name) for name in dir(self) if name.startswith("do_")]
        often = {
            "do_commands": 8,
            "do_passes": 8,
            "do_finish": 5,
            "do_submit": 8,
            "do_right": 8,
            "do_known": 20,
            "do_map": 6,
            "do_publish": 0.2,
            "do_compile": 1,
        }
        self.weights = [often.get(action.__name__, 3) for action in self.actions]

    def make_known(self, usage: int | str) -> None:
        size = self.chance.choice([64, 256, 1024])
        # Written at once: wgpu 30 takes a buffer to be zeroed that was first used in a submission which it then refused.
        buffer = self.device.create_buffer_with_data(data=bytes(size), usage=usage)
        self.known.append(Known(buffer, bytearray(size)))

    # How calls are made.

    def step(self) -> None:
        self.chance.choices(self.actions, self.weights)[0]()

    def call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> tuple[bool, Any]:
        """Call something that may refuse; whether it did not, and what it returned."""
        what = getattr(function, "__qualname__", repr(function))
        try:
            made = function(*arguments, **named)
        except sl.PanickedError as error:
            # wgpu's or naga's: what we give them has to be looked at before.
            self.outcomes[type(error).__name__] += 1
            self.wrong.setdefault(f"{what}: {str(error)[:80]}", f"{arguments!r} {named!r}"[:400])
        except ALLOWED as error:
            self.outcomes[type(error).__name__] += 1
            if not any(word in said(error).lower() for word in ("argument", function.__name__, "device", *NAMED)):
                self.wrong.setdefault(f"{what}: {type(error).__name__} names nothing: {said(error)[:80]}", f"{arguments!r} {named!r}"[:400])
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self.outcomes[type(error).__name__] += 1
            self.wrong.setdefault(f"{what}: {type(error).__name__}: {str(error)[:80]}", f"{arguments!r} {named!r}"[:400])
        else:
            self.outcomes["none"] += 1
            return True, made
        return False, None

    def keep(self, kind: str, made: tuple[bool, Any]) -> None:
        if made[0]:
            self.things[kind].append(made[1])
            if len(self.things[kind]) > 12:
                self.things[kind].pop(self.chance.randrange(12))

    def one_known(self, usage: int, but: Known | None = None) -> Known:
        fit = [known for known in self.known if known.buffer.usage & usage and known.mode == "" and known is not but]
        return self.chance.choice(fit if fit and self.chance.random() >= self.odd else self.known)

    # What calls are given.

    def some(self, kind: str) -> Any:
        """A thing of a kind, or, rarely, of another, or junk."""
        which = self.chance.random()
        if which < 0.02:
            return self.chance.choice(JUNK)
        if which < 0.04:
            kind = self.chance.choice(list(self.things))
        things = self.things[kind]
        thing = self.chance.choice(things) if things else None
        return thing.commands if isinstance(thing, Recorded) else thing

    def number(self, *good: int, junk: bool = True) -> Any:
        if self.chance.random() >= self.odd:
            return self.chance.choice(good)
        return self.chance.choice(JUNK) if junk and self.chance.random() < 0.2 else self.chance.choice(ODD)

    def word(self, *good: Any) -> Any:
        return self.chance.choice(good) if self.chance.random() < 0.93 else self.chance.choice(JUNK)

    def size(self) -> Any:
        if self.chance.random() < 0.05:
            return self.word((), (1, 2, 3, 4), {"width": 4}, {"width": 4, "hight": 4}, 8, "88")
        return tuple(self.number(1, 4, 8, 8, 32, 0) for _ in range(self.chance.choice([1, 2, 2, 2, 3])))

    def data(self) -> Any:
        length = self.chance.choice([0, 4, 8, 16, 64, 256, 1024, 3, 5])
        made = self.chance.randbytes(length)
        return self.word(made, made, bytearray(made), memoryview(made), np.frombuffer(made, np.uint8)[::-1])

    def texels(self) -> Any:
        copy = {"texture": self.some("texture")}
        if self.chance.random() < 0.3:
            copy["origin"] = self.word((0, 0), (self.number(0, 4), self.number(0, 8)), {"x": self.number(1)}, (0, 0, self.number(0, 1)))
        if self.chance.random() < 0.2:
            copy["mip_level"] = self.number(0, 1)
        if self.chance.random() < 0.1:
            copy["aspect"] = self.word("all", "depth-only", "stencil-only")
        return self.word(copy, copy, copy, copy, {**copy, "miplevel": 1})

    def rows(self) -> dict[str, Any]:
        rows: dict[str, Any] = {}
        if self.chance.random() < 0.7:
            # What is between is memory that there may be.
            rows["bytes_per_row"] = self.word(256, 32, 512, 128, 0, -1)
        if self.chance.random() < 0.3:
            rows["rows_per_image"] = self.word(8, 4, 32, 0, -1)
        if self.chance.random() < 0.3:
            rows["offset"] = self.chance.choice([0, 4, 256, 1, 0, 4, 256, self.chance.choice([-1, *HUGE])])
        if self.chance.random() < 0.02:
            rows |= {"bytes_per_row": 2**32 - 256, "rows_per_image": 2**32 - 1}
        return rows

    # Creation and destruction.

    def do_buffer(self) -> None:
        usage = self.word(
            "STORAGE | COPY_SRC | COPY_DST | INDIRECT", "COPY_SRC", "MAP_READ | COPY_DST", "MAP_WRITE|COPY_SRC", 0x208, self.number(0xFF)
        )
        mapped = {"mapped_at_creation": True} if self.chance.random() < 0.2 else {}
        size = self.word(*[self.number(4, 16, 64, 256, 1024, 4096) if self.chance.random() < 0.9 else self.chance.choice(HUGE)])
        if isinstance(size, int) and 4096 < size < 2**40:
            size = 0
        self.keep("buffer", self.call(self.device.create_buffer, size=size, usage=usage, **mapped))

    def do_buffer_with_data(self) -> None:
        self.keep(
            "buffer", self.call(self.device.create_buffer_with_data, data=self.data(), usage=self.word("STORAGE", "COPY_SRC", "NO", 0))
        )

    def do_texture(self) -> None:
        more = {"mip_level_count": self.number(1, 2)} if self.chance.random() < 0.2 else {}
        if self.chance.random() < 0.2:
            more |= {"dimension": self.word("1d", "2d", "3d"), "sample_count": self.number(1, 4)}
        if self.chance.random() < 0.1:
            more["view_formats"] = self.word(["rgba8unorm-srgb"], ["r8unorm"], [], ["no"])
        format = self.word("rgba8unorm", "rgba8unorm", "r32float", "rgba8uint", "depth24plus", "bc1-rgba-unorm", "stencil8")
        usage = self.word("COPY_SRC|COPY_DST|TEXTURE_BINDING", "COPY_SRC|COPY_DST|STORAGE_BINDING", self.number(0x1F))
        self.keep("texture", self.call(self.device.create_texture, size=self.size(), format=format, usage=usage, **more))

    def do_frame(self) -> None:
        frame = self.gpu.frame(8, 8)
        frame.write(ZEROS)
        self.keep("frame", (True, frame))
        self.keep("texture", (True, frame.texture))

    def do_publish(self) -> None:
        """Send a frame, which commands that were recorded may write."""
        if not self.things["frame"]:
            return
        sent = self.chance.choice(self.things["frame"])

        @sl.processor
        def source() -> Iterator[sl.VideoFrame]:
            yield sent

        graph = sl.Graph()
        graph.chain(source(), sl.Null())
        graph.run(offline=True)
        self.published = [*self.published[-4:], (sent, sent.to_numpy(copy=True))]

    def do_view(self) -> None:
        texture, more = self.some("texture"), {}
        if self.chance.random() < 0.4:
            more = {"base_mip_level": self.number(0), "mip_level_count": self.number(1), "base_array_layer": self.number(0)}
            more |= {"array_layer_count": self.number(1), "dimension": self.word("2d", "3d", "cube"), "usage": self.word(None, 4)}
        if isinstance(texture, webgpu.Texture):
            self.keep("view", self.call(texture.create_view, **more))

    def do_sampler(self) -> None:
        more = {
            "lod_min_clamp": self.number(0),
            "max_anisotropy": self.number(1),
            "compare": self.word(None, "less"),
            "mag_filter": self.word("linear"),
        }
        self.keep("sampler", self.call(self.device.create_sampler, **more))

    def do_query_set(self) -> None:
        kind = self.word("timestamp", "occlusion")
        self.keep("query_set", self.call(self.device.create_query_set, type=kind, count=self.number(1, 4, 16)))

    def do_layout(self) -> None:
        def entry() -> Any:
            what = {
                "buffer": {"type": self.word("storage", "read-only-storage", "uniform"), "has_dynamic_offset": self.chance.random() < 0.2},
                "sampler": {"type": self.word("filtering", "comparison")},
                "texture": {"sample_type": self.word("float", "uint"), "multisampled": self.chance.random() < 0.1},
                "storage_texture": {"format": self.word("rgba8unorm", "r32float"), "access": self.word("write-only", "read-only")},
            }
            kind = self.chance.choice(list(what))
            return self.word(
                *[{"binding": self.number(0, 1, 2), "visibility": self.word(4, "COMPUTE", 7), kind: what[kind]}] * 3, {kind: 1}
            )

        entries = [entry() for _ in range(self.chance.randrange(4))]
        self.keep("layout", self.call(self.device.create_bind_group_layout, entries=self.word(entries)))
        if self.chance.random() < 0.3:
            layouts = [self.some("layout") for _ in range(self.chance.choice([0, 1, 2, 4, 9]))]
            size = self.number(0, 4, 128)
            self.keep("pipeline_layout", self.call(self.device.create_pipeline_layout, bind_group_layouts=layouts, immediate_size=size))

    def do_group(self) -> None:
        kinds = ["buffer", "buffer", "texture", "view", "sampler"]

        def entry(binding: int) -> Any:
            resource = self.some(self.chance.choice(kinds))
            if isinstance(resource, webgpu.Buffer) and self.chance.random() < 0.4:
                resource = {"buffer": resource, "offset": self.number(0, 256), "size": self.number(4, 16, 64)}
            return self.word({"binding": self.number(binding), "resource": resource})

        entries = [entry(binding) for binding in range(self.chance.choice([1, 2, 2, 3]))]
        self.keep("group", self.call(self.device.create_bind_group, layout=self.some("layout"), entries=self.word(entries)))

    def do_compile(self) -> None:
        """Shaders with changes at random; those that can be compiled are never run."""
        which = self.chance.randrange(3)
        code: str | bytes
        if which == 2:
            words = list(SPIRV)
            for _ in range(self.chance.randrange(4)):
                words[self.chance.randrange(1, len(words))] = self.chance.choice([self.chance.randrange(25), self.chance.getrandbits(32)])
            del words[self.chance.choice([len(words), self.chance.randrange(len(words))]) :]
            code = struct.pack(f"<{len(words)}I", *words)
        else:
            parts = re.findall(r"\w+|\s+|.", [ADD, GLSL][which])
            for _ in range(self.chance.randrange(4)):
                place = self.chance.randrange(3, len(parts))
                parts[place : place + self.chance.randrange(2)] = [self.chance.choice(TOKENS + parts)]
            code = "".join(parts)
        self.call(self.device.create_shader_module, code=self.word(code, code, code))

    def do_pipeline(self) -> None:
        compute = {"module": self.some("module")}
        if self.chance.random() < 0.5:
            compute["entry_point"] = self.word("main", "none", "main", None)
        if self.chance.random() < 0.5:
            # Few that are right: each is compiled.
            compute["constants"] = self.word({"more": self.number(1, 2)}, {"less": 1}, {"more": float("inf")})
        make = self.chance.choice([self.device.create_compute_pipeline, self.device.create_compute_pipeline_async])
        made = self.call(make, layout=self.word("auto", self.some("pipeline_layout")), compute=compute)
        if isinstance(made[1], webgpu.Promise):
            made = self.call(made[1].sync_wait) if self.chance.random() < 0.5 else (False, None)
        self.keep("pipeline", made)
        if made[1] is not None:
            self.keep("layout", self.call(made[1].get_bind_group_layout, self.number(0, 1)))

    def do_destroy(self) -> None:
        thing = self.some(self.chance.choice(["buffer", "texture", "query_set"]))
        if hasattr(thing, "destroy") and not isinstance(thing, webgpu.Device):
            self.call(thing.destroy)

    def do_drop(self) -> None:
        """Forget objects, in any order."""
        for kind in self.chance.sample(list(self.things), 2):
            if len(self.things[kind]) > 3:
                self.things[kind].pop(self.chance.randrange(3, len(self.things[kind])))

    def do_look(self) -> None:
        thing = self.some(self.chance.choice(list(self.things)))
        for name in dir(type(thing)) if type(thing).__module__ == "streamlib.webgpu" else []:
            if not callable(getattr(type(thing), name)):
                self.call(getattr, thing, name)
        self.call(repr, thing)

    # Commands.

    def do_encoder(self) -> None:
        self.keep("encoder", (True, Recorded(self.device.create_command_encoder(), [])))

    def do_commands(self) -> None:
        if not self.things["encoder"]:
            return
        recorded: Recorded = self.chance.choice(self.things["encoder"])
        encoder: webgpu.CommandEncoder = recorded.commands
        buffer = {"buffer": self.some("buffer"), **self.rows()}
        which = self.chance.randrange(10)
        if which < 3:
            self.known_copy(recorded)
        elif which == 3:
            self.known_clear(recorded)
        elif which == 4:
            more = [self.number(0, 16), self.number(4, 16), self.number(0, 8)]
            self.call(encoder.copy_buffer_to_buffer, self.some("buffer"), more[0], self.some("buffer"), more[2], more[1])
        elif which == 5:
            self.call(encoder.copy_buffer_to_texture, buffer, self.texels(), self.size())
        elif which == 6:
            self.call(encoder.copy_texture_to_buffer, self.texels(), buffer, self.size())
        elif which == 7:
            self.call(encoder.copy_texture_to_texture, self.texels(), self.texels(), self.size())
        elif which == 8:
            self.call(
                encoder.resolve_query_set,
                self.some("query_set"),
                self.number(0, 1),
                self.number(1, 2),
                self.some("buffer"),
                self.number(0, 256),
            )
        else:
            call = self.chance.choice([encoder.push_debug_group, encoder.insert_debug_marker, lambda _: encoder.pop_debug_group()])
            self.call(call, self.word("group", ""))

    def do_right(self) -> None:
        """Record what is mostly right, so that it can be submitted."""
        recorded = Recorded(self.device.create_command_encoder(), [])
        self.odd = 0.01
        for _ in range(self.chance.randrange(1, 4)):
            self.chance.choice([self.known_copy, self.known_clear])(recorded)
        self.odd = 0.15
        if self.chance.random() < 0.5:
            self.right_pass(recorded.commands)
        done, commands = self.call(recorded.commands.finish)
        self.keep("commands", (done, Recorded(commands, recorded.effects)))

    def right_pass(self, encoder: webgpu.CommandEncoder) -> None:
        which = self.chance.randrange(2)
        pipeline, layout = self.right[which]
        resources: list[Any] = [self.gpu.frame(8, 8).texture]
        if which == 0:
            resources = [self.device.create_buffer_with_data(data=self.chance.randbytes(256), usage="STORAGE | COPY_SRC") for _ in range(2)]
        elif self.things["frame"] and self.chance.random() < 0.5:
            resources = [self.chance.choice(self.things["frame"]).texture]
        entries = [{"binding": binding, "resource": resource} for binding, resource in enumerate(resources)]
        done, group = self.call(self.device.create_bind_group, layout=layout, entries=entries)
        if done:
            self.keep("group", (True, group))
            self.keep("buffer" if which == 0 else "texture", (True, resources[0]))
            recording = encoder.begin_compute_pass()
            recording.set_pipeline(pipeline)
            if self.call(recording.set_bind_group, 0, group)[0]:
                recording.dispatch_workgroups(1)
            recording.end()

    def known_copy(self, recorded: Recorded) -> None:
        target = self.one_known(webgpu.BufferUsage.COPY_DST)
        source = self.one_known(webgpu.BufferUsage.COPY_SRC, target)
        begin, to, size = self.number(0, 4, 8, 16), self.number(0, 4, 8, 32), self.number(4, 8, 16, 64)
        done, _ = self.call(recorded.commands.copy_buffer_to_buffer, source.buffer, begin, target.buffer, to, size)
        if done:

            def copied(source: bytearray = source.bytes, target: bytearray = target.bytes) -> None:
                target[to : to + length] = source[begin : begin + length]

            length = size if size is not None else len(source.bytes) - begin
            recorded.effects.append(copied)

    def known_clear(self, recorded: Recorded) -> None:
        known, begin, size = self.one_known(webgpu.BufferUsage.COPY_DST), self.number(0, 4, 16), self.number(4, 8, 16)
        done, _ = self.call(recorded.commands.clear_buffer, known.buffer, begin, size)
        if done:

            def cleared(target: bytearray = known.bytes) -> None:
                end = len(target) if size is None else begin + size
                target[begin:end] = bytes(end - begin)

            recorded.effects.append(cleared)

    def do_begin_pass(self) -> None:
        encoder, more = self.some("encoder"), {}
        if self.chance.random() < 0.2:
            more["timestamp_writes"] = {"query_set": self.some("query_set"), "end_of_pass_write_index": self.number(0, 1)}
        if isinstance(encoder, webgpu.CommandEncoder):
            self.keep("pass", self.call(encoder.begin_compute_pass, **more))

    def do_passes(self) -> None:
        if not self.things["pass"]:
            return
        recording: webgpu.ComputePass = self.chance.choice(self.things["pass"])
        which = self.chance.randrange(10)
        if which < 3:
            self.call(recording.set_pipeline, self.some("pipeline"))
        elif which < 6:
            offsets = [self.number(0, 256)] if self.chance.random() < 0.2 else []
            self.call(
                recording.set_bind_group, self.number(0, 0, 0, 1), self.some("group"), self.word(offsets), self.number(0), self.number(1)
            )
        elif which == 6:
            self.call(recording.dispatch_workgroups, self.number(0, 1, 2), self.number(1), self.number(1))
        elif which == 7:
            self.call(recording.dispatch_workgroups_indirect, self.some("buffer"), self.number(0, 4))
        elif which == 8:
            self.call(recording.set_immediates, self.number(0, 4), self.data(), self.number(0, 4), self.number(4, 8))
        else:
            call = self.chance.choice([recording.push_debug_group, recording.insert_debug_marker, lambda _: recording.pop_debug_group()])
            self.call(call, self.word("group", ""))

    def do_end(self) -> None:
        if self.things["pass"]:
            self.call(self.chance.choice(self.things["pass"]).end)

    def do_finish(self) -> None:
        if self.things["encoder"]:
            recorded = self.chance.choice(self.things["encoder"])
            done, commands = self.call(recorded.commands.finish)
            self.keep("commands", (done, Recorded(commands, recorded.effects)))

    def do_submit(self) -> None:
        chosen = [
            self.chance.choice(self.things["commands"]) for _ in range(self.chance.choice([1, 1, 1, 2, 3])) if self.things["commands"]
        ]
        if self.chance.random() < 0.05:
            self.call(self.queue.submit, self.word([recorded.commands for recorded in chosen] + [None]))
            return
        if self.call(self.queue.submit, [recorded.commands for recorded in chosen])[0]:
            if self.chance.random() < 0.9:
                self.things["commands"] = [other for other in self.things["commands"] if other not in chosen]
            for recorded in chosen:
                for effect in recorded.effects:
                    self.outcomes["effects"] += 1
                    effect()

    # What is in buffers.

    def do_known(self) -> None:
        known = self.chance.choice(self.known)
        place, which = self.chance.randrange(len(self.known)), self.chance.random()
        offset, data, size = self.number(0, 4, 8, 16), self.data(), self.number(4, 8, 16)
        if which < 0.02:
            old = self.known[place]
            usage = old.buffer.usage
            if self.chance.random() < 0.5 and self.call(old.buffer.destroy)[0]:
                # It is nobody's source any more.
                self.keep("buffer", (True, old.buffer))
            del self.known[place]
            self.make_known(usage)
        elif which < 0.3:
            if self.call(self.queue.write_buffer, known.buffer, offset, data)[0]:
                written = bytes(memoryview(data).tobytes())
                known.bytes[offset : offset + len(written)] = written
        elif which < 0.6:
            done, read = self.call(self.queue.read_buffer, known.buffer, offset, size)
            if done:
                self.compare(known, read, offset, size)
        elif known.mode == "":
            self.map_known(known)
        else:
            self.use_mapped(known, data)

    def map_known(self, known: Known) -> None:
        mode = self.word("READ", "WRITE", webgpu.MapMode.READ, 2)
        begin, size = self.chance.choice([(0, None), (8, 8), (0, 16), (self.number(0, 8), self.number(8, 16))])
        done, promise = self.call(known.buffer.map_async, mode, begin, size)
        if done and self.call(promise.sync_wait)[0]:
            end = len(known.bytes) if size is None else begin + size
            known.mode = "READ" if known.buffer.usage & webgpu.BufferUsage.MAP_READ else "WRITE"
            known.range = (begin, end)

    def use_mapped(self, known: Known, data: Any) -> None:
        begin, end = known.range
        which, offset = self.chance.random(), self.number(begin, begin + 8)
        if which < 0.3:
            if self.call(known.buffer.unmap)[0]:
                known.mode = ""
        elif which < 0.5:
            done, read = self.call(known.buffer.read_mapped, offset)
            if done:
                self.compare(known, read, begin if offset is None else offset, None, end)
        elif which < 0.8:
            if self.call(known.buffer.write_mapped, data, offset)[0]:
                written, begin = memoryview(data).tobytes(), begin if offset is None else offset
                known.bytes[begin : begin + len(written)] = written
        else:
            done, memory = self.call(known.buffer.get_mapped_range, offset)
            if done and known.mode == "READ":
                self.compare(known, memory, offset, None, end)
            elif done:
                memory[:4] = b"abcd"
                known.bytes[offset : offset + 4] = b"abcd"

    def compare(self, known: Known, read: memoryview, offset: int, size: int | None, end: int | None = None) -> None:
        end = end if size is None else offset + size
        self.outcomes["compared"] += 1
        if bytes(read) != known.bytes[offset : len(known.bytes) if end is None else end]:
            expected = bytes(known.bytes[offset:end])
            self.wrong.setdefault("contents are wrong", f"{known.buffer!r} from {offset}: {bytes(read)!r}, not {expected!r}")

    def do_write(self) -> None:
        self.call(self.queue.write_buffer, self.some("buffer"), self.number(0, 4), self.data(), self.number(0, 4), self.number(4, 8))

    def do_write_texture(self) -> None:
        self.call(self.queue.write_texture, self.texels(), self.data(), self.rows(), self.size())

    def do_read(self) -> None:
        done, read = self.call(self.queue.read_buffer, self.some("buffer"), self.number(0, 4, 1), self.number(4, 8, 3))
        self.things["memory"] = [read] if done else []

    def do_read_texture(self) -> None:
        self.call(self.queue.read_texture, self.texels(), self.rows(), self.size())

    def do_map(self) -> None:
        """Map and use buffers of which nothing is known; arrays may be kept."""
        usage = webgpu.BufferUsage.MAP_READ | webgpu.BufferUsage.MAP_WRITE
        fit = [buffer for buffer in self.things["buffer"] if isinstance(buffer, webgpu.Buffer) and buffer.usage & usage]
        buffer = self.chance.choice(fit) if fit and self.chance.random() >= self.odd else self.some("buffer")
        if not isinstance(buffer, webgpu.Buffer):
            return
        which = self.chance.randrange(8)
        if which < 2:
            self.call(buffer.map_sync, self.word("READ", "WRITE"), self.number(0, 8), self.word(None, 4, 8, 12))
        elif which == 2:
            self.keep("promise", self.call(buffer.map_async, self.word("READ", "WRITE", 1, 2)))
        elif which == 3:
            self.call(buffer.unmap)
        elif which == 4:
            self.call(buffer.read_mapped, self.number(0, 8), self.number(4, 8), copy=self.chance.random() < 0.5)
        elif which == 5:
            self.call(buffer.write_mapped, self.data(), self.number(0, 8))
        else:
            done, memory = self.call(buffer.get_mapped_range, self.number(0, 8), self.number(4, 8))
            if done:
                self.keep("memory", (True, self.chance.choice([memory, np.asarray(memory), memory[1:]])))

    def do_promise(self) -> None:
        if self.things["promise"]:
            self.call(self.things["promise"].pop().sync_wait)
        self.call(
            self.queue.on_submitted_work_done_async().sync_wait if self.chance.random() < 0.3 else self.queue.on_submitted_work_done_sync
        )

    def end(self) -> None:
        """Look at everything once more."""
        for known in self.known:
            done, read = self.call(self.queue.read_buffer, known.buffer)
            if done:
                self.compare(known, read, 0, None)
        for frame, pixels in self.published:
            if not np.array_equal(frame.to_numpy(), pixels):
                self.wrong.setdefault("a frame that was sent has changed", repr(frame))


def explore(gpu: sl.GpuContext, seed: int, steps: int) -> World:
    world = World(gpu, seed)
    for _ in range(steps):
        world.step()
    world.end()
    return world


def test_random_calls(gpu: sl.GpuContext) -> None:
    wrong = explore(gpu, SEED + 1000, 300).wrong
    before = alive(), gpu_objects()
    world = explore(gpu, SEED, STEPS)
    print(f"seed {SEED}: {STEPS} steps, outcomes of calls: {dict(world.outcomes.most_common())}")
    wrong |= world.wrong
    assert world.outcomes["none"] > STEPS // 4, "most calls were refused: this tests little"
    assert min(world.outcomes["effects"], world.outcomes["compared"]) > STEPS // 50, "too little was submitted or compared"
    del world
    gc.collect()
    after = alive(), gpu_objects()
    assert not wrong, f"seed {SEED}: " + "\n".join(f"{what}\n    {arguments}" for what, arguments in wrong.items())
    assert after == before, f"seed {SEED}"


def together(count: int, work: Callable[[int], None]) -> list[BaseException]:
    """Have threads begin at once; what they raised."""
    barrier, raised = threading.Barrier(count), list[BaseException]()

    def run(number: int) -> None:
        try:
            barrier.wait()
            work(number)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "a thread hangs"
    return raised


@pytest.mark.usefixtures("nothing_left", "nothing_left_on_the_gpu")
def test_eight_threads_share_a_device(gpu: sl.GpuContext) -> None:
    """Each adds a buffer of all to one of its own, a hundred times, with the pipeline and the layout of all."""
    device = gpu.device
    module = device.create_shader_module(code=ADD)
    pipeline = device.create_compute_pipeline(layout="auto", compute={"module": module})
    layout = pipeline.get_bind_group_layout(0)
    numbers = np.arange(64, dtype=np.uint32)
    everybodys = device.create_buffer_with_data(data=numbers, usage="STORAGE")

    def work(number: int) -> None:
        own = device.create_buffer(size=256, usage="STORAGE | COPY_SRC | COPY_DST")
        device.queue.write_buffer(own, 0, np.full(64, number, np.uint32))
        back = device.create_buffer(size=256, usage="MAP_READ | COPY_DST")
        for turn in range(100):
            entries: list[Any] = [{"binding": 0, "resource": own}, {"binding": 1, "resource": everybodys}]
            group = device.create_bind_group(layout=layout, entries=entries)
            encoder = device.create_command_encoder()
            recording = encoder.begin_compute_pass()
            recording.set_pipeline(pipeline)
            recording.set_bind_group(0, group)
            recording.dispatch_workgroups(4)
            recording.end()
            encoder.copy_buffer_to_buffer(own, 0, back, 0)
            device.queue.submit([encoder.finish()])
            expected = number + (turn + 1) * numbers
            if turn % 2:
                read = np.frombuffer(device.queue.read_buffer(own), np.uint32)
            else:
                back.map_sync("READ")
                read = np.frombuffer(back.read_mapped(), np.uint32)
                back.unmap()
            np.testing.assert_array_equal(read, expected)

    assert together(8, work) == []


@pytest.mark.usefixtures("nothing_left", "nothing_left_on_the_gpu")
def test_eight_threads_use_the_same_objects(gpu: sl.GpuContext) -> None:
    """Of those that would each have it for itself, one gets it; the others are told."""
    device = gpu.device
    buffer = device.create_buffer(size=64, usage="MAP_READ | COPY_DST")
    refused = (sl.Error, ValueError)

    def maps(number: int) -> None:
        chance = random.Random(number)
        for _ in range(200):
            try:
                what = chance.randrange(4)
                if what == 0:
                    buffer.map_sync("READ")
                elif what == 1:
                    assert bytes(buffer.read_mapped(copy=chance.random() < 0.5)) == bytes(64)
                elif what == 2:
                    device.queue.write_buffer(buffer, 0, bytes(64))
                else:
                    buffer.unmap()
            except refused as error:
                assert str(error)  # noqa: PT017

    assert together(8, maps) == []
    if buffer.map_state != "unmapped":
        buffer.unmap()
    buffer.map_sync("READ")
    buffer.unmap()

    for _ in range(20):
        encoder = device.create_command_encoder()
        finished: list[webgpu.CommandBuffer] = []
        submitted: list[int] = []

        def record(number: int, encoder: webgpu.CommandEncoder = encoder, finished: list[webgpu.CommandBuffer] = finished) -> None:
            for _ in range(5):
                with contextlib.suppress(sl.GpuError):
                    recording = encoder.begin_compute_pass()
                    with pytest.raises(sl.GpuError, match="is recording"):
                        encoder.push_debug_group("while a pass is recorded")
                    recording.end()
                    del recording
            try:
                finished.append(encoder.finish())
            except sl.GpuError as error:
                assert "finished" in str(error) or "recording" in str(error)  # noqa: PT017

        assert together(8, record) == []
        if not finished:
            finished.append(encoder.finish())
        assert len(finished) == 1

        def submit(number: int, finished: list[webgpu.CommandBuffer] = finished, submitted: list[int] = submitted) -> None:
            try:
                device.queue.submit(finished)
                submitted.append(number)
            except sl.GpuError as error:
                assert "submitted already" in str(error)  # noqa: PT017

        assert together(8, submit) == []
        assert len(submitted) == 1


class TestFound:
    """What was found at random, each by itself."""

    def test_a_refused_mapping_does_not_spoil_the_buffer(self, gpu: sl.GpuContext) -> None:
        buffer = gpu.device.create_buffer(size=16, usage="MAP_READ | COPY_DST")
        with pytest.raises(sl.GpuError, match="MAP_WRITE"):
            buffer.map_sync("WRITE")
        assert buffer.map_state == "unmapped"
        buffer.map_sync("READ")
        buffer.unmap()

    def test_more_layouts_than_there_may_be(self, gpu: sl.GpuContext) -> None:
        with pytest.raises((sl.GpuError, ValueError), match="8"):
            gpu.device.create_pipeline_layout(bind_group_layouts=[None] * 9)

    @pytest.mark.parametrize("size", [(2**20, 2**32 - 1, 2**32 - 1), (2**29, 2**31, 4)])
    def test_texels_beyond_all_memory(self, gpu: sl.GpuContext, size: tuple[int, ...]) -> None:
        with pytest.raises((sl.Error, ValueError), match=r"."):
            gpu.device.queue.read_texture({"texture": gpu.frame(8, 8).texture}, {}, size)

    @pytest.mark.parametrize("rows", [{"offset": 2**63}, {"offset": 2**45}, {"bytes_per_row": 2**32 - 1, "rows_per_image": 2**32 - 1}])
    def test_rows_beyond_all_memory(self, gpu: sl.GpuContext, rows: Any) -> None:
        frame = gpu.frame(8, 8)
        frame.write(ZEROS)
        with pytest.raises((MemoryError, ValueError, sl.Error), match=r"."):
            gpu.device.queue.read_texture({"texture": frame.texture}, rows, (1, 1))

    def test_bytes_that_are_no_words(self, gpu: sl.GpuContext) -> None:
        """All of a buffer can be read, whatever its size."""
        for size in (1, 5, 6, 7):
            buffer = gpu.device.create_buffer(size=size, usage="COPY_SRC | COPY_DST")
            assert bytes(gpu.device.queue.read_buffer(buffer)) == bytes(size)

    @pytest.mark.parametrize("usage", [-1, 2**40])
    def test_flags_that_no_number_is(self, gpu: sl.GpuContext, usage: int) -> None:
        with pytest.raises((ValueError, OverflowError), match=str(usage)):
            gpu.device.create_buffer(size=4, usage=usage)

    @pytest.mark.parametrize("missing", [1, 2, 3])
    def test_a_binary_without_a_size(self, gpu: sl.GpuContext, missing: int) -> None:
        words = [*SPIRV[: 5 + 2 + 3 + 5 + 6 - missing]]
        words[15] = (6 - missing) << 16 | 16
        with pytest.raises(sl.GpuError, match="cannot be compiled"):
            gpu.device.create_shader_module(code=struct.pack(f"<{len(words)}I", *words))

    def test_an_array_beyond_all_memory(self, gpu: sl.GpuContext) -> None:
        # An optimised build of naga does not look, and what it makes of it is refused later.
        with contextlib.suppress(sl.GpuError):
            gpu.device.create_shader_module(code=GLSL.replace("data[]", "data[4294967295u]").replace("data.length()", "7u"))
