"""One collective and one update of DeepSpeed's engine, as in a training; a JSON line for each that went well."""

from __future__ import annotations

import json
import sys

import torch
import torch.distributed as dist
from torch import nn

from ecglfm import distributed
from ecglfm.config import FinetuneConfig
from ecglfm.process import end_process
from ecglfm.training.engine import initialize


def main() -> None:
    """Try it; whatever goes wrong is raised."""
    device = distributed.init(threads=1)
    total = torch.ones(1, device=device)
    dist.all_reduce(total)
    assert float(total) == 1
    is_nccl = dist.get_backend() == "nccl"
    version = ".".join(map(str, torch.cuda.nccl.version())) if is_nccl else ""
    _say(f"NCCL {version}" if is_nccl else "gloo (NCCL needs a GPU)")
    engine = initialize(nn.Linear(2, 1), FinetuneConfig())
    before = engine.module.weight.detach().clone()
    engine.backward(engine(torch.ones(4, 2, device=engine.device)).sum())
    engine.step()
    assert not torch.equal(before, engine.module.weight), "the update changed nothing"
    _say(f"DeepSpeed made an update on {engine.device}")


def _say(done: str) -> None:
    sys.stdout.write(json.dumps({"done": done}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
    end_process(0)
