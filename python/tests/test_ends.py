"""How programs end: signals, and interpreters that go down with frames alive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HEAD = """
import os, sys, threading, time
import numpy as np
import streamlib as sl

@sl.processor
def passed(frame: sl.VideoFrame) -> sl.VideoFrame:
    return frame

@sl.processor
def slow(frame: sl.VideoFrame) -> sl.VideoFrame:
    time.sleep(0.5)
    return frame

def graph(*more):
    graph = sl.Graph()
    graph.chain(sl.TestPattern(size=(32, 32), rate=100), *(more or (passed(),)), sl.Null())
    return graph
"""


def program(text: str) -> list[str]:
    return [sys.executable, "-X", "faulthandler", "-c", HEAD + text]


def ends(text: str, code: int = 0) -> str:
    done = subprocess.run(program(text), capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "frame = sl.VideoFrame.from_numpy(np.zeros((8, 8, 4), np.uint8)); texture = frame.texture; view = texture.create_view()",
        "array = sl.VideoFrame.from_numpy(np.zeros((8, 8, 4), np.uint8)).to_numpy()",
        "pixels = sl.VideoFrame.from_numpy(np.zeros((8, 8, 4), np.uint8)).read_back()",
        "g = graph(); g.start()",
        "g = graph(); g.start(); time.sleep(0.3)",
        "g = graph(); g.start(); time.sleep(0.3); del g",
        "g = graph(); g.start(); sys.exit(0)",
        "threading.Thread(target=lambda: graph().run(), daemon=True).start(); time.sleep(0.3)",
        "import builtins; builtins.kept = [sl.gpu().frame(8, 8), graph()]",
        "sys.kept = sl.gpu().frame(8, 8); sys.kept_graph = graph().start()",
        "g = graph(slow()).start(); time.sleep(0.2)",
        "import asyncio; loop = asyncio.new_event_loop(); g = graph(); task = loop.create_task(g.run_async());"
        "loop.run_until_complete(asyncio.sleep(0.2))",
        "import logging; logging.basicConfig(level=logging.DEBUG); graph().run(frames=3)",
    ],
)
def test_ends_with_things_alive(text: str) -> None:
    assert "panicked" not in ends(text)


def test_a_processor_that_never_returns_is_interrupted() -> None:
    said = ends(
        """
began = threading.Event()

@sl.processor
def stuck(frame: sl.VideoFrame) -> None:
    began.set()
    try:
        while True: time.sleep(0.001)
    finally:
        print("interrupted", flush=True)

g = sl.Graph()
g.chain(sl.TestPattern(size=(8, 8)), stuck())
g.start()
began.wait()
sys.exit(3)
""",
        code=3,
    )
    assert "interrupted" in said


def test_a_processor_that_waits_outside_of_python_does_not_crash_the_end() -> None:
    said = ends(
        """
began = threading.Event()

@sl.processor
def stuck(frame: sl.VideoFrame) -> None:
    began.set()
    time.sleep(60)

g = sl.Graph()
g.chain(sl.TestPattern(size=(8, 8)), stuck())
g.start()
began.wait()
print("printed")
""",
        code=1,
    )
    assert "printed" in said
    assert "streamlib: a processor does not return; the process ends without it" in said


INTERRUPTED = """
@sl.processor
class Told:
    def __init__(self): self.told = False
    def process(self, frame: sl.VideoFrame) -> sl.VideoFrame:
        if not self.told:
            self.told = True
            print("ready", flush=True)
        {work}
        return frame
    def teardown(self): print("torn down", flush=True)

g = graph(Told())
statistics = g.run()
print("drained", all(link["queued"] == 0 for link in statistics["links"].values()), flush=True)
import signal
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
"""


def interrupt(text: str, *signals: signal.Signals, pause: float = 0.3) -> tuple[int, str]:
    """Send signals to a program once it says that it is ready, the last of several some times more: two that come at once are one."""
    process = subprocess.Popen(program(text), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("ready"):
            break
    for number in signals:
        os.kill(process.pid, number)
        time.sleep(pause)
    for number in 3 * signals[1:]:
        if process.poll() is None:
            os.kill(process.pid, number)
            time.sleep(pause)
    try:
        rest, _ = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, "".join(lines) + rest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_drains(number: signal.Signals) -> None:
    code, said = interrupt(INTERRUPTED.format(work="pass"), number)
    assert (code, said.splitlines()) == (0, ["ready", "torn down", "drained True", "True True"])


def test_the_second_signal_ends_at_once() -> None:
    code, said = interrupt(INTERRUPTED.format(work="time.sleep(100)"), signal.SIGINT, signal.SIGINT)
    assert (code, said.splitlines()) == (130, ["ready"])


def test_signals_are_heard_while_python_is_busy() -> None:
    """One long call that never lets go of the interpreter's lock."""
    code, said = interrupt(INTERRUPTED.format(work="sum(range(10**10))"), signal.SIGINT, signal.SIGINT)
    assert (code, said.splitlines()) == (130, ["ready"])


