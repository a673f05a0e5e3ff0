"""Operations that do more than their path, method and schemas tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evertoken_tenant.special import (
    access,
    actions,
    grants,
    jobs,
    keys,
    links,
    logs,
    organizations,
    others,
    users,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evertoken_tenant.call import Answer
    from evertoken_tenant.work import Work

HANDLERS: Final[Mapping[str, Callable[[Work], Answer]]] = {
    **access.HANDLERS,
    **actions.HANDLERS,
    **grants.HANDLERS,
    **jobs.HANDLERS,
    **keys.HANDLERS,
    **links.HANDLERS,
    **logs.HANDLERS,
    **organizations.HANDLERS,
    **others.HANDLERS,
    **users.HANDLERS,
}
