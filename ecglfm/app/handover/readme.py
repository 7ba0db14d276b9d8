"""The page in a bundle: what it is, and the lines that run it with onnxruntime and NumPy alone."""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING

from ecglfm.app.handover.contents import TOLERANCE_OUTPUTS
from ecglfm.app.handover.running import NEAREST
from ecglfm.config import LEADS

if TYPE_CHECKING:
    from ecglfm.models.heads import ECGModel

_PAGE = Template("""\
# $title

For research; not a medical device. In this folder, with `pip install numpy onnxruntime` and nothing else:

```python
import json
import numpy as np
import onnxruntime

about = json.load(open("bundle.json"))
prepare, model = (onnxruntime.InferenceSession(name) for name in ("preprocess.onnx", "model.onnx"))

def ask(signal):  # float64 (12, samples): mV at $rate Hz; $leads; NaN where missing
    windows = prepare.run(["windows"], {"signal": signal})[0]
    said = model.run(["$outputs"], {"signal": windows})[0]
    said = np.$aggregate(said, axis=0)  # of the windows$normalised$calibrated
    return said

example = json.load(open("example.json"))
said = ask(np.array(example["signal"], float))
assert np.allclose(said, example["outputs"], atol=$tolerance), "this is not what PyTorch gave"
for label, value$and_threshold in zip(about["model"]["label_names"], said$and_thresholds):
    print(label, round(float(value), 4)$decision)
```

`bundle.json` has all that is known of the model; `sha256sum -c SHA256SUMS` finds damage; `LICENSE` says what you may
do; $card. The graphs do not judge: what should get no answer is under `quality` in `bundle.json`.
""")

#: Temperatures, of labels and of classes.
_CALIBRATED = {
    False: f"""
    power, said = 1 / np.array(about["model"]["temperature"]), np.clip(said, {NEAREST}, 1 - {NEAREST})
    said = said**power / (said**power + (1 - said)**power)""",
    True: f"""
    said = np.clip(said, {NEAREST}, 1 - {NEAREST}) ** (1 / np.array(about["model"]["temperature"]))
    said /= said.sum()""",
}


def readme(model: ECGModel, *, title: str, rate: float, card: bool) -> str:
    """The page of one model."""
    kind = model.link.kind
    return _PAGE.substitute(
        title=title,
        card="`card.html` how good it is, and on whom" if card else "how good it is, nobody has said",
        rate=f"{rate:g}",
        leads=" ".join(LEADS),
        outputs=kind.outputs,
        aggregate=model.aggregate,
        normalised="\n    said /= said.sum()" if kind.exclusive and model.aggregate != "mean" else "",
        calibrated="" if model.calibration is None else _CALIBRATED[kind.exclusive],
        tolerance=f"{TOLERANCE_OUTPUTS:g}",
        and_threshold=", threshold" if kind.has_classes else "",
        and_thresholds=', about["model"]["thresholds"]' if kind.has_classes else "",
        decision=', "yes" if value >= threshold else "no"' if kind.has_classes else "",
    )
