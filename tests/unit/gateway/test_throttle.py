from __future__ import annotations

import pytest

from qwicket.gateway import throttle
from qwicket.gateway.throttle import AttemptCounter, WrongTokens, network
from qwicket.model.errors import TooManyRequests


class Clock:
    """Time that a test moves, in place of the machine's."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(throttle, "time", clock)  # a bucket takes minutes to fill
    return clock


def is_counted(wrong: WrongTokens, address: str = "192.0.2.1") -> bool:
    try:
        wrong.count(address)
    except TooManyRequests:
        return False
    return True


def test_an_address_has_its_share_of_each_minute(clock: Clock) -> None:
    wrong = WrongTokens(10)
    assert [is_counted(wrong) for _ in range(11)] == [True] * 10 + [False]
    clock.now += 59.9
    assert not is_counted(wrong)
    clock.now += 0.2
    assert sum(is_counted(wrong) for _ in range(200)) == 10


def test_who_has_no_more_share_learns_when_to_come_back(clock: Clock) -> None:
    wrong = WrongTokens(2)
    wrong.count("192.0.2.1")
    clock.now += 20
    wrong.count("192.0.2.1")
    with pytest.raises(TooManyRequests, match="wrong_tokens") as refused:
        wrong.count("192.0.2.1")
    assert refused.value.retry_after_s == pytest.approx(40)
    clock.now += 40
    wrong.count("192.0.2.1")


def test_who_is_refused_does_not_wait_longer_for_it(clock: Clock) -> None:
    wrong = WrongTokens(1)
    assert [is_counted(wrong) for _ in range(50)] == [True] + [False] * 49
    clock.now += 60
    assert is_counted(wrong)


def test_addresses_without_number_take_bounded_memory() -> None:
    wrong, tries = WrongTokens(1), AttemptCounter(1)
    for number in range(20_000):
        wrong.count(f"10.0.{number >> 8}.{number & 255}")
        tries.take(f"10.0.{number >> 8}.{number & 255}", "ada")
    assert len(wrong._tries._recent) == len(tries._recent) == 10_000
    assert not is_counted(wrong, "10.0.78.31"), "the latest are known"
    assert is_counted(wrong, "10.0.0.0"), "the oldest are forgotten"


@pytest.mark.parametrize(
    ("address", "counts_as"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
        ("", ""),
        ("192.0.2.01", "192.0.2.01"),
        ("x" * 1_000_000, "x" * 64),
    ],
)
def test_one_client_counts_as_one(address: str, counts_as: str) -> None:
    assert network(address) == counts_as


def test_password_tries_of_one_network_count_together() -> None:
    tries = AttemptCounter(2)
    assert not tries.take("2001:db8::1", "ada")
    assert not tries.take("2001:db8::2", "ada")
    assert 0 < tries.take("2001:db8::3", "ada") <= 60
    assert not tries.take("2001:db8::3", "bob")
    assert not tries.take("2001:db8:0:1::3", "ada")
