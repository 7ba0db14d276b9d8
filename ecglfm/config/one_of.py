"""Names that a key may have, where what they name is written in files of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


class OneOf:
    """Text that is one of some names, which are asked for when it is read: as `Literal`, of a list that may grow.

    Parameters
    ----------
    names : callable
        Gives them, in the order of documents.
    """

    def __init__(self, names: Callable[[], Iterable[str]]) -> None:
        self._names = names

    @property
    def names(self) -> list[str]:
        """Each once."""
        return list(dict.fromkeys(self._names()))

    def check(self, value: str) -> str:
        """The value; raises as pydantic does of a `Literal`."""
        if value not in self.names:
            *most, last = (repr(name) for name in self.names)
            expected = f"{', '.join(most)} or {last}"
            raise PydanticCustomError("one_of", "Input should be {expected}", {"expected": expected})
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "enum": self.names}
