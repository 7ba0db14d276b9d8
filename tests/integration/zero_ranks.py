"""One rank of `test_zero`: trains a plan of small encoders one after the other and notes every step.

python zero_ranks.py PLAN.json FOLDER, with RANK and WORLD_SIZE in the environment.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from ecglfm import distributed
from ecglfm.config import EncoderSlice
from ecglfm.models.pretraining.masked_codes import MaskedCodes
from ecglfm.training.engine import full_state_dict, initialize
from ecglfm.training.pretraining.encoders import build_encoder
from ecglfm.training.pretraining.loop import average, update
from ecglfm.training.pretraining.pretrain import Pretraining
from ecglfm.training.pretraining.upcoming import Upcoming


def digest(tensors) -> str:
    """Of values, bit for bit."""
    content = hashlib.sha256()
    for tensor in tensors:
        content.update(tensor.contiguous().numpy().tobytes())
    return content.hexdigest()


def watched(batches, seen):
    """The batches; `seen` gets the numbers of the recordings in each, which their third lead tells."""
    for batch in batches:
        seen.append([round(value / 10) for value in batch["signal"][:, 0, 2].tolist()])
        yield batch


class Collectives:
    """Counts what goes between the ranks: `names` of what is larger than any number that they agree on, in their order,
    and `sizes` of the smaller all-reduces; `gathered`, numbers of weights that are handed out once they are updated.
    """

    SENDS = ("all_reduce", "reduce", "reduce_scatter_tensor")

    def __init__(self) -> None:
        self.names: list[str] = []
        self.sizes: list[int] = []
        self.gathered: list[int] = []
        for name in ("all_gather", "all_gather_into_tensor"):
            setattr(torch.distributed, name, self.handing_out(getattr(torch.distributed, name)))
        for name in self.SENDS:
            setattr(torch.distributed, name, self.counting(name, getattr(torch.distributed, name)))

    def handing_out(self, send):
        def counted(*tensors, **options):
            out = tensors[0] if tensors else options["output_tensor"]
            self.gathered.append(sum(part.numel() for part in (out if isinstance(out, list) else [out])))
            return send(*tensors, **options)

        return counted

    def counting(self, name, send):
        def counted(*tensors, **options):
            tensor = options.get("tensor", tensors[0] if tensors else None)
            if isinstance(tensor, torch.Tensor) and tensor.numel() > 1000:
                self.names.append(f"{name} {tensor.dtype} {tensor.numel()}")
            elif name == "all_reduce":
                self.sizes.append(tensor.numel())
            return send(*tensors, **options)

        return counted


def train(slice_: EncoderSlice, folder: Path, name: str, sent: Collectives) -> None:
    """One training; writes what each step gave, and the consolidated encoder."""
    config = slice_.config.pretrain
    job = Pretraining(slice_, folder / "records.parquet", folder / "preprocess", folder / name)
    objective = MaskedCodes(build_encoder(slice_, config.seed), config)
    engine = initialize(objective, config)
    engine.train()
    seen: list[list[int]] = []
    upcoming = Upcoming(objective, watched(job.train.load(0, config.steps), seen), config)
    rows, parameters, buffers = [], [], []
    for step in range(config.steps):
        sent.names.clear()
        sent.sizes.clear()
        sent.gathered.clear()
        done = update(engine, upcoming, step, config, lambda: (False, distributed.rank() == 1))
        assert done.flags == [False, distributed.world_size() == 2]
        agreed = sorted(sent.sizes)
        collectives, gathered = list(sent.names), list(sent.gathered)
        rows.append(average(done.terms) | {"grad_norm": done.norm})
        state = full_state_dict(engine, objective)
        parameters.append(digest(state[key] for key, _ in objective.named_parameters()))
        buffers.append(digest(state[key] for key, _ in objective.named_buffers()))
    note = {
        "rows": rows, "parameters": parameters, "buffers": buffers, "seen": seen, "sent": collectives, "agreed": agreed,
        "gathered": gathered, "learning": sum(value.numel() for value in state.values() if value.is_floating_point()),
    }  # fmt: skip
    (folder / f"{name}-{distributed.rank()}.json").write_text(json.dumps(note))
    encoder = full_state_dict(engine, objective.encoder, everywhere=False)
    assert bool(encoder) == distributed.is_main()
    if distributed.is_main():
        save_file(encoder, folder / f"{name}.safetensors")


def main() -> None:
    """Read the plan and follow it."""
    plan, folder = (Path(argument) for argument in sys.argv[1:])
    distributed.init(threads=1)
    sent = Collectives()
    for name, options in json.loads(plan.read_text()).items():
        train(EncoderSlice.model_validate(options), folder, name, sent)
    torch.distributed.barrier()


if __name__ == "__main__":
    main()
