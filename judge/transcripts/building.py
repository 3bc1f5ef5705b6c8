"""Model objects from values that our own code has made, without validating them again.

A reader builds three model objects per message; validating each costs more than parsing the text it came from. Every
value that reaches this function has been given its type by `parts` or by a reader, and a test validates what comes out.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from judge.frozen import Frozen

Model = TypeVar("Model", bound=Frozen)
# Frozen models refuse to be written to; the slots of their base class don't. Looked up once: this runs for every part.
_set_dict: Final[Callable[..., None]] = vars(BaseModel)["__dict__"].__set__
_set_names: Final[Callable[..., None]] = vars(BaseModel)["__pydantic_fields_set__"].__set__
_set_extra: Final[Callable[..., None]] = vars(BaseModel)["__pydantic_extra__"].__set__
_set_private: Final[Callable[..., None]] = vars(BaseModel)["__pydantic_private__"].__set__


def maker(model: type[Model]) -> Callable[[dict[str, Any]], Model]:
    """Return a function that makes an instance of `model` from its fields.

    The dictionary given to it is taken over, not copied: it holds every field, each with a value of its type, in order.
    """
    names = set(model.model_fields)
    new = object.__new__

    def make(values: dict[str, Any]) -> Model:
        instance = new(model)
        _set_dict(instance, values)
        _set_names(instance, names)
        _set_extra(instance, None)
        _set_private(instance, None)
        return instance

    return make


class Uncollected:
    """Keeps the collector from walking, over and over, what is being built: plain values, in which there are no cycles."""

    def __enter__(self) -> None:
        self._was_on = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._was_on:
            gc.enable()