def test_handlers_of_the_program_are_left_alone() -> None:
    text = """
import signal
class Mine(Exception): ...
def handler(*_):
    raise Mine
signal.signal(signal.SIGINT, handler)
@sl.processor
def told(frame: sl.VideoFrame) -> sl.VideoFrame:
    if frame.sequence < 2: print("ready", flush=True)
    return frame
g = graph(told())
try:
    g.run()
except Mine:
    print("mine", g.is_running, signal.getsignal(signal.SIGINT) is handler)
"""
    code, said = interrupt(text, signal.SIGINT)
    assert code == 0, said
    assert said.splitlines()[-1] == "mine False True"


def test_signals_that_are_the_program_s_do_not_end_the_run() -> None:
    """Timers and children, and Ctrl-C where the program has a handler that raises nothing."""
    said = ends("""
import signal
ticks = []
signal.signal(signal.SIGALRM, lambda *_: ticks.append("alarm"))
signal.signal(signal.SIGINT, lambda *_: ticks.append("interrupt"))
signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
@sl.processor
def counts(frame: sl.VideoFrame) -> sl.VideoFrame:
    if len(ticks) == 3:
        os.kill(os.getpid(), signal.SIGINT)
    if len(ticks) > 8:
        g.request_stop()
    return frame
g = graph(counts())
g.run()
signal.setitimer(signal.ITIMER_REAL, 0)
print(ticks.count("alarm") > 4, "interrupt" in ticks)
""")
    assert said.splitlines() == ["True True"]


def test_ctrl_c_drains_who_waits(tmp_path: Path) -> None:
    text = INTERRUPTED.format(work="pass").replace("statistics = g.run()", "g.start(); g.wait(); statistics = g.stats()")
    code, said = interrupt(text, signal.SIGINT)
    assert (code, said.splitlines()) == (0, ["ready", "torn down", "drained True", "True True"])


def test_a_recording_is_whole_after_a_signal(tmp_path: Path) -> None:
    import cv2

    text = f"""
@sl.processor
def told(frame: sl.VideoFrame) -> sl.VideoFrame:
    if frame.sequence == 20: print("ready", flush=True)
    return frame
g = sl.Graph()
g.chain(sl.TestPattern(size=(64, 64), rate=60), told(), sl.Record(path={str(tmp_path / "cut.mp4")!r}))
g.run()
"""
    code, said = interrupt(text, signal.SIGINT)
    assert code == 0, said
    assert cv2.VideoCapture(str(tmp_path / "cut.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) >= 20


def test_frames_of_a_device_that_was_closed_are_refused_by_name() -> None:
    said = ends("""
old = sl.VideoFrame.from_numpy(np.zeros((8, 8, 4), np.uint8))
sl._native.close()

@sl.processor
def returns_an_old_one(frame: sl.VideoFrame) -> sl.VideoFrame:
    return old

kernel = sl.gpu().kernel('''
    @group(0) @binding(0) var src: texture_2d<f32>;
    @group(0) @binding(1) var dst: texture_storage_2d<rgba8unorm, write>;
    @compute @workgroup_size(1) fn main() { textureStore(dst, vec2u(), textureLoad(src, vec2u(), 0)); }''', label='copy')
new = sl.gpu().frame(8, 8)
for attempt in [lambda: kernel(src=old, dst=new), lambda: graph(returns_an_old_one()).run(offline=True, frames=1)]:
    try:
        attempt()
    except sl.InvalidArgumentError as error:
        print(error)
""")
    first, second = (line for line in said.splitlines() if line.startswith(("kernel", "node")))
    assert first == "kernel 'copy' was given a frame or a buffer of another GPU device; take new ones"
    assert second.startswith("node 'returns-an-old-one': `process` of 'returns-an-old-one' returned a frame of another GPU device")
