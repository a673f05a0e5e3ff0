"""The operations on the credentials of an application."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from evertoken_tenant.call import Answer, Row, json_answer, no_content
from evertoken_tenant.clients import in_use, inexistent
from evertoken_tenant.refusal import RefusedError, refuse

if TYPE_CHECKING:
    from evertoken_tenant.applications import Application, Applications
    from evertoken_tenant.credentials import Keeper
    from evertoken_tenant.work import Work


def _inexistent_credential() -> RefusedError:
    return refuse(404, "The credential does not exist", "inexistent_credential")


@dataclasses.dataclass(frozen=True, slots=True)
class ClientCredentials:
    """The operations, over the applications that the credentials belong to."""

    applications: Applications
    keeper: Keeper

    def _application(self, work: Work) -> Application:
        application = self.applications.get(work.path["client_id"])
        if application is None:
            raise inexistent()
        return application

    def page(self, work: Work) -> Answer:
        """Return all credentials of an application."""
        return json_answer(200, list(self._application(work).credentials))

    def create(self, work: Work) -> Answer:
        """Add a credential."""
        self._application(work)
        made = self.keeper.make(work.given)

        def add(application: Application) -> Application:
            if made.get("kid") in [one["kid"] for one in application.credentials if "kid" in one]:
                raise refuse(400, "Another credential of the client has this kid", "invalid_body")
            return application.with_credentials((*application.credentials, made))

        if self.applications.change(work.path["client_id"], add) is None:
            raise inexistent()
        return json_answer(201, made)

    def get(self, work: Work) -> Answer:
        """Return one credential."""
        for credential in self._application(work).credentials:
            if credential["id"] == work.path["credential_id"]:
                return json_answer(200, credential)
        raise _inexistent_credential()

    def update(self, work: Work) -> Answer:
        """Change when a credential expires; null lets it live on. The status of success is 201."""
        wanted = work.path["credential_id"]
        changed: list[Row] = []

        def change(application: Application) -> Application:
            kept: list[Row] = []
            for credential in application.credentials:
                if credential["id"] != wanted:
                    kept.append(credential)
                    continue
                merged = {**credential, **work.given, "updated_at": self.keeper.now()}
                changed.append({name: value for name, value in merged.items() if value is not None})
                kept.append(changed[0])
            return application.with_credentials(kept)

        if self.applications.change(work.path["client_id"], change) is None:
            raise inexistent()
        if not changed:
            raise _inexistent_credential()
        return json_answer(201, changed[0])

    def delete(self, work: Work) -> Answer:
        """Remove a credential; that it, or the application, was not there is no error."""
        wanted = work.path["credential_id"]

        def drop(application: Application) -> Application:
            if wanted in in_use(application):
                raise refuse(400, "The credential is in use by the client", "credential_in_use")
            return application.with_credentials(
                [one for one in application.credentials if one["id"] != wanted]
            )

        self.applications.change(work.path["client_id"], drop)
        return no_content()
