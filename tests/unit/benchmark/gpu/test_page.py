"""The page of a GPU's figures, by hand."""

from __future__ import annotations

from ecglfm.benchmark.gpu.page import page

FACTS = {"date": "2027-01-02", "driver": "580.1", "commit": "abc", "torch": "2.13", "device": "NVIDIA H200"}
FOUND = {
    "train_a_64": FACTS
    | {
        "segments": 128, "seconds": [0.2, 0.4, 0.25], "flops": 50e12, "rates": [500e12, 500e12, 400e12],
        "split": {"load": [0.02, 0.04, 0.025], "forward": [0.08, 0.16, 0.1], "backward": [0.1, 0.2, 0.125]},
        "memory": {"gpu": 52.34e9, "steps": 7e9}, "kernels": [["all", 9, 0.25], ["gemm|<void>", 4, 0.1]],
    },
    "train_a_64_compiled": FACTS | {"error": "CUDA out of memory.\nTried | 3 GB"},
    "predict_b_bf16": FACTS | {"date": "2027-01-03", "records": 100, "seconds": [4.0, 2.0, 5.0], "forward": [2.0]},
    "predict_b_tf32": FACTS | {"error": "no"},
}  # fmt: skip


def test_a_line_for_each_measurement():
    """Used, of the steps: 50 / 0.2 / 500 = 50 %, 25 % and 50 %; batches a tenth; 100 records in 4 s; failures say why."""
    lines = page(FOUND).splitlines()
    assert lines[0] == "# Measured on NVIDIA H200"
    assert lines[2].startswith("2027-01-02, 2027-01-03; driver 580.1, torch 2.13, code abc.")
    assert "| a, 64 | 128 | 250 | 10 | 512 | 50 | 52.3 | 500 |" in lines
    assert "| a, 64, compiled | CUDA out of memory. Tried / 3 GB | | | | | | |" in lines
    assert "Of 9 calls, 250 ms in all, by PyTorch's profiler." in lines
    assert "| `gemm/<void>` | 4 | 100 | 40.0 |" in lines
    assert "| b, bf16 | 25 | 50 |" in lines
    assert "| b, tf32 | no | |" in lines
    assert not [line for line in lines if line.startswith(("## Ways", "## Losses"))]


def test_a_step_without_a_profile_says_why():
    found = {"train_a_64": FOUND["train_a_64"] | {"kernels": [["no profile: CUPTI", 0, 0.0]]}}
    assert "no profile: CUPTI" in page(found).splitlines()


def test_nothing_is_an_empty_page():
    assert page({}).startswith("# Measured on unknown")
