"""A signed request is let in exactly where the real venue's documents would let it in."""

import hmac
from hashlib import sha256

import pytest

from foresight.exchange.binance.refusals import Refusal
from foresight.exchange.binance.signed_requests import Account, Sent, verified

# The key, the secret and the three examples of the venue's own documents.
ACCOUNT = Account(
    "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
    "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
)
STAMP_MS = 1_499_827_319_559
ORDER = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC"
REST = f"quantity=1&price=0.1&recvWindow=5000&timestamp={STAMP_MS}"
WHOLE = "&signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
MIXED = "&signature=0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"


def let_in(query: str, body: str = "", *, late_ms: float = 0, key: str | None = None) -> str:
    """Return the code of the refusal, or the parameters as text."""
    sent = Sent(query, body, ACCOUNT.key if key is None else key)
    try:
        found = verified(sent, ACCOUNT, now_us=round((STAMP_MS + late_ms) * 1000))
    except Refusal as refusal:
        return str(refusal.code)
    return "&".join(f"{name}={value}" for name, value in sorted(found.items()))


def signed(query: str, body: str = "") -> str:
    """Return a query with the signature of both put before everything else."""
    digits = hmac.new(ACCOUNT.secret.encode(), (query + body).encode(), sha256).hexdigest()
    return f"signature={digits}&{query}"


def in_order(text: str) -> str:
    return "&".join(sorted(text.split("&")))


@pytest.mark.parametrize(
    ("query", "body"),
    [
        (f"{ORDER}&{REST}{WHOLE}", ""),
        ("", f"{ORDER}&{REST}{WHOLE}"),
        (ORDER, f"{REST}{MIXED}"),
        (f"{ORDER}{MIXED}", REST),
    ],
    ids=["query", "body", "both", "signature in the query"],
)
def test_the_documents_own_examples_are_let_in(query: str, body: str) -> None:
    """Query, body and both: nothing stands between the two where they are signed."""
    assert let_in(query, body) == in_order(f"{ORDER}&{REST}")


def test_the_signature_may_stand_anywhere() -> None:
    """Clients sort their parameters as they like."""
    assert let_in(signed(f"{REST}&{ORDER}")) == in_order(f"{ORDER}&{REST}")


def test_what_the_query_says_counts() -> None:
    """A parameter in both places is the query's; both are covered by the signature."""
    found = let_in(signed(f"{REST}&side=BUY", "side=SELL"), "side=SELL")
    assert "side=BUY" in found
    assert "SELL" not in found


def test_a_body_that_was_not_signed_is_refused() -> None:
    """Else a stranger on the way could add to an order."""
    assert let_in(signed(REST), "side=SELL") == "-1022"


@pytest.mark.parametrize(
    ("more", "late_ms", "expected"),
    [
        ("", 5000, "let in"),
        ("", 5000.001, "-1021"),
        ("", -1000, "let in"),
        ("", -1000.001, "-1021"),
        ("&recvWindow=60000", 60_000, "let in"),
        ("&recvWindow=60000.001", 0, "-1131"),
        ("&recvWindow=0.5", 0.5, "let in"),
        ("&recvWindow=0.5", 0.501, "-1021"),
        ("&recvWindow=long", 0, "-1100"),
    ],
)
def test_a_request_is_as_old_as_its_window(more: str, late_ms: float, expected: str) -> None:
    """A request that was late is never executed: its sender has given it up."""
    found = let_in(signed(f"timestamp={STAMP_MS}{more}"), late_ms=late_ms)
    assert found == expected or (expected == "let in" and found.endswith(f"timestamp={STAMP_MS}"))


def test_a_timestamp_may_be_in_microseconds() -> None:
    """Newer clients send them; a thousandth of the window decides."""
    query = f"timestamp={STAMP_MS}123&recvWindow=1"
    assert let_in(signed(query), late_ms=1.123) == in_order(query)
    assert let_in(signed(query), late_ms=1.124) == "-1021"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (f"timestamp={STAMP_MS}", "-1102"),
        (signed("recvWindow=5000"), "-1102"),
        (signed("timestamp=soon"), "-1100"),
        (signed(f"timestamp={STAMP_MS}&side=BUY&side=BUY"), "-1101"),
        (signed(f"timestamp={STAMP_MS}&side="), "-1105"),
        (f"timestamp={STAMP_MS}&signature=\u00e9", "-1022"),
        (f"timestamp={STAMP_MS}&signature={64 * 'e'}", "-1022"),
        (signed(f"timestamp={STAMP_MS}" + "".join(f"&p{n}=1" for n in range(80))), "-1101"),
    ],
)
def test_what_is_missing_or_unreadable_has_its_code(query: str, code: str) -> None:
    """A client's own tables of errors know these numbers; a plain 500 they do not."""
    assert let_in(query) == code


def test_a_key_is_asked_for_before_anything_else() -> None:
    """No key and another key are two errors, as in the documents."""
    assert let_in("nonsense", key="") == "-2014"
    assert let_in("nonsense", key="another") == "-2015"
