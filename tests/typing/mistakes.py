"""What both type checkers must find. "type: ignore" is for mypy, "pyright: ignore" for pyright."""

from __future__ import annotations

from evertoken import ManagementClient


def mistakes(client: ManagementClient) -> None:
    """Each of these is an error for both type checkers."""
    ManagementClient(domain="d", client_ids="i")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.clients.create()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.clients.get(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.clients.update("i", nmae="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.clients.create(name=None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
