"""`python -m evertoken_tenant`: a tenant on a loopback port, until it is interrupted."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import threading
from typing import TYPE_CHECKING

from evertoken_tenant.server import Server, serve
from evertoken_tenant.tenant import Tenant

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evertoken_tenant",
        description="Serve a local Auth0 tenant on a loopback port, and print the settings of its clients.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="loopback address (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="0, the default, is any free one")
    parser.add_argument("--tls", action="store_true", help="https, with a certificate authority of its own")
    parser.add_argument("--clients", type=int, default=300, metavar="N", help="applications (default: 300)")
    parser.add_argument("--seed", type=int, default=0, help="which applications (default: 0)")
    parser.add_argument(
        "--token-lifetime", type=int, default=86_400, metavar="SECONDS", help="default: %(default)s"
    )
    parser.add_argument(
        "--rate-limit", type=float, default=1_000, metavar="N", help="API calls per second (default: 1000)"
    )
    parser.add_argument(
        "--rate-burst", type=int, default=None, metavar="N", help="API calls at once (default: 10 s' worth)"
    )
    parser.add_argument(
        "--delay", type=float, default=0.0, metavar="SECONDS", help="hold back every answer (default: 0)"
    )
    return parser


def settings(server: Server) -> list[str]:
    """Return shell lines that point a client at the tenant. Its secret dies with it."""
    tenant = server.tenant
    variables = {
        # A bare domain means https.
        "AUTH0_DOMAIN": server.url if server.ca_file is None else server.domain,
        "AUTH0_CLIENT_ID": tenant.client_id,
        "AUTH0_CLIENT_SECRET": tenant.client_secret,
    }
    if server.ca_file is not None:
        variables["SSL_CERT_FILE"] = server.ca_file
    return [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]


def until_signalled() -> None:
    """Wait for SIGINT or SIGTERM."""
    stop = threading.Event()

    def note(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        # In slices: on some systems a wait without end is not left for a signal.
        while not stop.wait(0.5):
            pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(argv: Sequence[str] | None = None, *, wait: Callable[[], None] = until_signalled) -> int:
    """Serve until `wait` returns. Returns the exit status: 2 for settings that cannot be."""
    options = _parser().parse_args(argv)
    try:
        tenant = Tenant(
            clients=options.clients,
            token_lifetime=options.token_lifetime,
            rate_limit=options.rate_limit,
            rate_burst=options.rate_burst,
            seed=options.seed,
        )
        tenant.delay(token=options.delay, api=options.delay)
        with serve(tenant, tls=options.tls, host=options.host, port=options.port) as server:
            sys.stdout.write("\n".join(settings(server)) + "\n")
            sys.stdout.flush()
            wait()
    except (OSError, OverflowError, ValueError) as error:
        sys.stderr.write(f"evertoken_tenant: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
