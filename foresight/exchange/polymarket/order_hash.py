"""The identity of a prediction-market order: its EIP-712 hash.

Owns `order_id`, which anyone can compute before an order is sent from the very fields that are
sent, and the digests that wallets sign. Two submissions with the same salt and timestamp have the
same id; that is what makes a resend safe. With ccxt::

    pinned = {"salt": "17", "timestamp": "1763827201000", "orderType": "FAK"}
    await board.load_api_credentials()
    body = board.build_clob_order_body(outcome, "limit", "buy", 10, 0.55, pinned)["body"]
    identity = order_id(body["order"])
    order = await board.create_order(outcome, "limit", "buy", 10, 0.55, pinned)
    assert order["id"] == identity

Must never enter: private keys, accounts, what the exchange thinks of the order.
"""

from collections.abc import Mapping
from typing import Final

from foresight.exchange.signing.keccak import keccak256

CHAIN_ID: Final = 137
EXCHANGE_ADDRESS: Final = "0xE111180000d2663C0091e4f400237545B87B996B"
"""Verifying contract of orders on markets without negative risk (ccxt 4.5.90, polymarket)."""

WALLET_SIGNATURE: Final = 3
"""Signature type of a deposit wallet: the key signs a wrapper around the order."""

_ORDER_TYPE: Final = (
    "Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,"
    "uint256 takerAmount,uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,"
    "bytes32 builder)"
)
_WRAPPER_TYPE: Final = (
    "TypedDataSign(Order contents,string name,string version,uint256 chainId,"
    "address verifyingContract,bytes32 salt)" + _ORDER_TYPE
)
_DOMAIN_TYPE: Final = (
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_AUTH_DOMAIN_TYPE: Final = "EIP712Domain(string name,string version,uint256 chainId)"
_AUTH_TYPE: Final = "ClobAuth(address address,string timestamp,uint256 nonce,string message)"
_AUTH_MESSAGE: Final = "This message attests that I control the given wallet"


def _text(value: str) -> bytes:
    return keccak256(value.encode())


def _word(value: object) -> bytes:
    return int(str(value)).to_bytes(32, "big")


def _hex_word(value: object) -> bytes:
    return int(str(value), 16).to_bytes(32, "big")


_ORDER_TYPE_HASH: Final = _text(_ORDER_TYPE)
_WRAPPER_TYPE_HASH: Final = _text(_WRAPPER_TYPE)
_ORDER_DOMAIN: Final = keccak256(
    _text(_DOMAIN_TYPE)
    + _text("Polymarket CTF Exchange")
    + _text("2")
    + _word(CHAIN_ID)
    + _hex_word(EXCHANGE_ADDRESS)
)
_AUTH_DOMAIN: Final = keccak256(
    _text(_AUTH_DOMAIN_TYPE) + _text("ClobAuthDomain") + _text("1") + _word(CHAIN_ID)
)


def order_id(order: Mapping[str, object]) -> str:
    """Return the id the venue gives an order.

    Args:
        order: The ``order`` object of the request body: salt, maker, signer, tokenId, makerAmount,
            takerAmount, side (``BUY``/``SELL`` or 0/1), signatureType, timestamp, metadata,
            builder. The signature is not part of the id.

    Returns:
        0x and 64 lower-case hex digits.

    Raises:
        KeyError: A field is missing.
        ValueError: A field is no number.
        OverflowError: A number does not fit its type.
    """
    return "0x" + _digest(_ORDER_DOMAIN, _order_struct(order)).hex()


def signed_digest(order: Mapping[str, object]) -> bytes:
    """Return the 32 bytes the owner's key signs: the order, or the deposit wallet's wrapper."""
    struct = _order_struct(order)
    if int(str(order["signatureType"])) != WALLET_SIGNATURE:
        return _digest(_ORDER_DOMAIN, struct)
    wrapper = keccak256(
        _WRAPPER_TYPE_HASH
        + struct
        + _text("DepositWallet")
        + _text("1")
        + _word(CHAIN_ID)
        + _hex_word(order["signer"])
        + bytes(32)
    )
    return _digest(_ORDER_DOMAIN, wrapper)


def auth_digest(*, address: str, timestamp: str, nonce: int) -> bytes:
    """Return the 32 bytes a key signs to ask for API credentials.

    Args:
        address: Owner's address, 0x and 40 hex digits.
        timestamp: Unix seconds as sent in the header.
        nonce: As sent in the header.
    """
    struct = keccak256(
        _text(_AUTH_TYPE)
        + _hex_word(address)
        + _text(timestamp)
        + _word(nonce)
        + _text(_AUTH_MESSAGE)
    )
    return _digest(_AUTH_DOMAIN, struct)


def _digest(domain: bytes, struct: bytes) -> bytes:
    return keccak256(b"\x19\x01" + domain + struct)


def _order_struct(order: Mapping[str, object]) -> bytes:
    side = order["side"]
    number = {"BUY": 0, "SELL": 1}.get(str(side), side)
    return keccak256(
        _ORDER_TYPE_HASH
        + _word(order["salt"])
        + _hex_word(order["maker"])
        + _hex_word(order["signer"])
        + _word(order["tokenId"])
        + _word(order["makerAmount"])
        + _word(order["takerAmount"])
        + _word(number)
        + _word(order["signatureType"])
        + _word(order["timestamp"])
        + _hex_word(order["metadata"])
        + _hex_word(order["builder"])
    )
