"""What a launcher of workers gives to the driver."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from judge.grading.workers.messages import Message, Row


class Channel(Protocol):
    """The line to one life of one worker."""

    #: What is known about its end, for an error message.
    last_words: str

    def send(self, message: Message) -> None:
        """Send a message; it is lost if the worker is."""
        ...

    def receive(self) -> AsyncIterator[Message]:
        """Its messages, until this life of the worker is over."""
        ...

    async def close(self) -> None:
        """End it, whatever it does; what it sent before can still be received."""
        ...


class Launcher(Protocol):
    """A way to have workers."""

    #: How many workers there is room for, once it is open.
    room: int
    #: Whether workers are to be started before the ledger is looked up, since they may bring rows.
    eager: bool

    async def open(self, ledger: str, driver: str) -> None:
        """Prepare; `ledger` names whose results these are, `driver` this run.

        Raises:
            InputError: if there can be no workers this way.
        """
        ...

    async def recover(self) -> list[Row]:
        """Return what workers of drivers that are no more have left."""
        ...

    async def forget(self) -> None:
        """What `recover` returned is in the ledger."""
        ...

    async def start(self, slot: int) -> Channel:
        """Start worker number `slot`, or another one in its place; it sends what the one before it left first."""
        ...

    async def close(self) -> None:
        """End all workers and clean up."""
        ...
