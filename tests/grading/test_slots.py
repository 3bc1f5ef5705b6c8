"""Places for requests, and portions of work between them, by a clock of the test's own."""

from __future__ import annotations

import asyncio

from judge.grading.slots import Slots


class Network:
    """Sends and receives for so many passes of the event loop, each of which takes a millisecond."""

    def __init__(self) -> None:
        self.time = 0.0
        self.log: list[str] = []

    def clock(self) -> float:
        return self.time

    async def be_busy(self, passes: int) -> None:
        for _ in range(passes):
            self.time += 0.001
            self.log.append("sent")
            await asyncio.sleep(0)

    async def work(self, slots: Slots) -> None:
        await slots.portion()
        self.log.append("worked")


def test_no_more_places_than_there_are() -> None:
    """Requests wait for a place, and each gets one."""
    seen: list[int] = []

    async def send(slots: Slots, on_their_way: list[int]) -> None:
        async with slots.place():
            on_their_way[0] += 1
            seen.append(on_their_way[0])
            await asyncio.sleep(0)
            on_their_way[0] -= 1

    async def send_all() -> None:
        slots, on_their_way = Slots(3), [0]
        await asyncio.gather(*(send(slots, on_their_way) for _ in range(10)))

    asyncio.run(send_all())
    assert (len(seen), max(seen)) == (10, 3)


def test_what_can_be_sent_is_sent_before_work_goes_on() -> None:
    """One who works begins at once; the others wait until there is nothing more to send."""
    network = Network()

    async def both() -> None:
        slots = Slots(clock=network.clock)
        await asyncio.gather(*(network.work(slots) for _ in range(6)), network.be_busy(40))

    asyncio.run(both())
    assert network.log == ["worked", *["sent"] * 40, *["worked"] * 5]


def test_work_goes_on_however_much_is_sent() -> None:
    """A network that is never idle holds it up for a quarter of a second at a time, in which 250 are sent."""
    network = Network()

    async def both() -> None:
        slots = Slots(clock=network.clock)
        await asyncio.gather(*(network.work(slots) for _ in range(3)), network.be_busy(1_000))

    asyncio.run(both())
    second = [at for at, what in enumerate(network.log) if what == "worked"][1]
    assert 240 <= second <= 260


def test_one_that_is_stopped_while_it_waits_takes_no_turn() -> None:
    """Those behind it get theirs."""
    network = Network()

    async def stop_one() -> None:
        slots = Slots(clock=network.clock)
        working = [asyncio.ensure_future(network.work(slots)) for _ in range(4)]
        await asyncio.sleep(0)
        working[1].cancel()
        await asyncio.gather(*working, return_exceptions=True)

    asyncio.run(stop_one())
    assert network.log == ["worked"] * 3
