"""What Python is handed: encoders and models that take recordings, not only tensors.

`ecglfm.load_encoder` and `ecglfm.load_model` give the very modules of `ecglfm.models`, with the methods of this file
beside those that they have. The floors of models and of data do not know each other, so the methods cannot stand there.
What a method needs it imports itself: loading a model does not wait for pandas.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from torch import nn

from ecglfm.config import UserError
from ecglfm.models import bundle
from ecglfm.models.encoders import Encoder
from ecglfm.models.heads import ECGModel

if TYPE_CHECKING:
    import pandas as pd

    from ecglfm.app.explanation import Explanation
    from ecglfm.app.prediction import Records
    from ecglfm.records import Record

ModuleT = TypeVar("ModuleT", bound=nn.Module)


class _TakesRecords(nn.Module):
    """What encoders and models share."""

    def embed_records(self, records: Records, *, workers: int = 1) -> pd.DataFrame:
        """One vector a recording, the mean over its windows; of a model, what its head reads.

        Parameters
        ----------
        records : Record or path, or several of them
            What `ecglfm.read_record` or `as_record` gives, of any rate and lead order, or files and folders, as for
            `ecglfm embed`.
        workers : int
            Processes that read files.

        Returns
        -------
        DataFrame
            `record` (the file's path; of what is in memory its number), `patient_id`, `vector.0000`, …, `flags`,
            `reason`: why there is no vector. `table.filter(like="vector.").to_numpy()` has the vectors alone.

        Raises
        ------
        UserError
            There is no such file or folder, or an argument is something else.
        """
        from ecglfm.app.embedding import RecordEmbedder
        from ecglfm.app.prediction import named

        recordings, reader = named(records)
        return RecordEmbedder(self).table(recordings, reader, workers=workers)  # type: ignore[arg-type]


class RecordEncoder(_TakesRecords, Encoder):
    """An `Encoder`, of whatever kind, that takes recordings; made by `load_encoder`."""

    def __reduce__(self) -> tuple[Any, ...]:  # its class has no name that pickle could look up
        return _again, (type(self).__bases__[1], self.__dict__)


class RecordModel(_TakesRecords, ECGModel):
    """An `ECGModel` that takes recordings; made by `load_model`."""

    def predict(self, records: Records, *, at: Sequence[float] = (), workers: int = 1) -> pd.DataFrame:
        """What the model says of recordings.

        Parameters
        ----------
        records, workers
            As in `embed_records`.
        at : sequence of float
            Of survival: times at which a risk is said, in the unit of the label's times (`within_{time}.{label}`);
            without them the quartiles of the event times of the validation patients.

        Returns
        -------
        DataFrame
            A row a recording, with the columns of `ecglfm predict`: `record`, `patient_id`, `probability.{label}`,
            `threshold.{label}`, `decision.{label}`, …, `flags`, `abstained`, `reason`.

        Raises
        ------
        UserError
            As `embed_records`, or the model says no risk at these times.
        """
        from ecglfm.app.prediction import Predictor, named

        recordings, reader = named(records)
        return Predictor([self], at=at).table(recordings, reader, workers=workers)

    def explain(self, record: Record | str | Path, label: str) -> Explanation:
        """Which leads and parts of the beat speak for the model's answer on a label, and which against it.

        Parameters
        ----------
        record : Record or path
        label : str
            One of `label_names`.

        Returns
        -------
        Explanation
            `.by_lead()` and `.by_phase()` have shares, `.attribution` a number for each sample, and `.figure()` is the
            recording on paper, shaded by them.

        Raises
        ------
        UserError
            There is no such label, or the recording cannot be read or used.
        """
        from ecglfm.app.explanation import explain
        from ecglfm.records import Record, RecordError
        from ecglfm.sources.files import read_record

        try:
            return explain(self, record if isinstance(record, Record) else read_record(record), label)
        except RecordError as error:
            raise UserError(f"record cannot be used: {error}") from None


def load_encoder(path: str | Path) -> RecordEncoder:
    """Read an encoder, in `eval()`, float32, on the CPU; argument and errors as `ecglfm.models.bundle.load_encoder`.

    Returns
    -------
    RecordEncoder
        Called with what `ecglfm.preprocess` gives it has frames, `.embed` of that a vector a window, and
        `.embed_records` a vector a recording. `.info` holds the content of the JSON.
    """
    return _encoder(bundle.load_encoder(path))


def load_model(path: str | Path) -> RecordModel:
    """Read a fine-tuned model, in `eval()`, float32, on the CPU; argument and errors as `load_encoder`.

    Returns
    -------
    RecordModel
        `.predict` takes recordings; called with what `ecglfm.preprocess` gives it has logits. `.kind`, `.label_names`,
        `.thresholds`, `.encoder`; `.info` holds the content of the JSON.
    """
    model = _as(bundle.load_model(path), RecordModel)
    model.encoder = _encoder(model.encoder)
    return model


def _encoder(encoder: Encoder) -> RecordEncoder:
    return _as(encoder, _record_encoder(type(encoder)))


@functools.cache
def _record_encoder(kind: type[Encoder]) -> type[RecordEncoder]:
    """The class of a kind of encoder that takes recordings."""
    return type(kind.__name__, (RecordEncoder, kind), {})


def _again(kind: type[Encoder], attributes: dict[str, Any]) -> RecordEncoder:
    """What a copy or another process has of an encoder."""
    of_records = _record_encoder(kind)
    same = of_records.__new__(of_records)
    same.__dict__.update(attributes)
    return same


def _as(module: nn.Module, kind: type[ModuleT]) -> ModuleT:
    """The same module, weights, hooks and attributes as one, with the methods of a class that derives from its own."""
    same = kind.__new__(kind)
    same.__dict__ = module.__dict__
    return same
