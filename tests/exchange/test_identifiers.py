"""Identifiers can be computed before sending and read back after a restart."""

from string import ascii_uppercase, digits

import ccxt.prediction
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foresight.exchange.market.windows import TIMEFRAME_SECONDS, Side, Window
from foresight.exchange.polymarket.order_hash import auth_digest, order_id, signed_digest
from foresight.exchange.polymarket.tokens import (
    condition_id,
    event_id,
    outcome_of_token,
    token_id,
    window_of_event,
)
from foresight.exchange.signing.keccak import keccak256
from foresight.exchange.signing.signatures import signer_of
from foresight.venues.local import DEMO_PRIVATE_KEY, DEMO_WALLET_ADDRESS

windows = st.builds(
    lambda name, frame, number: Window(name, frame, number * TIMEFRAME_SECONDS[frame]),
    st.text(ascii_uppercase + digits, min_size=1, max_size=8),
    st.sampled_from(sorted(TIMEFRAME_SECONDS)),
    st.integers(0, 10**7),
)


@given(windows, st.sampled_from(Side))
def test_a_token_names_its_window_and_side(window: Window, side: Side) -> None:
    token = token_id(window, side)
    assert 76 <= len(token) <= 78
    assert outcome_of_token(token) == (window, side)
    assert window_of_event(event_id(window)) == window
    assert len(condition_id(window)) == 66


@given(st.text(max_size=90) | st.integers(0, 2**256 - 1).map(str))
def test_what_is_no_token_is_not_read_as_one(text: str) -> None:
    assert outcome_of_token(text) is None


@pytest.mark.parametrize("text", ["", "x", "7", "9" * 40, "1" * 25])
def test_what_is_no_event_is_not_read_as_one(text: str) -> None:
    assert window_of_event(text) is None


@given(st.binary(max_size=600))
def test_keccak_is_the_clients_keccak(data: bytes) -> None:
    assert keccak256(data).hex() == ccxt.prediction.polymarket.hash(data, "keccak", "hex")


def test_keccak_of_nothing_is_the_known_constant() -> None:
    known = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"").hex() == known


@given(
    st.integers(0, 2**53),
    st.integers(0, 2**256 - 1),
    st.integers(1, 10**12),
    st.integers(1, 10**12),
    st.sampled_from([0, 1, 2, 3]),
    st.sampled_from(["BUY", "SELL"]),
)
def test_the_id_is_what_the_client_signs(  # noqa: PLR0917 - the fields of an order
    salt: int, token: int, given_micro: int, wanted_micro: int, kind: int, side: str
) -> None:
    """The client's own encoder, fed with the same fields, gives the same hash."""
    zero = "0x" + "0" * 64
    order = {
        "salt": salt,
        "maker": DEMO_WALLET_ADDRESS,
        "signer": DEMO_WALLET_ADDRESS,
        "tokenId": str(token),
        "makerAmount": str(given_micro),
        "takerAmount": str(wanted_micro),
        "side": side,
        "signatureType": kind,
        "timestamp": "1763827201000",
        "metadata": zero,
        "builder": zero,
    }
    client = ccxt.prediction.polymarket
    types = {
        "Order": [
            {"name": name, "type": kind_of}
            for name, kind_of in (
                ("salt", "uint256"),
                ("maker", "address"),
                ("signer", "address"),
                ("tokenId", "uint256"),
                ("makerAmount", "uint256"),
                ("takerAmount", "uint256"),
                ("side", "uint8"),
                ("signatureType", "uint8"),
                ("timestamp", "uint256"),
                ("metadata", "bytes32"),
                ("builder", "bytes32"),
            )
        ]
    }
    domain = {
        "name": "Polymarket CTF Exchange",
        "version": "2",
        "chainId": 137,
        "verifyingContract": "0xE111180000d2663C0091e4f400237545B87B996B",
    }
    message = order | {"side": 0 if side == "BUY" else 1, "salt": str(salt)}
    encoded = client.eth_encode_structured_data(domain, types, message)
    assert order_id(order) == "0x" + client.hash(encoded, "keccak", "hex")
    if kind != 3:
        assert "0x" + signed_digest(order).hex() == order_id(order)


@pytest.mark.asyncio
async def test_a_signature_names_its_signer_and_nonsense_nobody() -> None:
    client = ccxt.prediction.polymarket({"privateKey": DEMO_PRIVATE_KEY})
    signature = client.sign_clob_auth(DEMO_WALLET_ADDRESS, "1763827201", 0)
    await client.close()
    digest = auth_digest(address=DEMO_WALLET_ADDRESS, timestamp="1763827201", nonce=0)
    assert signer_of(digest, signature) == DEMO_WALLET_ADDRESS.lower()
    assert signer_of(bytes(32), signature) != DEMO_WALLET_ADDRESS.lower()
    for nonsense in ("", "0x12", "zz", "0x" + "ff" * 65):
        assert signer_of(digest, nonsense) is None
