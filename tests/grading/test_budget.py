"""The budget holds whatever calls cost, in whichever order they end, calls in flight included."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from judge.grading.budget import Budget
from judge.grading.exchange import NoVerdict

# At most and in fact, in hundredths of a cent; how many turns of the event loop it takes; whether it is said what it cost.
CALL = st.tuples(st.integers(1, 4000), st.integers(0, 100), st.integers(0, 6), st.booleans())


@settings(max_examples=150)
@given(
    calls=st.lists(CALL, min_size=1, max_size=60),
    concurrency=st.integers(1, 16),
    limit=st.sampled_from([0.0, 0.1, 1.0]),
)
def test_a_budget_is_never_passed(calls: list[tuple[int, int, int, bool]], concurrency: int, limit: float) -> None:
    """At no moment do what was spent and what calls in flight may still cost pass the limit, and all money comes back."""

    async def run() -> None:
        budget = Budget(limit)
        todo = iter(calls)
        spent = in_flight = 0.0

        async def work() -> None:
            nonlocal spent, in_flight
            for bound, percent, turns, is_known in todo:
                at_most = bound / 1e4
                try:
                    reserved = await budget.reserve(at_most)
                except NoVerdict:
                    assert budget.reached
                    continue
                in_flight += at_most
                assert spent + in_flight <= limit + 1e-9
                for _ in range(turns):
                    await asyncio.sleep(0)
                in_flight -= at_most
                cost = at_most * percent / 100
                spent += cost if is_known else at_most  # what nobody knows may have cost all of it
                await budget.settle(reserved, cost if is_known else None)

        await asyncio.wait_for(asyncio.gather(*(work() for _ in range(concurrency))), 20)
        assert spent <= limit + 1e-9
        assert abs(budget.spent_usd - spent) < 1e-9
        assert budget.reserved_usd < 1e-9

    asyncio.run(run())


def test_room_that_is_left_is_used() -> None:
    """Ten calls that may cost 0.3 and cost 0.1 all fit into 1.00 and 0.2, though four at once would not."""

    async def run() -> Budget:
        budget = Budget(1.2)

        async def call() -> None:
            reserved = await budget.reserve(0.3)
            await asyncio.sleep(0)
            await budget.settle(reserved, 0.1)

        await asyncio.gather(*(call() for _ in range(10)))
        return budget

    budget = asyncio.run(run())
    assert round(budget.spent_usd, 9) == 1.0
    assert not budget.reached
