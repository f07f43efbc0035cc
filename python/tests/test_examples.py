"""The examples, each run as a user runs it, and what it made looked at."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
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
    cargo = ["cargo", "run", "--quiet", "--package", "streamlib", "--example", "camera_with_bouncing_ball", "--"]
    subprocess.run([*cargo, *flags, "--sink", f"record:{tmp_path}/rust.mp4"], cwd=EXAMPLES, check=True, timeout=900)
    mine, theirs = pictures(tmp_path / "python.mp4"), pictures(tmp_path / "rust.mp4")
    assert len(mine) == len(theirs) == 40
    for one, other in zip(mine, theirs, strict=True):
        assert np.abs(one.astype(int) - other).max() <= 2, "both are the same graph, encoded by the same encoder"
    assert any(np.abs(one.astype(int) - mine[0]).max() > 100 for one in mine), "it moves"


def test_mistakes_on_the_command_line_are_named(tmp_path: Path) -> None:
    for arguments, says in [
        (["--source", "nowhere"], "there is no source 'nowhere'; use auto"),
        (["--source", "test-pattern", "--sink", "nowhere"], "there is no sink 'nowhere'"),
        (["--source", "camera", "--offline"], "a camera cannot be run offline"),
        (["--source", "test-pattern", "--size", "big", "--sink", "null"], "'size' cannot be \"big\""),
        (["--source", "test-pattern", "--sink", "null", "--adapter", "nothing"], "its name does not contain 'nothing'"),
    ]:
        done = run("camera_with_bouncing_ball.py", *arguments, "--frames", 3, cwd=tmp_path, check=False)
        assert done.returncode == 1
        assert says in done.stderr
        assert "Traceback" not in done.stderr, done.stderr


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
