"""Whose picture is taken next: told once, served once, never two of a camera in hand."""

from __future__ import annotations

import threading
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pipelines.workers.fairness import Fairness
from pipelines.workers.turns import Turns


def turns() -> tuple[Turns, Fairness]:
    fairness = Fairness()
    return Turns(fairness), fairness


def test_a_picture_that_replaced_another_is_one_turn_and_equals_go_in_the_order_in_which_they_told() -> None:
    queue, _ = turns()
    for camera in ("b", "a", "b", "c"):
        queue.tell(camera)
    assert queue.has_news
    assert [queue.next() for _ in range(4)] == ["b", "a", "c", None]
    assert not queue.has_news


def test_what_is_told_while_nobody_can_be_served_does_not_pile_up() -> None:
    queue, _ = turns()
    for _ in range(1000):
        queue.tell("a")
        queue.tell("b")
        queue.hear()
    assert len(queue._told) + len(queue._order) == 2
    assert [queue.next() for _ in range(3)] == ["a", "b", None]


def test_a_picture_that_comes_while_one_is_in_hand_waits_for_it() -> None:
    queue, _ = turns()
    queue.tell("a")
    assert queue.next() == "a"
    queue.hold("a")
    queue.tell("a")
    assert queue.is_behind("a")
    assert queue.next() is None
    queue.free("a")
    assert not queue.is_behind("a")
    assert [queue.next(), queue.next()] == ["a", None]
    queue.hold("a")
    queue.free("a")
    assert queue.next() is None, "nothing came meanwhile"


def test_a_camera_that_was_dropped_and_came_back_begins_anew() -> None:
    queue, fairness = turns()
    queue.tell("a")
    queue.next()
    fairness.charge("a", 1.0, open_case=False)
    queue.hold("a")
    queue.tell("a")
    queue.tell("b")
    queue.hear()
    queue.forget("a")
    assert [queue.next(), queue.next()] == ["b", None]
    queue.tell("a")
    assert [queue.next(), queue.next()] == ["a", None], "nothing of its former life holds it"


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["tell", "serve", "done", "forget"])), max_size=60))
def test_whatever_happens_every_picture_has_its_turn_and_the_one_that_lags_most_is_first(
    steps: list[tuple[str, str]],
) -> None:
    """Beside a plain model: which cameras wait, which have one in hand."""
    queue, fairness = turns()
    waits: dict[str, float] = {}
    in_hand: set[str] = set()
    behind: set[str] = set()

    def come(camera: str) -> None:
        if camera in in_hand:
            behind.add(camera)
        elif camera not in waits:
            waits[camera] = fairness.start(camera)

    for camera, what in steps:
        if what == "tell":
            queue.tell(camera)
            queue.hear()
            come(camera)
        elif what == "serve":
            served = queue.next()
            assert served == (min(waits, key=lambda name: waits[name]) if waits else None)
            if served is not None:
                del waits[served]
                fairness.charge(served, 0.3, open_case=False)
                queue.hold(served)
                in_hand.add(served)
        elif what == "done" and camera in in_hand:
            queue.free(camera)
            in_hand.discard(camera)
            if camera in behind:
                behind.discard(camera)
                come(camera)
        elif what == "forget":
            queue.forget(camera)
            waits.pop(camera, None)
            in_hand.discard(camera)
            behind.discard(camera)
    assert {camera for camera in "abcd" if queue.is_behind(camera)} == behind


def test_nothing_that_threads_tell_is_lost() -> None:
    queue, fairness = turns()
    done = threading.Event()
    served: Counter[str] = Counter()
    told_last = {f"camera-{number}": 0 for number in range(4)}

    def read(camera: str) -> None:
        for number in range(1, 2001):
            told_last[camera] = number
            queue.tell(camera)

    threads = [threading.Thread(target=read, args=(camera,)) for camera in told_last]
    seen: dict[str, int] = {}

    def serve() -> None:
        while True:
            over = done.is_set()
            camera = queue.next()
            if camera is None and over:
                return
            if camera is not None:
                seen[camera] = told_last[camera]  # what its reader has when it is taken
                served[camera] += 1
                fairness.charge(camera, 0.1, open_case=False)

    worker = threading.Thread(target=serve)
    worker.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    worker.join()
    assert seen == dict.fromkeys(told_last, 2000), "the newest picture of each was taken"
    assert all(served.values())
