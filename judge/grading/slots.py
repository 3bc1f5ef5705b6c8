"""How many requests are on their way at once, and the work between them in portions.

Where there is more in the making than may be asked at once, the next question is ready before an answer makes room for it.
It must then also go out at once: when many answers arrive together, looking through all of them first would leave the
provider idle meanwhile. So work that takes processor time (rendering a question, verifying an answer) asks for its portion,
and the event loop looks at the network again after every few of them. What is asked, and how fast a provider is asked, are
none of its business.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

# Between two looks at the network: about as long as two answers take to verify.
_PORTION_S: Final = 0.002
_PORTIONS: Final = 2


class Slots:
    """Places for so many requests (null: any number), shared by all that is in the making."""

    def __init__(self, most: int | None = None) -> None:
        self._places = None if most is None else asyncio.Semaphore(most)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._began: float | None = None  # when the first portion since the last look at the network was given

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
        if self._began is None:
            self._began = time.perf_counter()
            asyncio.get_running_loop().call_soon(self._go_on)
        elif self._waiting or time.perf_counter() - self._began > _PORTION_S:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn

    def _go_on(self) -> None:
        """The network was looked at: give the next few their turn."""
        self._began = None
        given = 0
        while self._waiting and given < _PORTIONS:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                given += 1
        if given:
            self._began = time.perf_counter()
            asyncio.get_running_loop().call_soon(self._go_on)
