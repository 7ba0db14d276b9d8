"""The picture at the top of README.md: `python -m tests.architecture.example`, where `make demo` was run.

What `ecglfm explain` draws of a planted infarct, at half its size and in few colours, so that the page stays light.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from PIL import Image

from ecglfm.cli import main

PICTURE = Path(__file__).resolve().parents[2] / "docs/example.png"
MODEL = "results/finetune/tiny/diagnosis/full-s0"
RECORD = "results/synthetic/demo-ptbxl/records500/00000/00025_hr"
LABEL, WIDTH, COLOURS = "MI", 1200, 64


def draw() -> None:
    """Draw it from the results in the current folder."""
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "why.png"
        if main(["explain", "--model", MODEL, RECORD, "--label", LABEL, "--output", str(whole)]) != 0:
            raise SystemExit("no explanation: run `make demo` first")
        image = Image.open(whole).convert("RGB")
        small = image.resize((WIDTH, round(WIDTH * image.height / image.width)), Image.Resampling.LANCZOS)
        small.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(PICTURE, optimize=True)


if __name__ == "__main__":
    draw()
