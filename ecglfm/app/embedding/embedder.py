"""An encoder that is loaded once and given recordings: a vector for each comes out.

A recording goes the way of the pipeline, as for `ecglfm.app.prediction.Predictor`. Its vector is the mean of those of
its windows: of an encoder what `Encoder.embed` gives, of a model what its head reads.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from tqdm import tqdm

from ecglfm import gpu
from ecglfm.app.prediction import Prepared, Preparer, Reader, Recording, prepare_record, prepared_together
from ecglfm.data.samples import Held
from ecglfm.data.signals import as_read
from ecglfm.records import Record

if TYPE_CHECKING:
    from ecglfm.models.encoders import Encoder
    from ecglfm.models.heads import ECGModel

logger = logging.getLogger(__name__)


class RecordEmbedder:
    """An encoder, or a model for what its head reads, that is given recordings.

    Parameters
    ----------
    module : Encoder or ECGModel
    precision : str
        Numbers of the products: fp32, tf32 or bf16.

    Attributes
    ----------
    module : Encoder or ECGModel
    encoder : Encoder
        That module, or the encoder within it.

    Raises
    ------
    UserError
        A filter of its preprocessing does not fit its rate.
    """

    def __init__(self, module: Encoder | ECGModel, *, precision: str = "fp32") -> None:
        from ecglfm.training.vectors import encoder_of

        self.module, self.encoder, self.precision = module, encoder_of(module), precision

    @classmethod
    def load(cls, folder: Path, *, threads: int = 1, precision: str = "fp32", compiled: bool = False) -> RecordEmbedder:
        """Read the encoder of a folder, or the model of one without encoder, onto the device that there is.

        Parameters
        ----------
        folder : path
        threads : int
            Of torch, which has them for the whole process.
        precision : str
            As of the constructor.
        compiled : bool
            Compile the encoder's layers.

        Raises
        ------
        UserError
            It cannot be read, or nothing can be compiled.
        """
        from ecglfm.models.bundle import load_encoder, load_model
        from ecglfm.training.inference import ready

        is_model = (folder / "model.json").is_file() and not (folder / "encoder.json").is_file()
        module: Encoder | ECGModel = load_model(folder) if is_model else load_encoder(folder)
        module = ready(module, threads=threads, precision=precision, compiled=compiled)
        logger.info("%s: asked on %s", folder, gpu.device_of(module))
        return cls(module, precision=precision)

    def prepare(self, record: Record, *, name: str = "", patient_id: str | None = None) -> Prepared:
        """A recording of any rate, order of leads and unit as the encoder reads it, or with its fault."""
        return prepare_record(record, self.encoder.preprocess, name=name, patient_id=patient_id)

    def vectors(self, prepared: Sequence[Prepared]) -> np.ndarray:
        """Vector of each recording, float32 (recordings, dim); NaN where it has a fault."""
        from ecglfm.training.inference import aggregate_by_record
        from ecglfm.training.vectors import embed_windows

        usable = np.array([one.fault is None for one in prepared], bool)
        read = as_read(Held([one.signal for one in prepared if one.fault is None]), self.encoder)
        windows = read.windows(self.encoder.crop_samples)
        vectors = np.full((len(prepared), self.module.embedding_dim), np.nan, np.float32)
        of_windows = embed_windows(self.module, read, windows, precision=self.precision)
        vectors[usable] = aggregate_by_record(windows["row"].to_numpy(), of_windows)
        return vectors

    def table(self, recordings: Sequence[Recording], reader: Reader, *, workers: int = 1) -> pd.DataFrame:
        """Vectors of recordings, a row for each, in their order.

        Parameters
        ----------
        recordings : sequence of Recording
        reader : Reader
        workers : int
            Processes that read and prepare; the table does not depend on it.

        Returns
        -------
        DataFrame
            `record`, `patient_id`, `vector.0000`, …, `flags`, `reason`: why there is no vector, else empty.
        """
        preparer = Preparer(reader, self.encoder.preprocess)
        together = prepared_together(recordings, preparer, self.encoder.crop_seconds, workers=workers)
        parts = []
        with tqdm(total=len(recordings), desc="embed", unit="record", disable=None) as shown:
            for some in together:
                parts.append(self._rows(some))
                shown.update(len(some))
        return pd.concat(parts or [self._rows([])], ignore_index=True)

    def _rows(self, prepared: Sequence[Prepared]) -> pd.DataFrame:
        from ecglfm.training.vectors import vector_columns

        return pd.concat(
            [
                pd.DataFrame([one[:2] for one in prepared], columns=["record", "patient_id"], dtype="str"),
                pd.DataFrame(self.vectors(prepared), columns=vector_columns(self.module.embedding_dim)),
                pd.DataFrame(
                    [(",".join(one.flags), ": ".join(one.fault or ())) for one in prepared],
                    columns=["flags", "reason"], dtype="str",
                ),
            ],
            axis=1,
        )  # fmt: skip
