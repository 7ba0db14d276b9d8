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
$within
example = json.load(open("example.json"))
said = ask(np.array(example["signal"], float))
assert np.allclose(said, example["outputs"], atol=$tolerance), "this is not what PyTorch gave"
for label, value$and_more in zip(about["model"]["label_names"], said$and_more_of):
    print(label, round(float(value), 4)$decision)$risks
```

`bundle.json` has all that is known of the model; `sha256sum -c SHA256SUMS` finds damage; `LICENSE` says what you may
do; $card. The graphs do not judge: what should get no answer is under `quality` in `bundle.json`.
""")

#: The risk until a time, of a model of survival that keeps a baseline hazard.
_WITHIN = """
def within(value, time, of):  # probability of the event until a time, of a log hazard ratio and its baseline hazard
    assert 0 < time <= of["until"], "nobody was followed for so long"
    hazard = np.concatenate([[0.0], of["hazard"]])[np.searchsorted(of["times"], time, side="right")]
    return -np.expm1(-hazard * np.exp(of.get("slope", 1.0) * value))
"""
_RISKS = f"""
    for time, expected in risks:
        print(f"    {{time:g}}", round(float(within(value, time, of)), 4))
        assert np.isclose(within(value, time, of), expected, atol={TOLERANCE_OUTPUTS:g}), "predict says otherwise\""""

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
    more, more_of, decision = "", "", ""
    if kind.has_classes:
        more, more_of = ", threshold", ', about["model"]["thresholds"]'
        decision = ', "yes" if value >= threshold else "no"'
    elif model.baselines:
        more, more_of = ", of, risks", ', about["model"]["baseline_hazards"], example["within"]'
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
        within=_WITHIN if model.baselines else "",
        risks=_RISKS if model.baselines else "",
        and_more=more,
        and_more_of=more_of,
        decision=decision,
    )
