"""The page of the leaderboard: best first, leaks marked, published numbers beside ours; also of one encoder, and of none."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from ecglfm.evaluation.report import run_analysis_page
from ecglfm.evaluation.report.leaderboard_section import leaderboard_content
from ecglfm.provenance import write_json
from tests.unit.evaluation.leaderboard.made import ENCODERS, board, make
from tests.unit.evaluation.report.pages_read import words


def page_of(results: Path) -> str:
    run_analysis_page("leaderboard", results, results / "leaderboard/index.html")
    return (results / "leaderboard/index.html").read_text()


def test_the_board(tmp_path: Path) -> None:
    why = "pretrained on PTB-XL: both have recordings of PTB-XL"
    models = make(tmp_path, seen={"peer/t": ("yes", why), "ours/t": ("perhaps", "one <person>")}, patients=150)
    content = board(tmp_path, models, published={"peer": "ST-MEM"})
    page = page_of(tmp_path)
    seen = words(page)
    assert "Every encoder by its own contract" in seen
    assert "18 differences" in seen
    best = max((one for one in content["cells"] if (one["task"], one["setting"]) == ("ptbxl-all", "linear")),
               key=lambda one: one["value"])  # fmt: skip
    assert f"<b>{best['value']:.3f}</b>" in page
    linear = page.index('id="board-linear"')
    assert linear < page.index("<b>peer</b>", linear) < page.index("<b>ours</b>", linear)  # places 1 and 1.5
    assert "peer 1 of 1 label set, 1 seen" in seen
    assert page.count(">seen</span>") == 2  # of t, in both modes
    assert page.count("perhaps seen</span>") == 2
    assert f"yes t {why}" in seen
    assert "one &lt;person&gt;" in page
    assert "published 0.908 *" in seen
    assert "a linear probe: its optimizer found none" in seen
    assert (
        "peer imported nothing MIT 1 234 567 5 s × 2 2.61 88.5 cpu, 1 thread 13 590 a core – 4 4 of a GPU" in seen
    )  # 8 fits of half an hour
    assert re.search("statistics .* a core – 2 2 of a GPU", seen)
    assert "constant answer 0.500 0.500" in seen


def test_one_encoder_on_one_task(tmp_path: Path) -> None:
    models = make(tmp_path, encoders={"ours": ENCODERS["ours"]}, tasks=("t",), seeds=1, patients=60)
    board(tmp_path, models)
    write_json(tmp_path / "manifest/audit.json", {"patients_unknown": {"s": 7}})
    page = page_of(tmp_path)
    assert "7 records of s state no patient" in words(page)
    seen = words(page)
    assert "0 differences" in seen
    assert "Published beside ours" not in seen
    assert "What may have been seen" not in seen
    assert page.count("best:") == page.count("random:") == page.count(">best</small>") == 0
    assert "ours – of 0 label sets" in seen


def test_the_other_protocol_is_said(tmp_path: Path) -> None:
    models = make(tmp_path, encoders={"ours": ENCODERS["ours"]}, tasks=("t",), seeds=1, patients=60)
    board(tmp_path, models, protocol="ai4health")
    seen = words(page_of(tmp_path))
    assert "Protocol of AI4Health" in seen
    assert "Every encoder by its own contract" not in seen
    assert set(pd.read_csv(tmp_path / "leaderboard/leaderboard.csv")["protocol"]) == {"ai4health"}


def test_nothing_yet(tmp_path: Path) -> None:
    assert "Nothing is on the board yet." in words(leaderboard_content(tmp_path))
    assert "snakemake leaderboard" in words(page_of(tmp_path))
