"""Requests of which exactly one field of some is given."""

from typing import Any, ClassVar, Self

from pydantic import model_validator

from serving.schemas import Strict


def one_of(names: tuple[str, ...]) -> dict[str, Any]:
    """Says in JSON schema that exactly one of these fields is given."""
    return {"oneOf": [{"required": [name]} for name in names]}


class Choosing(Strict):
    """A request of which exactly one field of some is given."""

    choices: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="after")
    def _one(self) -> Self:
        self.refuse_others(self.choices)
        return self

    def refuse_others(self, names: tuple[str, ...]) -> None:
        """Refuses anything but exactly one of these fields."""
        given = [name for name in names if name in self.model_fields_set]
        if len(given) != 1:
            got = " and ".join(given) or "none of them"
            raise ValueError(f"expected exactly one of {', '.join(names)}, got {got}")
