"""One rank of `test_finetune_ranks`: fits of one data set, each with or without a signal after some looks at the flag.

python finetune_ranks.py PLAN.json FOLDER, with RANK and WORLD_SIZE in the environment.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ecglfm import distributed
from tests.unit.training.finetuning.test_finetune import fit
from tests.unit.training.pretraining.small_pretraining import StopAfter


def main() -> None:
    """Read the plan and follow it; only the last rank is sent the signal."""
    plan, folder = (Path(argument) for argument in sys.argv[1:])
    for name, looks in json.loads(plan.read_text()):
        last = distributed.rank() == distributed.world_size() - 1
        stop = StopAfter(looks if looks and last else 10**6)
        try:
            fit(folder, folder / name, epochs=3, batch_size=8, zero_stage=2, stop=stop)
        except distributed.Stopped:
            (folder / f"{name}-{distributed.rank()}").touch()
            distributed.barrier()


if __name__ == "__main__":
    main()
