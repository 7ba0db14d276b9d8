"""One rank of `test_spread`: runs a plan of pretrainings one after the other and notes what was logged and said.

python spread_ranks.py PLAN.json FOLDER PHASE, with RANK and WORLD_SIZE in the environment.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path

from ecglfm import distributed
from ecglfm.config import EncoderSlice, UserError
from ecglfm.training.pretraining.pretrain import Pretraining, run_pretrain


def fill_disk(name: str) -> None:
    """From now on the disk has no room for the checkpoint of this name."""
    write = os.write

    def nearly_full(descriptor: int, data: memoryview) -> int:
        if name in os.readlink(f"/proc/self/fd/{descriptor}"):
            write(descriptor, data[:100])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    os.write = nearly_full


def main() -> None:
    """Read the plan and follow it."""
    plan, folder, phase = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    logged: list[int] = []
    log = Pretraining.log

    def noted(self, run, step, split, row):
        logged.append(step)
        log(self, run, step, split, row)

    Pretraining.log = noted
    for name, content in json.loads(plan.read_text()).items():
        del logged[:]
        write, said = os.write, ""
        if content["full_disk_of"] == distributed.rank():
            fill_disk(".saving-00000006")
        try:
            run_pretrain(
                EncoderSlice.model_validate(content["slice"]),
                manifest=folder / "records.parquet",
                signals=folder / "preprocess",
                output=folder / name,
                threads=1,
            )
        except (UserError, SystemExit) as error:
            said = f"{type(error).__name__}: {error}"
        os.write = write
        note = {"logged": logged, "said": said}
        (folder / f"{name}-{phase}-{distributed.rank()}.json").write_text(json.dumps(note))


if __name__ == "__main__":
    main()
