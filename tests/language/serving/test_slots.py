"""At most so many computations run, so many wait, and the others are refused."""

import asyncio

import pytest

from cvnlp.language.serving.slots import BusyError, Slots


def test_computations_run_wait_and_are_refused() -> None:
    async def test() -> None:
        slots, done, release = Slots(running=2, waiting=1), [], asyncio.Event()

        async def compute(number: int) -> None:
            async with slots.taken():
                await release.wait()
                done.append(await slots.run(lambda: number))

        tasks = [asyncio.create_task(compute(number)) for number in range(4)]
        await asyncio.sleep(0)
        release.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(one) for one in found] == [type(None)] * 3 + [BusyError]
        assert sorted(done) == [0, 1, 2]

    asyncio.run(test())


def test_a_slot_is_free_after_an_error_and_after_a_cancelled_wait() -> None:
    async def test() -> None:
        slots = Slots(running=1, waiting=1)
        with pytest.raises(RuntimeError):
            async with slots.taken():
                waiting = asyncio.create_task(slots.taken().__aenter__())
                await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.sleep(0)
                raise RuntimeError
        async with slots.taken():
            assert await slots.run(lambda: 5) == 5

    asyncio.run(test())
