"""Notes that processes leave for each other, here in a store of one process."""

from __future__ import annotations

import threading
import time

import pytest
import torch.distributed as dist

from freezelint.runtime.distributed import Agreement
from freezelint.runtime.peers import NoAnswer, Peers
from freezelint.runtime.violations import Kind, Violation

pytestmark = pytest.mark.torch


@pytest.fixture
def peers() -> list[Peers]:
    store = dist.HashStore()
    return [Peers(store, rank, 3, "watch/of-a-model", 0) for rank in range(3)]


def test_a_note_is_there_for_all(peers: list[Peers]) -> None:
    peers[1].write("left/1", {"error": None})
    assert peers[0].has("left/1")
    assert peers[2].read("left/1") == {"error": None}


def test_notes_of_another_time_are_not_mixed_up(peers: list[Peers]) -> None:
    peers[0].write("stop", 3)
    assert not peers[1].at(1).has("stop")
    assert peers[1].at(0).has("stop")


def test_those_that_do_not_answer_are_not_waited_for_long(peers: list[Peers]) -> None:
    peers[1].write("left/1", "here")
    start = time.monotonic()
    assert peers[0].awaited("left", peers[0].others, 0.1) == {1: "here"}
    assert time.monotonic() - start < 10


def test_silence_is_refused_with_the_ranks_named(peers: list[Peers]) -> None:
    with pytest.raises(NoAnswer, match=r"^ranks 1, 2 did not answer within 5 s: call it there$"):
        peers[0].refuse_silence([0, 1, 2], [0], 5, "call it there")


def test_what_a_process_saw_is_not_lost_when_rank_0_was_done_before_it_began(
    peers: list[Peers],
) -> None:
    first, late = Agreement(peers[0], [], 0.1), Agreement(peers[1], [], 0.1)
    first.enter()
    first.leave([], {}, None, is_last=False)
    assert first.close([]).violations == []
    late.enter()
    seen = Violation(Kind.FROZEN_CHANGED, "a", 1, "a changed")
    late.leave([seen], {}, None, is_last=False)
    closing = late.close([seen])
    assert closing.violations == [seen._replace(ranks=(1,))]
    assert not closing.is_complete


def test_the_process_that_keeps_the_notes_stays_until_they_are_read(peers: list[Peers]) -> None:
    first, second = Agreement(peers[0], [], 30), Agreement(peers[1], [], 30)
    for agreement in (first, second):
        agreement.enter()
        agreement.leave([], {}, None, is_last=False)
    keeper = threading.Thread(target=first.close, args=([],))
    keeper.start()
    try:
        written = peers[1].awaited("verdict", [0], 30)
        assert written[0]["violations"] == []
        keeper.join(0.1)
        assert keeper.is_alive()
    finally:
        assert second.close([]).is_complete
        keeper.join(30)
    assert not keeper.is_alive()


def test_those_that_leave_without_reading_are_not_waited_for(peers: list[Peers]) -> None:
    first, second = Agreement(peers[0], [], 30), Agreement(peers[1], [], 30)
    for agreement in (first, second):
        agreement.enter()
    first.leave([], {}, None, is_last=False)
    second.leave([], {}, ValueError("no batches"), is_last=True)
    start = time.monotonic()
    assert first.close([]).complaints == ["rank 1 left its watch with ValueError: no batches"]
    assert time.monotonic() - start < 10


def test_what_moved_on_one_rank_is_not_dead(peers: list[Peers]) -> None:
    dead = {name: Violation(Kind.NOT_TRAINED, name, 5, f"{name} is dead") for name in ("a", "b")}
    first, second = Agreement(peers[0], [], 0.1), Agreement(peers[1], [], 0.1)
    third = Agreement(peers[2], [], 0.1)
    for agreement in (first, second, third):
        agreement.enter()
    first.leave([], dead, None, is_last=False)
    second.leave([], {"b": None}, None, is_last=False)
    third.leave([], {"a": None, "b": None}, None, is_last=False)
    assert [each.tensor for each in first.close([]).violations] == ["b"]


def test_while_one_rank_is_silent_nothing_is_called_dead(peers: list[Peers]) -> None:
    first = Agreement(peers[0], [], 0.1)
    first.enter()
    dead = Violation(Kind.NOT_TRAINED, "a", 5, "a is dead")
    first.leave([], {"a": dead}, None, is_last=False)
    assert first.close([]).violations == []


class GoneMeanwhile:
    """A store whose process ends between a question and the next."""

    def check(self, keys: list[str]) -> bool:
        return True

    def get(self, key: str) -> bytes:
        raise dist.DistNetworkError("Connection reset by peer")


def test_a_store_that_goes_meanwhile_has_no_note() -> None:
    peers = Peers(GoneMeanwhile(), 1, 2, "watch/of-a-model", 0)
    assert peers.awaited("verdict", [0], 0.05) == {}


class Gone:
    """A store whose process was killed."""

    def __getattr__(self, name: str) -> object:
        def broken(*_: object) -> None:
            raise RuntimeError("Broken pipe")

        return broken


def test_a_store_that_is_gone_says_nothing_and_stops_nobody() -> None:
    peers = Peers(Gone(), 0, 2, "watch/of-a-model", 0)
    peers.write("left/0", None)
    assert peers.count("reports") == 0
    assert peers.awaited("left", [1], 0.05) == {}


@pytest.mark.parametrize(
    ("ranks", "said"),
    [
        ((3,), "rank 3"),
        ((0, 1), "ranks 0 and 1"),
        ((0, 1, 2, 3), "ranks 0 to 3"),
        ((0, 2, 3, 4, 7), "ranks 0, 2 to 4 and 7"),
    ],
)
def test_ranks_are_listed_as_people_do(ranks: tuple[int, ...], said: str) -> None:
    violation = Violation(Kind.FROZEN_CHANGED, "a", 1, "a changed", ranks=ranks)
    assert str(violation).splitlines()[-1] == f"  seen by {said}"
