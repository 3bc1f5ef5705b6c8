"""A sequence that is made when somebody first looks into it.

When a transcript has been read, all of it is known, but not everybody needs each message as an object, and few need the
hash of where it stood. What can go wrong in reading has gone wrong before: making the items cannot fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import GenericAlias
from typing import Any, Final, TypeVar, get_args, overload

from pydantic import GetCoreSchemaHandler, GetPydanticSchema
from pydantic_core import CoreSchema, core_schema

Item = TypeVar("Item")


class LazySequence(Sequence[Item]):
    """An immutable sequence of known length; `make` gives its items, once. It equals a tuple of the same items."""

    __slots__ = ("_items", "_length", "_make")

    def __init__(self, length: int, make: Callable[[], tuple[Item, ...]]) -> None:
        self._length = length
        self._make: Callable[[], tuple[Item, ...]] | None = make
        self._items: tuple[Item, ...] = ()

    def _made(self) -> tuple[Item, ...]:
        make = self._make
        if make is not None:
            self._items = make()
            self._make = None  # with it goes what the items were made from
        return self._items

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Item]:
        return iter(self._made())

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Item, ...]: ...
    def __getitem__(self, index: int | slice) -> Item | tuple[Item, ...]:
        return self._made()[index]

    def __eq__(self, other: object) -> bool:
        return self._made() == (other._made() if isinstance(other, LazySequence) else other)

    def __hash__(self) -> int:
        return hash(self._made())

    def __repr__(self) -> str:
        return repr(self._made())

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (self._made(),)


def _as_tuple(sequence: Any, build: GetCoreSchemaHandler) -> CoreSchema:
    plain = build(GenericAlias(tuple, (*get_args(sequence), ...)))
    made = core_schema.no_info_before_validator_function(_made, plain)
    written = core_schema.plain_serializer_function_ser_schema(tuple, return_schema=plain)
    return core_schema.json_or_python_schema(plain, made, serialization=written)


def _made(given: Any) -> Any:
    return tuple(given) if isinstance(given, LazySequence) else given


# For a field of type `Sequence[X]`: validated and written as a `tuple[X, ...]`, which may still have to be made.
AS_TUPLE: Final = GetPydanticSchema(_as_tuple)
