"""How many requests are on their way at once, and the work between them in portions.

Where there is more in the making than may be asked at once, the next question is ready before an answer makes room for it.
It must then also go out at once: when many answers arrive together, looking through all of them first would leave the
provider idle meanwhile. So work that takes processor time (rendering a question, verifying an answer) asks for its portion,
and gets it when there is nothing to be sent or received, or has not got any for a while. What is asked, and how fast a
provider is asked, are none of its business.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

_PORTIONS: Final = 2  # between two looks at the network
_BUSY_S: Final = 0.0005  # what passes between two of them, where something was sent or received
_LONGEST_S: Final = 0.25  # then work goes on however busy the network is


class Slots:
    """Places for so many requests (null: any number), shared by all that is in the making."""

    def __init__(self, most: int | None = None, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._places = None if most is None else asyncio.Semaphore(most)
        self._clock = clock
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._looking = False  # whether `_look` is to be called after the next look at the network
        self._looked = self._given = 0.0  # when it was called last, and when it gave a portion

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place for one request, from before it is sent until it is answered."""
        if self._places is None:
            yield
            return
        async with self._places:
            yield

    async def portion(self) -> None:
        """Wait until it is one's turn to work for a moment, until the next `await`."""
        loop = asyncio.get_running_loop()
        if not self._looking:  # the first since the last look at the network
            self._looking, self._looked = True, self._clock()
            self._given = self._looked
            loop.call_soon(self._look)
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _look(self) -> None:
        """The network was looked at: give the next few their turn, unless there was something to be done for it."""
        now = self._clock()
        busy = now - self._looked > _BUSY_S and now - self._given < _LONGEST_S
        self._looked = now
        given = 0
        while self._waiting and given < _PORTIONS and not busy:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                given += 1
                self._given = now
        self._looking = given > 0 or bool(self._waiting)
        if self._looking:
            asyncio.get_running_loop().call_soon(self._look)
