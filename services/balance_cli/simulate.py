"""The command ``balancebus simulate VENUE``: a stand-in venue until asked to stop."""

import asyncio
import json
import signal
from typing import Annotated

import typer

from balance_simulator.kraken.settings import (
    DEFAULT_KEY,
    DEFAULT_SECRET,
    KrakenSettings,
)
from balance_simulator.kraken.venue import KrakenVenue

app = typer.Typer(
    no_args_is_help=True,
    help="Run a stand-in venue: it behaves as the real one, and misbehaves on request.",
)


@app.callback()
def simulate() -> None:
    """Run a stand-in venue: it behaves as the real one, and misbehaves on request."""


@app.command()
def kraken(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 0,
    api_key: Annotated[
        str, typer.Option(help="Key of the first account; others get -2, -3, ...")
    ] = DEFAULT_KEY,
    api_secret: Annotated[
        str, typer.Option(help="Secret of all keys, base64.")
    ] = DEFAULT_SECRET.decode(),
    seed: Annotated[int, typer.Option(help="Of all ids, tokens and traffic.")] = 1,
    rate: Annotated[
        float, typer.Option(help="Updates a second of background traffic; 0 is quiet.")
    ] = 0.0,
    balance_scope: Annotated[
        str, typer.Option(help="What an update's balance covers: wallet or account.")
    ] = "wallet",
    accounts: Annotated[
        int, typer.Option(min=1, help="Master accounts, each with its own key.")
    ] = 1,
    subaccounts: Annotated[
        int, typer.Option(min=0, help="Sub-accounts below each master.")
    ] = 0,
    together: Annotated[
        bool, typer.Option(help="Tell all lines of one operation in one frame.")
    ] = False,
    ack_first: Annotated[
        bool, typer.Option(help="Send the ack before the snapshot.")
    ] = True,
    snapshot_zeros: Annotated[
        bool, typer.Option(help="Tell empty wallets in snapshots.")
    ] = True,
    rate_limit: Annotated[
        float, typer.Option(help="Most of a key's REST counter (Starter: 15).")
    ] = 1_000_000.0,
    rate_decay: Annotated[
        float, typer.Option(help="What the counter loses in a second.")
    ] = 0.33,
    connections_max: Annotated[
        int | None,
        typer.Option(help="Refuse connection attempts above this in ten minutes."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the addresses as one JSON line.")
    ] = False,
) -> None:
    """Stand in for Kraken spot: WebSocket v2 balances and the private REST calls.

    Truth and trouble are under /control/ on the same port:

    GET truth, ledger, stats, traffic; POST operation, traffic, fault, picture.

    Example: curl -d '{"fault": "gap", "count": 2}' URL/control/fault
    """
    if balance_scope not in {"wallet", "account"}:
        raise typer.BadParameter("wallet or account", param_hint="--balance-scope")
    settings = KrakenSettings(
        host=host,
        port=port,
        api_key=api_key,
        api_secret=api_secret,
        seed=seed,
        rate=rate,
        balance_scope="wallet" if balance_scope == "wallet" else "account",
        accounts=accounts,
        subaccounts=subaccounts,
        together=together,
        ack_first=ack_first,
        snapshot_zeros=snapshot_zeros,
        rate_limit=rate_limit,
        rate_decay=rate_decay,
        connections_max=connections_max,
    )
    try:
        asyncio.run(_serve(KrakenVenue(settings), as_json=as_json))
    except OSError as error:
        typer.echo(f"cannot listen on {host}:{port}: {error.strerror}", err=True)
        raise typer.Exit(2) from None


async def _serve(venue: KrakenVenue, *, as_json: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with venue:
        typer.echo(_addresses(venue, as_json=as_json))
        await stop.wait()


def _addresses(venue: KrakenVenue, *, as_json: bool) -> str:
    """Return the one line that is printed once the venue listens."""
    if as_json:
        return json.dumps(
            {
                "venue": "kraken",
                "ws_url": venue.ws_url,
                "rest_url": venue.rest_url,
                "control_url": f"{venue.rest_url}/control",
                "api_keys": list(venue.state.keys.keys),
                "api_secret": venue.settings.api_secret,
            }
        )
    return (
        f"Simulated Kraken: BALANCEBUS_WS_URL={venue.ws_url} "
        f"BALANCEBUS_REST_URL={venue.rest_url} "
        f"BALANCEBUS_API_KEY={venue.settings.api_key} "
        f"BALANCEBUS_API_SECRET={venue.settings.api_secret}"
    )
