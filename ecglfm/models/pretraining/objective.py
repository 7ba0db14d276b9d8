"""What an objective of pretraining must offer; the one place where that is written down.

A new one is a file with a class as here, and the class of its config in `ecglfm.config.encoders.objective`, which
names it; the training asks for nothing else. `masked_codes` is ECG-LFM's, and the example.

Shapes: b batch, n samples.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from torch import Tensor, nn

from ecglfm.config import ObjectiveConfig, PretrainConfig, UserError
from ecglfm.config.reference import look_up
from ecglfm.models.encoders import ECGEncoder, Encoder, PatchEncoder

EncoderT = TypeVar("EncoderT", ECGEncoder, PatchEncoder)


class Objective(nn.Module, ABC, Generic[EncoderT]):
    """An encoder, and all that is needed to train it but the signals.

    What learns are its parameters. What moves otherwise (the average of a teacher) must be buffers: a checkpoint holds
    parameters that learn, and buffers.

    Parameters
    ----------
    encoder : ECGEncoder or PatchEncoder
        Wrapped, not copied; every forward in training calls its context, whose layers are watched. Which of the two it
        is `ObjectiveKind.misfit` sees to: one with a front end, or one on patches.
    config : PretrainConfig
        `objective` is of the objective's own kind.

    Raises
    ------
    UserError
        The settings do not fit the encoder, or each other.
    """

    #: Scalars that a forward gives beside `loss`, in the order of history.csv and of the report.
    columns: ClassVar[tuple[str, ...]]
    #: Version of what is drawn and how it counts: a training that goes on from a checkpoint of another one says so.
    version: ClassVar[int] = 1

    encoder: EncoderT

    def __init__(self, encoder: Encoder, config: PretrainConfig) -> None:
        super().__init__()
        if (reason := config.objective.misfit(encoder.config)) is not None:
            raise UserError(reason)
        self.encoder = encoder  # type: ignore[assignment]

    @property
    def exported(self) -> EncoderT:
        """The encoder that is written in the end, with the weights and buffers of the other by the same names."""
        return self.encoder

    def prepare(self, batches: Sequence[Mapping[str, Tensor]], seed: int) -> Any:
        """What of `draw` needs nothing but its arguments, drawn on the host; nothing, unless an objective says more.

        Called an update ahead, while the device is at work, so that it need not wait: it must not read the state, which
        will be another one, nor ask other ranks. Parameters are those of `draw`.

        Returns
        -------
        object
            For `draw`, on the CPU; pinned where the model lies on a GPU, or the host waits for the copy.
        """
        return None

    @abstractmethod
    def draw(self, batches: Sequence[Mapping[str, Tensor]], seed: int, prepared: Any) -> Iterator[Any]:
        """Whatever else the forwards of an update need: masks, noise, what comes with the records.

        Called once before the first forward of every update (in training mode), and of every batch of a validation (in
        evaluation mode); by all ranks at the same time, so it may ask the others. It must be a function of its
        arguments, the ranks and the state alone: then a training that was interrupted goes on as if it had not been.

        Parameters
        ----------
        batches : sequence of dict of Tensor
            This rank's forwards, on the CPU. `signal` is int16 of shape (2 pairs, samples, leads), microvolts, rows 2i
            and 2i+1 a pair; `valid`, where a record may be padded, the real samples of each, int64 of shape (2 pairs,);
            `patient`, where somebody may have several pairs, whose each is, int64 of shape (pairs,).
        seed : int
            Of the update; `random.record_keys` makes keys of it from which numbers come that no rank can change.
        prepared : object
            What `prepare` made of the same.

        Yields
        ------
        object
            For each forward, when it is asked for; tensors where the model lies.
        """

    @abstractmethod
    def forward(self, x: Tensor, *, step: int, noise: Any, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Loss of one batch of pairs.

        Parameters
        ----------
        x : Tensor of float, shape (2 pairs, leads, samples)
            Millivolts, some leads of zeros; rows 2i and 2i+1 are a pair.
        step : int
            Updates so far.
        noise : object
            From `draw`.
        mask : Tensor of bool, shape (2 pairs, samples), optional
            True where a sample is real; real samples come first.

        Returns
        -------
        dict of str to Tensor of shape ()
            `loss` to differentiate, whose mean over forwards and ranks is what learns; and detached, `columns`.
        """

    def warnings(self, row: Mapping[str, float]) -> dict[str, str | None]:
        """What looks wrong: a text that says how to mend it by the warning's name, None where that is well.

        Parameters
        ----------
        row : mapping of str to float
            `loss` and `columns`: means over an update, the same on every rank; or of one forward whose loss is not
            finite, to name the cause.
        """
        return {}


def objective_class(config: ObjectiveConfig) -> type[Objective]:
    """The class that computes an objective."""
    found: type[Objective] = look_up(config.computed_by)
    return found


def make_objective(encoder: Encoder, config: PretrainConfig) -> Objective:
    """The objective that `config` asks for, around an encoder; raises as `Objective`."""
    return objective_class(config.objective)(encoder, config)
