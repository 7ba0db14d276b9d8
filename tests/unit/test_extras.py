"""What the package does without its extras, and what it says where one is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ecglfm.config import LEADS, PreprocessConfig, UserError
from ecglfm.extras import need
from ecglfm.models.bundle import save_model
from ecglfm.models.encoders import make_encoder
from ecglfm.models.heads import ECGModel
from tests.architecture.requirements import extras, module_of
from tests.unit.architectures import architecture
from tests.unit.sources.muse_file import LEADS as EIGHT
from tests.unit.sources.muse_file import muse, rhythm

#: Runs commands, given as lists of arguments in JSON, one after the other in a process that cannot import some modules.
WITHOUT = """
import contextlib, io, json, sys
sys.modules |= dict.fromkeys(json.loads(sys.argv[1]))
from ecglfm.cli import main
shown = []
for command in json.loads(sys.argv[2]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(command)
    shown.append([status, "".join(line for line in err.getvalue().splitlines(True) if " INFO " not in line)])
print(json.dumps(shown))
"""


def test_one_line_says_which_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    need("json", "torch", extra="train", what="training")
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(UserError, match=r"^tracking needs mlflow, absent: pip install 'ecglfm\[train\]'$"):
        need("json", "mlflow", "absent", extra="train", what="tracking")


def test_a_plain_install_answers_and_names_the_extra_of_the_rest(tmp_path: Path, repository: Path) -> None:
    torch.manual_seed(0)
    shape = architecture(kind="conformer", dim=16, layers=1, heads=2, ffn_dim=32, conv_channels=8)
    encoder = make_encoder(shape, list(LEADS), 500, PreprocessConfig(), 2.0)
    model = ECGModel(encoder, ["AF"], "full", "multilabel")
    model.thresholds = [0.5]
    save_model(tmp_path / "model", model.eval(), {"task": "t", "fit": "full-s0"})
    wave = (300 * np.sin(np.arange(2500) / 20)).astype(int).tolist()
    (tmp_path / "a.xml").write_bytes(muse(rhythm(dict.fromkeys(EIGHT, wave))))
    (tmp_path / "recipe.yaml").write_text("finetune: {epochs: 1}\n")
    data = ["--config", "x", "--manifest", "x", "--signals", "x", "--output", "x"]
    commands = {
        "predict": ["--model", "model", "a.xml", "--output", "p.csv"],
        "embed": ["--encoder", "model", "a.xml", "--output", "v.csv"],
        "plot": ["--model", "model", "a.xml", "--output", "a.pdf"],
        "explain": ["--model", "model", "a.xml", "--label", "AF", "--output", "why.json"],
        "import-checkpoint": [str(repository / "tests/parity/proj_finetune.pt"), "--output", "imported"],
        "export": ["--model", "model", "--format", "torchscript", "--output", "model.pt"],
        "pretrain": data,
        "finetune": [*data, "--encoder", "x", "--task", "x", "--labels", "x", "--fit", "full-s0"],
        "describe-labels": ["age", "--config", str(repository / "config/config.yaml"), "--configfile", "recipe.yaml"],
    }
    absent = [module_of(name) for name in extras(repository)]
    assert {"snakemake", "deepspeed", "mlflow"} <= set(absent)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, json.dumps(absent), json.dumps([[k, *v] for k, v in commands.items()])],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert dict(zip(commands, json.loads(done.stdout), strict=True)) == {
        "predict": [0, ""],
        "embed": [0, ""],
        "plot": [0, ""],
        "explain": [0, ""],
        "import-checkpoint": [0, ""],
        "export": [0, ""],
        "pretrain": [1, "ecglfm pretrain: error: pretrain needs deepspeed: pip install 'ecglfm[train]'\n"],
        "finetune": [1, "ecglfm finetune: error: finetune needs deepspeed: pip install 'ecglfm[train]'\n"],
        "describe-labels": [
            1, "ecglfm describe-labels: error: --configfile needs snakemake: pip install 'ecglfm[workflow]'\n",
        ],
    }  # fmt: skip
