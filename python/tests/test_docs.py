"""The code of `docs/python.md`, `docs/webgpu.md` and the README, run as it stands there."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

import streamlib.graphs

ROOT = Path(__file__).parents[2]


def code(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


def run(program: str, tmp_path: Path) -> None:
    path = tmp_path / "page.py"
    path.write_text(program)
    done = subprocess.run([sys.executable, str(path)], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("page", "least"), [("docs/python.md", 8), ("docs/webgpu.md", 4)])
def test_a_page_is_one_program(page: str, least: int, tmp_path: Path) -> None:
    pieces = code(page)
    assert len(pieces) >= least
    run("\n".join(pieces), tmp_path)


def test_the_readme(tmp_path: Path) -> None:
    pieces = code("README.md")
    assert pieces
    for piece in pieces:
        # A machine that tests has neither camera nor window.
        replaced = piece.replace("sl.Camera()", "sl.TestPattern(size=(64, 48))").replace("sl.Display()", "sl.Null()")
        replaced = replaced.replace("graph.run()", "graph.run(offline=True, frames=3)")
        assert "Camera" not in replaced
        run(replaced, tmp_path)


@pytest.mark.parametrize("module", [streamlib.graphs])
def test_docstrings(module: object) -> None:
    failed, attempted = doctest.testmod(module)  # type: ignore[arg-type]
    assert attempted > 0
    assert failed == 0
