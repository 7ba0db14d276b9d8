"""Small indexes and tasks."""

import numpy as np
import pandas as pd


def codes(**likelihoods):
    return [{"code": code, "likelihood": float(value)} for code, value in likelihoods.items()]


PTBXL = pd.DataFrame(
    {
        "record_id": [f"p/{i}" for i in range(1, 7)],
        "source": "p",
        "patient_id": [f"p/{i}" for i in range(1, 7)],
        "path": "",
        "age": 50.0,
        "sex": ["male", "female", "male", "female", "male", None],
        "fold": pd.array([1] * 6, dtype="Int64"),
        "codes": [
            codes(NORM=100, SR=0),
            codes(IMI=35, AFIB=0),
            codes(AFIB=100),
            codes(SR=0),
            codes(AMI=80),
            codes(NORM=80),
        ],
        "report": ["Sinusrhythmus", "Vorhofflimmern", "vorhofflimmern", "", "Infarkt", None],
        "native.scp_class": [["NORM", ""], ["MI", ""], [""], [""], ["MI"], ["NORM"]],
        "native.scp_subclass": [["NORM", ""], ["IMI", ""], [""], [""], ["AMI"], ["NORM"]],
        "native.nurse": ["1.0", "0.0", None, "1", "2", "01"],
        "native.site": [1.0, 2.0, np.nan, 1.0, 1.5, 0.0],
        "native.validated": ["True", "False", "True", "True", None, "False"],
    }
)


MIMIC = PTBXL[[column for column in PTBXL.columns if not column.startswith("native.")]].assign(
    record_id=[f"m/{i}" for i in range(1, 7)],
    source="m",
    codes=[[] for _ in range(6)],
    report=["Atrial fibrillation; abnormal", "Sinus rhythm", "ATRIAL FIBRILLATION", "", "Sinus rhythm", "x"],
)


CHALLENGE = MIMIC.assign(
    record_id=[f"c/{i}" for i in range(1, 7)],
    source="c",
    codes=[codes(**{code: 100}) for code in ("713427006", "426783006", "164889003", "713427006", "10370003", "x")],
    **{"native.dx": ["59118001", "426783006", "164889003", "713427006", "10370003", "x"]},
)
