"""Record keys and the partition they go to.

A key is readable text; inside each of its parts ``%``, ``|`` and ``/`` are
percent-encoded, so that two different balances never share a key.
"""

from functools import lru_cache
from zlib import crc32

KEYS_REMEMBERED = 1 << 17
"""Balance keys kept ready: making one costs as much as encoding five fields."""


def encode_part(part: str) -> str:
    """Return one part of a key with ``%``, ``|`` and ``/`` percent-encoded."""
    return part.replace("%", "%25").replace("|", "%7C").replace("/", "%2F")


@lru_cache(1024)
def account_key(venue: str, account: str) -> str:
    """Return ``venue|account``: the key of frames, reconciliations, and of order."""
    return f"{encode_part(venue)}|{encode_part(account)}"


def owner_of(key: str | None) -> tuple[str, str]:
    """Return venue and account of a key that is made here; empty texts of another."""
    match (key or "").split("|"):
        case [venue, account, *_] if venue and account:
            return _decoded(venue), _decoded(account)
    return "", ""


def _decoded(part: str) -> str:
    return part.replace("%7C", "|").replace("%2F", "/").replace("%25", "%")


def status_key(venue: str, account: str, feed: str) -> str:
    """Return ``venue|account|feed``, the key of a feed's status."""
    return f"{account_key(venue, account)}|{encode_part(feed)}"


@lru_cache(KEYS_REMEMBERED)
def balance_key(
    venue: str, account: str, subaccount: str, wallet: str, wallet_id: str, asset: str
) -> str:
    """Return ``venue|account|subaccount|wallet/wallet_id|asset``.

    One key is one balance: the key of events, latest and proofs.
    """
    return (
        f"{account_key(venue, account)}|{encode_part(subaccount)}"
        f"|{encode_part(wallet)}/{encode_part(wallet_id)}|{encode_part(asset)}"
    )


def partition_of(account: str, partitions: int) -> int:
    """Return the partition that all records of one account go to, on every topic.

    Args:
        account: the account key, as `account_key` makes it.
        partitions: number of partitions of the topic, 1 or more.

    Returns:
        CRC-32 of the key's UTF-8 bytes modulo the number of partitions: what
        librdkafka calls the ``consistent`` partitioner, so that producers in other
        languages can agree without our code.
    """
    return crc32(account.encode()) % partitions
