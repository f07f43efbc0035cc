"""The examples, each run as a user runs it, and what it made looked at."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import streamlib as sl

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, *arguments: object, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ}
    environment.pop("DISPLAY", None)
    environment.pop("WAYLAND_DISPLAY", None)
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)
    if check:
        assert done.returncode == 0, done.stderr
    return done


def pictures(path: Path) -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
    """Read a recording, as R'G'B'."""
    video = cv2.VideoCapture(str(path))
    frames: list[np.ndarray[Any, np.dtype[np.uint8]]] = []
    while True:
        there, frame = video.read()
        if not there:
            return frames
        frames.append(np.asarray(frame[..., ::-1], np.uint8))


def test_the_ball_is_recorded_as_by_rust(tmp_path: Path) -> None:
    flags = ["--source", "test-pattern", "--size", "320x240", "--offline", "--frames", "40"]
    done = run("camera_with_bouncing_ball.py", *flags, "--sink", "record:python.mp4", "--stats", "stats.json", cwd=tmp_path)
    assert done.stderr.endswith("s.\n")
    statistics = json.loads((tmp_path / "stats.json").read_text())
    assert statistics["nodes"]["record"]["processed"] == 40
    assert "bouncing-ball-drawn (inserted" not in done.stderr
    # As `make test` has built it: another selection of crates would be built with other features.
    build = ["cargo", "build", "--quiet", "--workspace", "--example", "camera_with_bouncing_ball"]
    subprocess.run(build, cwd=EXAMPLES, check=True, timeout=900)
    target = Path(os.environ.get("CARGO_TARGET_DIR", EXAMPLES.parent / "target"))
    example = target / "debug" / "examples" / "camera_with_bouncing_ball"
    subprocess.run([example, *flags, "--sink", f"record:{tmp_path}/rust.mp4"], cwd=tmp_path, check=True, timeout=900)
    mine, theirs = pictures(tmp_path / "python.mp4"), pictures(tmp_path / "rust.mp4")
    assert len(mine) == len(theirs) == 40
    for one, other in zip(mine, theirs, strict=True):
        assert np.abs(one.astype(int) - other).max() <= 2, "both are the same graph, encoded by the same encoder"
    assert any(np.abs(one.astype(int) - mine[0]).max() > 100 for one in mine), "it moves"


def test_mistakes_on_the_command_line_are_named(tmp_path: Path) -> None:
    for arguments, code, says in [
        (["--source", "nowhere"], 2, "error: there is no source 'nowhere'; use auto"),
        (["--source", "test-pattern:foo"], 2, "error: there is no source 'test-pattern:foo'; use auto"),
        (["--source", "camera", "--offline"], 2, "error: a camera cannot be run offline"),
        (["--sink", "nowhere"], 2, "error: there is no sink 'nowhere'; use auto"),
        (["--sink", "null:foo"], 2, "error: there is no sink 'null:foo'; use auto"),
        (["--sink", "record:"], 2, "error: a recording needs a path; write --sink record:ball.mp4"),
        (["--size", "big"], 2, "error: node 'test-pattern': parameter 'size' cannot be \"big\""),
        (["--frames", "-3"], 2, "error: argument --frames: -3 is no number above 0"),
        (["--frames", "0"], 2, "error: argument --frames: 0 is no number above 0"),
        (["--frames", "many"], 2, "error: argument --frames: invalid int value: 'many'"),
        (["--seconds", "-3"], 2, "error: argument --seconds: -3.0 is no number above 0"),
        (["--seconds", "0"], 2, "error: argument --seconds: 0.0 is no number above 0"),
        (["--seconds", "nan"], 2, "error: argument --seconds: nan is no number above 0"),
        (["--stats", "/nonexistent/x"], 2, "error: [Errno 2] No such file or directory: '/nonexistent/x'"),
        (["--adapter", "nothing"], 1, "Error: no GPU adapter"),
    ]:
        # What comes later takes the place of what came before.
        usual = ["--source", "test-pattern", "--frames", 3, *([] if "--sink" in arguments else ["--sink", "null"])]
        done = run("camera_with_bouncing_ball.py", *usual, *arguments, cwd=tmp_path, check=False)
        assert done.returncode == code, done.stderr
        assert says in done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        assert " frames in " not in done.stderr, "it is told before the run"


