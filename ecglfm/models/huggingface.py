"""An encoder as a folder that Hugging Face's `AutoModel.from_pretrained` opens, offline: `python -m ecglfm export`.

Its file of code only imports `ecglfm.models.auto_model`: whoever opens it needs ecglfm beside transformers,
and has the whole module, to be trained on, too. What was written is read again before it gets its name.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

from ecglfm.config import UserError
from ecglfm.extras import need
from ecglfm.models.bundle import describe_encoder
from ecglfm.models.encoders import Encoder
from ecglfm.provenance import atomic, write_json, write_text

_CODE = '''"""ECG encoder of ecglfm, which must be installed: it has the layers and the preparation of recordings."""

from ecglfm.models.auto_model import EncoderConfig, EncoderModel

__all__ = ["EncoderConfig", "EncoderModel"]
'''
_PAGE = """---
library_name: transformers
tags: [ecg]
---
# {name}

An encoder of ecglfm: {leads} at {rate} Hz, {unit}, to vectors of {dim} numbers.
Research use, not a medical device.

It needs `transformers` and `ecglfm` (`pip install .` in a clone of it), and no network:

```python
import ecglfm
from transformers import AutoModel

model = AutoModel.from_pretrained("path/to/this/folder", trust_remote_code=True)
record = ecglfm.read_record("path/to/a/recording")  # of any sampling rate and order of leads
vectors = model(ecglfm.preprocess(record, model)).pooler_output  # (windows, {dim}); its mean is the recording's
```

`trust_remote_code` runs `modeling_ecglfm.py`, which imports ecglfm and does nothing else. The weights are safetensors.
"""


def export_huggingface(encoder: Encoder, output: Path) -> float:
    """Write the folder: `config.json`, `model.safetensors`, `modeling_ecglfm.py` and `README.md`.

    Parameters
    ----------
    encoder : Encoder
        On the CPU, in float32; left in `eval()`.
    output : path
        Must not exist, or be empty.

    Returns
    -------
    float
        Largest difference between vectors of what was read again and of the encoder.

    Raises
    ------
    UserError
        transformers is not installed, the folder has something in it, or it gives other vectors.
    """
    need("transformers", extra="huggingface", what="--format huggingface")
    if output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise UserError(f"--output {output}: is there already; name a folder that is to be made")
    from ecglfm.models.auto_model import EncoderModel

    names = {"AutoConfig": "EncoderConfig", "AutoModel": "EncoderModel"}
    config = {
        "architectures": ["EncoderModel"],
        "auto_map": {auto: f"modeling_ecglfm.{name}" for auto, name in names.items()},
        "model_type": "ecglfm",
        "dtype": "float32",
        "hidden_size": encoder.dim,
        "encoder": describe_encoder(encoder),
    }
    # Tensors of their own: safetensors refuses those that share memory.
    weights = {f"encoder.{name}": value.contiguous().clone() for name, value in encoder.state_dict().items()}
    temporary = output.with_name(f".{output.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        write_json(temporary / "config.json", config)
        with atomic(temporary / "model.safetensors") as path:
            save_file(weights, path, metadata={"format": "pt"})
        write_text(temporary / "modeling_ecglfm.py", _CODE)
        unit = "in millivolts" if encoder.input is None else f"{encoder.input.unit}, as its input contract makes it"
        about = {"name": encoder.info.get("name", "encoder"), "leads": " ".join(encoder.leads), "unit": unit}
        about |= {"rate": encoder.sampling_rate, "dim": encoder.embedding_dim}
        write_text(temporary / "README.md", _PAGE.format(**about))
        again = EncoderModel.from_pretrained(temporary).eval()
        signal = torch.randn(2, len(encoder.leads), encoder.crop_samples, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            difference = float((again(signal).pooler_output - encoder.eval().embed(signal)).abs().max())
        if not difference <= 1e-6:
            raise UserError(f"{output}: not written, because its vectors differ by {difference:.1e} from the encoder's")
        if output.is_dir():
            output.rmdir()
        temporary.replace(output)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return difference
