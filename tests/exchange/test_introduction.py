"""Whoever brings a bot of their own is told where to send it, and what it cannot do there."""

from foresight.exchange.introduction import addresses, cannot_work, told

BASE = "http://127.0.0.1:8080"


def test_every_address_lies_at_this_exchange() -> None:
    """One that led elsewhere would be the real venue."""
    found = addresses(BASE)
    assert found["spot_streams"] == "ws://127.0.0.1:8080/ws"
    assert {address.split("/")[2] for address in found.values()} == {"127.0.0.1:8080"}


def test_only_another_speed_has_something_to_say() -> None:
    """At speed 1 the market's time is everybody's."""
    assert cannot_work(1) == []
    assert "60 times faster" in cannot_work(60)[0]
    assert any("freqtrade" in text for text in cannot_work(2))


def test_a_terminal_is_told_all_of_it_in_words() -> None:
    """Addresses, keys, the token where it is shown, and what cannot work."""
    keys: dict[str, object] = {"spot": {"apiKey": "one", "secret": "two"}, "control": "three"}
    line = {"addresses": addresses(BASE), "keys": keys, "cannot_work": cannot_work(60)}
    text = "\n".join(told(line))
    for wanted in (*addresses(BASE).values(), "one", "two", "three", *cannot_work(60)):
        assert wanted in text
    assert "three" not in "\n".join(told(line | {"keys": {"spot": {}}}))
    assert "cannot" not in "\n".join(told(line | {"cannot_work": []}))
