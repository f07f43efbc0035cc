"""A ball bounces over live video: from a camera, or a test pattern, to windows, recordings or nowhere.

`python camera_with_bouncing_ball.py --help` lists the flags, which are those of the Rust example.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path

import streamlib as sl


def command_line() -> argparse.ArgumentParser:
    """Say which flags there are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--source", default="auto", help="auto, camera, camera:NAME_OR_INDEX or test-pattern; auto: the first camera, or the pattern"
    )
    parser.add_argument(
        "--sink", action="append", help="auto, window, record:PATH.mp4 or null; may be repeated. auto: a window, or bouncing_ball.mp4"
    )
    parser.add_argument("--size", help="the picture's size, as 1280x720; a camera's nearest")
    parser.add_argument("--fps", help="frames a second; a camera's nearest")
    parser.add_argument("--frames", type=int, help="end when every sink has had so many frames")
    parser.add_argument("--seconds", type=float, help="end after so many seconds")
    parser.add_argument("--offline", action="store_true", help="as fast as it goes, losing nothing; not with a camera")
    parser.add_argument("--stats", help="write statistics as JSON to this file at the end; - is standard output")
    parser.add_argument("--adapter", help="use the first GPU adapter whose name contains this")
    parser.add_argument("--backend", default="auto", choices=["auto", "v4l", "nokhwa"], help="which code talks to the camera")
    return parser


def source(given: argparse.Namespace) -> sl.BuiltIn:
    """Make the camera or the test pattern."""
    kind, _, device = given.source.partition(":")
    picture = {key: value for key, value in (("size", given.size), ("rate", given.fps)) if value is not None}
    if kind == "camera" and given.offline:
        raise ValueError("a camera cannot be run offline; leave out --offline, or use --source test-pattern")
    if kind == "camera" or (given.source == "auto" and not given.offline and sl.cameras()):
        return sl.Camera(device=device, backend=given.backend, **picture)
    if given.source == "auto":
        print("There is no camera, or it is not used offline: a test pattern takes its place.", file=sys.stderr)
    elif given.source != "test-pattern":
        raise ValueError(f"there is no source '{given.source}'; use auto, camera, camera:NAME_OR_INDEX or test-pattern")
    return sl.TestPattern(**picture)


def sink(given: str) -> sl.BuiltIn:
    """Make a window, a recording or nothing."""
    kind, _, path = given.partition(":")
    if given == "window" or (given == "auto" and sl.has_screen()):
        return sl.Display(title="Bouncing ball")
    if given == "auto":
        print("There is no screen: recording to bouncing_ball.mp4, until Ctrl-C if nothing else ends it.", file=sys.stderr)
        return sl.Record(path="bouncing_ball.mp4")
    if kind == "record":
        if not path:
            raise ValueError("a recording needs a path; write --sink record:ball.mp4")
        return sl.Record(path=path)
    if given == "null":
        return sl.Null()
    raise ValueError(f"there is no sink '{given}'; use auto, window, record:PATH.mp4 or null")


def report(statistics: sl.Statistics, sinks: list[str], path: str | None) -> None:
    """Say what was done."""
    frames = min(statistics["nodes"][name]["processed"] for name in sinks)
    dropped = sum(link["dropped"]["overflow"] for link in statistics["links"].values())
    lost = f"; {dropped} dropped, because a sink could not keep up" if dropped else ""
    print(f"{frames} frames in {statistics['seconds']:.1f} s{lost}.", file=sys.stderr)
    if path == "-":
        print(json.dumps(statistics, indent=2))
    elif path:
        Path(path).write_text(json.dumps(statistics, indent=2) + "\n")


def main() -> None:
    """Run the graph."""
    parser = command_line()
    given = parser.parse_args()
    for flag, value in (("frames", given.frames), ("seconds", given.seconds)):
        if value is not None and not 0 < value < 2**63:
            parser.error(f"argument --{flag}: {value} is no number above 0")
    graph = sl.Graph()
    try:
        if given.stats and given.stats != "-":  # Better known now than after the run.
            Path(given.stats).write_text("")
        if given.adapter:
            sl.gpu(adapter=given.adapter)
        _, ball = graph.chain(source(given), sl.BouncingBall())
        sinks = [graph.chain(ball, sink(name))[-1] for name in given.sink or ["auto"]]
    except (ValueError, OSError) as error:
        parser.error(str(error))
    try:
        graph.run(offline=given.offline, frames=given.frames, duration=given.seconds)
    finally:
        # One that could not start has none.
        with contextlib.suppress(sl.InvalidArgumentError):
            report(graph.stats(), sinks, given.stats)


if __name__ == "__main__":
    try:
        main()
    except (sl.Error, OSError) as error:
        sys.exit(f"Error: {error}")
