"""A table of the user's own that labels are read from."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from ecglfm.config.base import Section


class LabelFile(Section):
    """A table of your own, by record or patient."""

    path: str = Field(description="CSV with a header, from the folder of config.yaml or absolute")
    by: str = Field("record_id", description="`record_id`, `patient_id`, or a column of the database's own table")
    id: str | None = Field(None, description="column of the CSV with these ids; null: named as `by`")
    y_npy: str | None = Field(
        None, description="fairseq-signals: `y.npy`, whose columns are added to those of the CSV; see `row`"
    )
    label_def: str | None = Field(None, description="with `y_npy`: `label_def.csv`, which names its columns in order")
    row: str = Field("idx", description="with `y_npy`: column of the CSV with the row in it, from 0")

    @model_validator(mode="after")
    def _both_or_none(self) -> LabelFile:
        if (self.y_npy is None) != (self.label_def is None):
            raise ValueError("`y_npy` and `label_def` go together: the numbers, and the names of their columns")
        return self

    @property
    def id_column(self) -> str:
        """Column of the CSV with the ids."""
        return self.id or self.by

    @property
    def files(self) -> list[str]:
        """Every file that it names."""
        return [file for file in (self.path, self.y_npy, self.label_def) if file is not None]

    def located(self, folder: Path) -> LabelFile:
        """The same with paths that start in `folder`, or in the home folder where they begin with `~`."""
        names = ("path", "y_npy", "label_def")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return self.model_copy(update={name: str(folder / Path(file).expanduser()) for name, file in given.items()})
