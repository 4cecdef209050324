"""The JSON Schema of an inventory in JSON or YAML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

if TYPE_CHECKING:
    from runner.model import JsonObject

Label: TypeAlias = "str | int | float | bool | list[Any] | dict[str, Any] | None"
"""Nested values are labels with dots in their names."""


class ServerRow(BaseModel):
    """One server; any other key is a label."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Label]

    id: Annotated[str, Field(pattern="^[-_.a-zA-Z0-9]{1,64}$")] = Field(
        description="Lite Server id, not the cloud server's."
    )
    name: str | None = Field(None, description="Name; the id where there is none.")
    labels: dict[str, Label] | None = Field(None, description="Labels, beside those given as keys of their own.")


class ServerList(BaseModel, frozen=True):
    """Servers under a key."""

    servers: list[ServerRow]


class ServerAnswer(BaseModel, frozen=True):
    """Servers as the service answers them; `total` must not be more than there are."""

    data: list[ServerRow]
    total: int | None = None


def inventory_schema() -> JsonObject:
    """The JSON Schema of the whole file: a list of servers, or a mapping with `servers` or `data`."""
    schema = TypeAdapter(list[ServerRow] | ServerList | ServerAnswer).json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "inventory"}
