"""Folders of imported encoders as far as a plan reads them."""

from __future__ import annotations

from pathlib import Path

import yaml

from ecglfm.config import PreprocessConfig
from ecglfm.provenance import write_json
from tests.unit.architectures import small


def stub_encoders(config: Path, root: Path) -> list[str]:
    """Below `root`, what each file of `config/encoders/` imports, without weights; returns their names."""
    names = []
    for path in sorted((config / "encoders").glob("*.yaml")):
        said = yaml.safe_load(path.read_text())
        if said.get("weights") != "import":
            continue
        info = {
            "format": "ecglfm-encoder",
            "model": small("vit").model_dump(mode="json"),
            "preprocess": PreprocessConfig().model_dump(mode="json"),
        }
        write_json(root / said["path"] / "encoder.json", info)
        (root / said["path"] / "encoder.safetensors").touch()
        names.append(path.stem)
    return names
