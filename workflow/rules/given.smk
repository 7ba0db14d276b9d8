# What the user gave, read strictly before Snakemake reads it, which takes the last of two equal keys without a word.
# Requires: config/config.yaml, the files of `--configfile` and the values of `--config`.
# Makes: nothing; GIVEN says in which of them a mistake stands. It exits where Snakemake could not begin.

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir).parent))  # a clone works before ecglfm is installed

from ecglfm.config import UserError, read_yaml

RECORDS = next(folder for folder in (".snakemake", ".") if Path(folder).exists())
if not os.access(RECORDS, os.W_OK):
    sys.exit(
        f"{Path(RECORDS).absolute()} cannot be written, and Snakemake keeps its records there: run it in a clone of your own"
    )

try:
    if Path("config/config.yaml").exists():
        read_yaml("config/config.yaml")
    GIVEN = [(os.path.relpath(path), read_yaml(path)) for path in workflow.overwrite_configfiles]
except UserError as error:
    sys.exit(str(error))  # the line alone: Snakemake would put its own around that of any other error
GIVEN += [("--config", workflow.config_settings.config)]
