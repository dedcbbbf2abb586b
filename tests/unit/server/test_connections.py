from __future__ import annotations

import pytest

from qwicket.server.connections import Connections


class Counted:
    """A connection that notes whether it was closed for another one."""

    def __init__(self) -> None:
        self.is_closed = False
        self.progress_bytes = 0

    def close_for_another(self) -> None:
        self.is_closed = True


def opened(connections: Connections, host: str, *, busy: bool = False) -> Counted:
    made = Counted()
    assert connections.add(made, host) is None
    if busy:
        connections.begin_request(made)
    return made


def test_one_too_many_of_an_address_closes_its_oldest_idle_one() -> None:
    connections = Connections(10, 3)
    new, used, _, other = (opened(connections, host) for host in ("a", "a", "a", "b"))
    connections.begin_request(used)
    connections.end_request(used)
    opened(connections, "a")
    assert used.is_closed, "one between two requests comes before one without any"
    opened(connections, "a")
    assert (new.is_closed, other.is_closed) == (True, False)
    assert len(connections) == 4


def test_one_too_many_of_a_busy_address_is_refused_and_others_are_not() -> None:
    connections = Connections(10, 2)
    busy = [opened(connections, "a", busy=True) for _ in range(2)]
    status, text = connections.add(Counted(), "a") or (0, "")
    assert (status, "connections_each" in text) == (429, True)
    opened(connections, "b")
    connections.remove(busy[0])
    connections.remove(busy[0])
    opened(connections, "a")
    assert len(connections) == 3


def test_when_all_are_taken_the_address_with_most_gives_way() -> None:
    connections = Connections(6, 6)
    few = [opened(connections, "a") for _ in range(2)]
    many = [opened(connections, "b") for _ in range(4)]
    for _ in range(2):
        opened(connections, "c")
    assert not any(each.is_closed for each in few)
    assert [each.is_closed for each in many] == [True, True, False, False]


def test_when_all_are_busy_the_next_one_is_refused() -> None:
    connections = Connections(2, 2)
    first, _ = (opened(connections, host, busy=True) for host in "ab")
    status, text = connections.add(Counted(), "c") or (0, "")
    assert (status, "connections" in text) == (503, True)
    connections.end_request(first)
    opened(connections, "c")
    assert first.is_closed


@pytest.mark.parametrize("host", ["10.1.2.3", "fd00::7"])
def test_connections_of_a_trusted_proxy_are_not_bounded_by_address(host: str) -> None:
    connections = Connections(10, 2, "10.1.0.0/16,fd00::/64")
    for _ in range(5):
        opened(connections, host, busy=True)
    for _ in range(2):
        opened(connections, "10.2.0.1", busy=True)
    assert connections.add(Counted(), "10.2.0.1") is not None


def test_addresses_of_one_customer_count_as_one() -> None:
    connections = Connections(10, 2)
    for host in ("2001:db8::1", "2001:db8::2"):
        opened(connections, host, busy=True)
    assert connections.add(Counted(), "2001:db8::3") is not None
    opened(connections, "2001:db8:0:1::1")


def test_a_connection_that_was_refused_is_not_counted() -> None:
    connections = Connections(1, 1)
    opened(connections, "a", busy=True)
    refused = Counted()
    assert connections.add(refused, "b") is not None
    for note in (connections.begin_request, connections.end_request, connections.remove):
        note(refused)
    assert len(connections) == 1


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def waiting(connections: Connections, host: str) -> Counted:
    made = opened(connections, host, busy=True)
    connections.await_client(made)
    return made


def test_when_none_is_idle_the_slowest_gives_way_that_waits_for_its_client() -> None:
    clock = Clock()
    connections = Connections(4, 4, clock=clock)
    slow, silent, fast = (waiting(connections, "a") for _ in range(3))
    clock.now = 1.9
    opened(connections, "b", busy=True)
    assert connections.add(Counted(), "b") is not None, "they have 2 s"
    clock.now = 2.0
    slow.progress_bytes, fast.progress_bytes = 1, 64 << 10
    opened(connections, "b", busy=True)
    assert (slow.is_closed, silent.is_closed, fast.is_closed) == (False, True, False)
    opened(connections, "b", busy=True)
    assert (slow.is_closed, fast.is_closed) == (True, False)
    assert connections.add(Counted(), "b") is not None
    clock.now = 4.0
    opened(connections, "b", busy=True)
    assert fast.is_closed, "it has sent nothing since"


def test_a_waiting_connection_gives_way_after_idle_ones_and_at_the_address_with_most() -> None:
    clock = Clock()
    connections = Connections(6, 6, clock=clock)
    few = [waiting(connections, "a") for _ in range(2)]
    many = [waiting(connections, "b") for _ in range(3)]
    idle = opened(connections, "a")
    clock.now = 10.0
    closed = []
    for _ in range(3):
        opened(connections, "c", busy=True)
        closed.append(sum(each.is_closed for each in (*few, *many)))
    assert idle.is_closed
    assert closed == [0, 1, 2]
    assert sum(each.is_closed for each in many) >= 1
    assert not all(each.is_closed for each in few)


@pytest.mark.parametrize("then", ["begin_request", "end_request"])
def test_a_connection_waits_no_longer_once_its_request_goes_on_or_is_answered(then: str) -> None:
    clock = Clock()
    connections = Connections(1, 1, clock=clock)
    one = waiting(connections, "a")
    getattr(connections, then)(one)
    clock.now = 10.0
    assert (connections.add(Counted(), "b") is None) == (then == "end_request")
    assert one.is_closed == (then == "end_request")


def test_thousands_that_wait_are_not_all_compared() -> None:
    clock = Clock()
    connections = Connections(4_000, 4_000, clock=clock)
    looked_at = []

    class Watched(Counted):
        @property
        def progress_bytes(self) -> int:
            looked_at.append(self)
            return 0

        @progress_bytes.setter
        def progress_bytes(self, _: int) -> None:
            """Begin with none."""

    for _ in range(4_000):
        made = Watched()
        connections.add(made, "a")
        connections.await_client(made)
    looked_at.clear()
    clock.now = 10.0
    opened(connections, "a")
    assert len(looked_at) < 10


def test_a_request_and_the_end_of_a_connection_count_as_activity() -> None:
    seen: list[int] = []
    connections = Connections(10, 10, active=lambda: seen.append(len(connections)))
    one = opened(connections, "a")
    assert seen == []
    connections.begin_request(one)
    assert seen == [1]
    connections.end_request(one)
    connections.remove(one)
    connections.remove(one)
    assert seen == [1, 0]
