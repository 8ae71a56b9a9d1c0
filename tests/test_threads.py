"""Threads for what blocks."""

import asyncio
import threading

import pytest

from sisock.nodes.threads import Threads


async def blocked(threads, release):
    """A call that runs and does not come back until released."""
    running = threading.Event()

    def block():
        running.set()
        release.wait(60)
        return "came back"

    task = asyncio.ensure_future(threads.run(block))
    assert await asyncio.to_thread(running.wait, 30)
    return task


async def test_what_a_function_returns_or_raises_comes_back():
    threads = Threads("t", most=1)
    assert await threads.run(pow, 2, 3) == 8
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 / 0)
    assert await threads.run(threading.current_thread) is not threading.current_thread()


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), StopIteration(), GeneratorExit(), asyncio.CancelledError()]
)
async def test_what_would_end_a_process_or_a_task_is_a_plain_error(error):
    def raising():
        raise error

    with pytest.raises(RuntimeError, match=f"{type(error).__name__} raised"):
        await Threads("t", most=1).run(raising)


async def test_no_more_run_at_a_time_than_agreed_and_all_run():
    threads, running, most, lock = Threads("t", most=3), 0, 0, threading.Lock()
    together = threading.Barrier(3, timeout=30)

    def work(number):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        if number < 3:
            together.wait()  # three do run at the same time
        with lock:
            running -= 1
        return number

    assert await asyncio.gather(*(threads.run(work, number) for number in range(50))) == list(range(50))
    assert most == 3


async def test_a_hung_function_whose_caller_gave_up_makes_room_for_another():
    threads, release = Threads("t", most=1), threading.Event()
    hung = await blocked(threads, release)
    waiting = asyncio.ensure_future(threads.run(lambda: "next"))
    hung.cancel()
    assert await asyncio.wait_for(waiting, 30) == "next"
    release.set()
    assert await threads.run(lambda: "still") == "still"


async def test_a_call_given_up_before_it_began_is_never_made():
    threads, release, made = Threads("t", most=1), threading.Event(), []
    hung = await blocked(threads, release)
    waiting = [asyncio.ensure_future(threads.run(made.append, number)) for number in range(20)]
    await asyncio.sleep(0)
    for each in waiting:
        each.cancel()
    await asyncio.wait(waiting)
    release.set()
    assert await hung == "came back"
    await threads.run(lambda: None)
    assert made == []


async def test_threads_that_come_back_late_end():
    threads, release = Threads("lost-and-found", most=2), threading.Event()
    hung = [await blocked(threads, release) for _ in range(2)]
    for each in hung:
        each.cancel()
    await asyncio.wait(hung)
    lost = [each for each in threading.enumerate() if each.name == "lost-and-found"]
    release.set()
    for each in lost:
        await asyncio.to_thread(each.join, 30)
    assert not any(each.is_alive() for each in lost)
    together = threading.Barrier(2, timeout=30)
    await asyncio.gather(*(threads.run(together.wait) for _ in range(2)))
    assert len([each for each in threading.enumerate() if each.name == "lost-and-found"]) == 2


async def test_hung_threads_are_no_more_than_a_bound():
    threads, release = Threads("bounded", most=1), threading.Event()
    for _ in range(64):
        (await blocked(threads, release)).cancel()
        await asyncio.sleep(0)
    last = await blocked(threads, release)
    last.cancel()
    await asyncio.wait({last})
    over = asyncio.ensure_future(threads.run(lambda: None))
    await asyncio.sleep(0)
    assert len([each for each in threading.enumerate() if each.name == "bounded"]) == 65
    release.set()
    await asyncio.wait_for(over, 30)


def test_threads_outlive_the_loop_that_used_them():
    threads, release = Threads("t", most=1), threading.Event()

    async def give_up():
        (await blocked(threads, release)).cancel()

    async def again():
        return await asyncio.wait_for(threads.run(lambda: "again"), 30)

    asyncio.run(give_up())
    release.set()
    assert asyncio.run(again()) == "again"


async def test_a_thread_that_cannot_be_started_fails_its_job_and_the_next_one_tries_again(monkeypatch):
    threads, made = Threads("t", most=1), []

    def no_room(self):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", no_room)
        for _ in range(3):
            with pytest.raises(RuntimeError, match="can't start new thread"):
                await threads.run(made.append, "not made")
    assert await asyncio.wait_for(threads.run(lambda: "works again"), 30) == "works again"
    assert made == []
