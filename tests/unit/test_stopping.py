"""What SIGTERM and Ctrl-C do, wherever they come."""

import asyncio
import os
import signal

import pytest

from dutiful.cli.stopping import StopRequest

SIGNALS = [signal.SIGTERM, signal.SIGINT]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_noted_and_ends_what_looks(number: signal.Signals) -> None:
    stop = StopRequest()
    reached = []
    with stop.heeded():
        stop.check()
        os.kill(os.getpid(), number)
        reached.append("after the signal")
        stop.check()
        reached.append("after the check")
    assert reached == ["after the signal"]
    assert stop.is_made()


def test_the_handlers_from_before_are_put_back() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with StopRequest().heeded():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_work_that_nobody_stops_is_done() -> None:
    done = []

    async def work() -> None:
        done.append(await asyncio.sleep(0, "done"))

    asyncio.run(StopRequest().end_early(work()))
    assert done == ["done"]


def test_what_goes_wrong_in_the_work_is_told() -> None:
    async def work() -> None:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        asyncio.run(StopRequest().end_early(work()))


def test_work_is_cancelled_by_a_signal_and_its_end_waited_for() -> None:
    stop = StopRequest()
    said = []

    async def work() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            said.append("closed")
            raise ValueError("what came of it matters to nobody")

    with stop.heeded():
        asyncio.run(stop.end_early(work()))
        said.append("not reached")
    assert said == ["closed"]