def test_the_balls_statistics_are_written_after_an_error_too(tmp_path: Path) -> None:
    flags = ["--source", "test-pattern", "--size", "64x48", "--stats", "stats.json", "--frames", 3]
    done = run("camera_with_bouncing_ball.py", *flags, "--sink", "record:/nonexistent/x.mp4", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "Error: node 'record': " in done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert json.loads((tmp_path / "stats.json").read_text())["nodes"]["record"]["errors"] == 1


def test_the_ball_says_how_many_frames_were_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    @sl.processor
    def slow(frame: sl.VideoFrame) -> None:
        threading.Event().wait(0.05)

    report = runpy.run_path(str(EXAMPLES / "camera_with_bouncing_ball.py"))["report"]
    graph = sl.Graph()
    graph.chain(sl.TestPattern(size=(4, 4), rate=1000), slow())
    statistics = graph.run(frames=5)
    [link] = statistics["links"].values()
    report(statistics, ["slow"], None)
    assert link["dropped"]["overflow"] > 0
    said = f" s; {link['dropped']['overflow']} dropped, because a sink could not keep up.\n"
    assert capsys.readouterr().err.endswith(said)
    report(graph.run(offline=True, frames=2), ["slow"], None)
    assert capsys.readouterr().err.endswith(" s.\n")


def test_edges_are_white_on_black(tmp_path: Path) -> None:
    run("opencv_edges.py", "edges.mp4", cwd=tmp_path)
    frames = pictures(tmp_path / "edges.mp4")
    assert len(frames) == 90
    last = frames[-1]
    assert 0.005 < np.mean(last > 128) < 0.2
    assert np.mean(last < 40) > 0.7


def test_the_detector_boxes_the_ball(tmp_path: Path) -> None:
    run("detector.py", "boxes.mp4", cwd=tmp_path)
    frames = pictures(tmp_path / "boxes.mp4")
    assert len(frames) == 90
    for frame in frames[::10]:
        red, green, blue = (frame[..., channel].astype(int) for channel in range(3))
        orange = np.argwhere((red > 200) & (abs(green - 102) < 30) & (blue < 60))
        lines = np.argwhere((green > 180) & (red < 90) & (blue < 90))
        # The pattern has a green bar: only what lies near the ball counts.
        (top, left), (_, right) = orange.min(axis=0), orange.max(axis=0)
        near = lines[(abs(lines[:, 0] - top) < 4) & (lines[:, 1] > left) & (lines[:, 1] < right)]
        assert len(near) > (right - left) // 2, "there is a line above the ball"


def test_the_spotlight_wanders(tmp_path: Path) -> None:
    run("animated_shader.py", "spot.mp4", cwd=tmp_path)
    frames = pictures(tmp_path / "spot.mp4")
    assert len(frames) == 90
    # Brightness left and right of the middle changes places in half a turn, two seconds.
    first, half = (frames[number].astype(float).mean(axis=(0, 2)) for number in (0, 60))
    assert first[480:].mean() > 1.5 * first[:160].mean()
    assert half[:160].mean() > 1.5 * half[480:].mean()


def test_two_pictures_lie_side_by_side(tmp_path: Path) -> None:
    run("side_by_side.py", "both.mp4", cwd=tmp_path)
    frames = pictures(tmp_path / "both.mp4")
    assert len(frames) == 90
    assert frames[0].shape == (240, 640, 3)
    left, right = frames[30][:, :320].astype(int), frames[30][:, 320:].astype(int)
    differs = np.abs(left - right).max(axis=2) > 60
    assert 0.01 < differs.mean() < 0.1, "they are the same but for the ball"


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_each_example_is_tested(name: str) -> None:
    assert f'"{name}"' in Path(__file__).read_text()


def test_the_contrast_is_evened_out(tmp_path: Path) -> None:
    run("raw_webgpu.py", "even.mp4", cwd=tmp_path)
    assert len(pictures(tmp_path / "even.mp4")) == 90
    # The first frame, beside numpy's arithmetic on a dull picture.
    even = runpy.run_path(str(EXAMPLES / "raw_webgpu.py"))["EvenContrast"]()
    even.setup(sl.gpu())
    dull = np.full((48, 64, 4), 255, np.uint8)
    dull[..., :3] = np.random.default_rng(3).normal(90, 8, (48, 64, 1)).clip(0, 255)
    after = even.process(sl.VideoFrame.from_numpy(dull)).to_numpy()
    levels = np.cumsum(np.bincount(dull[..., 0].ravel(), minlength=256)) / (48 * 64)
    assert abs(after[..., 0] - 255 * levels[dull[..., 0]]).max() <= 2
    assert after[..., 0].std() > 60 > 20 > dull[..., 0].std()
