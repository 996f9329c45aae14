"""Keys: as the contract writes them, one for each balance, one partition an account."""

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balance_schemas.keys import (
    account_key,
    balance_key,
    encode_part,
    owner_of,
    partition_of,
    status_key,
)
from strategies import texts

accounts = st.tuples(texts(), texts())
feeds = st.tuples(texts(), texts(), texts())
balances = st.tuples(*[texts()] * 6)


def decoded(part):
    """Return a part of a key as it was before."""
    for code, character in (("%7C", "|"), ("%2F", "/"), ("%25", "%")):
        part = part.replace(code, character)
    return part


@given(texts())
def test_parts_can_be_read_back(part):
    """Encoding loses nothing and leaves no separator."""
    encoded = encode_part(part)
    assert part == decoded(encoded)
    assert not {"|", "/"} & set(encoded)


@given(balances)
def test_balance_key_can_be_read_back(parts):
    """The six parts can be told from the key: different balances never share one."""
    venue, account, subaccount, pocket, asset = balance_key(*parts).split("|")
    wallet, wallet_id = pocket.split("/")
    found = (venue, account, subaccount, wallet, wallet_id, asset)
    assert parts == tuple(decoded(part) for part in found)


@given(balances)
def test_every_key_tells_its_owner(parts):
    """Whose it is can be told from an account key and from a balance key."""
    venue, account, *_ = parts
    owner = (venue, account) if venue and account else ("", "")
    assert owner == owner_of(balance_key(*parts)) == owner_of(account_key(*parts[:2]))


@given(balances, balances)
def test_different_balances_have_different_keys(left, right):
    """Keys are equal where all parts are, and only there."""
    assert (left == right) == (balance_key(*left) == balance_key(*right))


@given(accounts, accounts)
def test_different_accounts_have_different_keys(left, right):
    """Keys are equal where both parts are, and only there."""
    assert (left == right) == (account_key(*left) == account_key(*right))


@given(feeds, feeds)
def test_different_feeds_have_different_keys(left, right):
    """Keys are equal where all parts are, and only there."""
    assert (left == right) == (status_key(*left) == status_key(*right))


@given(balances, accounts)
def test_keys_begin_with_their_account(parts, other):
    """A balance's key begins with its account's, and with no other's."""
    key = balance_key(*parts)
    assert (parts[:2] == other) == key.startswith(f"{account_key(*other)}|")


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ("kraken|main", account_key("kraken", "main")),
        ("kraken|main|ws", status_key("kraken", "main", "ws")),
        (
            "kraken|main||earn/28.S|DOT",
            balance_key("kraken", "main", "", "earn", "28.S", "DOT"),
        ),
        (
            "zerohash|a.b|P1%2Fgroup%2Fla%25bel%7C2|spot/available|BTC",
            balance_key(
                "zerohash", "a.b", "P1/group/la%bel|2", "spot", "available", "BTC"
            ),
        ),
        (
            "kraken|main||unspecified/|BTC",
            balance_key("kraken", "main", "", "unspecified", "", "BTC"),
        ),
    ],
)
def test_keys_are_as_the_contract_writes_them(expected, found):
    """The form is part of the contract."""
    assert expected == found


@given(texts(), st.integers(1, 10_000))
def test_partition_is_the_crc_of_the_account(account, partitions):
    """In range, and what librdkafka's consistent partitioner chooses."""
    partition = partition_of(account, partitions)
    assert partition in range(partitions)
    assert crc32(account.encode("utf-8")) % partitions == partition


@pytest.mark.parametrize(
    ("account", "partition"),
    [("kraken|main", 0x6569CEE1 % 12), ("", 0), ("123456789", 0xCBF43926 % 12)],
)
def test_partition_never_changes(account, partition):
    """Known values hold it in place: 123456789 is the CRC's own test."""
    assert partition == partition_of(account, 12)
