"""The operations on applications."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final, cast

from evertoken_tenant.applications import Application, Applications, TakenError, new_id, new_secret
from evertoken_tenant.call import Answer, Json, Row, dump, json_answer, no_content, text_answer
from evertoken_tenant.consistency import cascade
from evertoken_tenant.paging import DEFAULT_ROWS, Cursors, offset_window
from evertoken_tenant.refusal import RefusedError, refuse
from evertoken_tenant.search import Test, filters
from evertoken_tenant.seed import default_row
from evertoken_tenant.view import View, changed_view, client_view

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from evertoken_tenant.credentials import Keeper
    from evertoken_tenant.query import Query
    from evertoken_tenant.work import Work

# What may hold references to credentials of the application.
_HOLDERS: Final = ("client_authentication_methods", "signed_request_object", "token_vault_privileged_access")
# A cursor stands for a place among filtered rows, however they are shown.
_NO_FILTERS: Final = ("take", "from", "page", "per_page", "include_totals", "fields", "include_fields")
_SCOPE_OF_FIELD: Final = {
    "client_secret": "update:client_keys",
    "encryption_key": "update:client_keys",
    "client_authentication_methods": "update:client_credentials",
    "token_vault_privileged_access": "update:client_token_vault_privileged_access",
}


def inexistent() -> RefusedError:
    """Return the answer to an id that no application has."""
    return refuse(404, "The client does not exist", "inexistent_client")


@dataclasses.dataclass(frozen=True, slots=True)
class Clients:
    """The operations, over the applications they work on."""

    applications: Applications
    cursors: Cursors
    keeper: Keeper

    def page(self, work: Work) -> Answer:
        """Return a page: by checkpoint where `take` or `from` is given, by offset else."""
        view = client_view(work.query, work.scopes)
        tests = filters(work.query)
        if "take" in work.query or "from" in work.query:
            return self._checkpoint(work.query, view, tests)
        return self._offset(work.query, view, tests)

    def _offset(self, query: Query, view: View, tests: Sequence[Test]) -> Answer:
        window = offset_window(query)
        places = self.applications.places()
        here = slice(window.start, window.start + window.limit)
        if tests:
            found = list(self._matching(places, tests))
            rows, total = found[here], len(found)
        else:
            rows, total = list(self._matching(places[here], ())), len(places)
        text = _array(rows, view)
        if query.flag("include_totals", default=False):
            counts = dump({"start": window.start, "limit": window.limit, "length": len(rows), "total": total})
            text = f'{counts[:-1]},"clients":{text}}}'
        return text_answer(200, text)

    def _checkpoint(self, query: Query, view: View, tests: Sequence[Test]) -> Answer:
        of = "clients" + query.but(*_NO_FILTERS)
        take = query.whole("take", DEFAULT_ROWS)
        place = self.cursors.read(of, query.text("from")) if "from" in query else -1
        rows: list[Application] = []
        more = False
        for row in self._matching(self.applications.after(place), tests):
            if len(rows) == take:
                more = True
                break
            rows.append(row)
        last = f',"next":{dump(self.cursors.make(of, rows[-1].place))}' if more else ""
        return text_answer(200, f'{{"clients":{_array(rows, view)}{last}}}')

    def _matching(self, places: Iterable[tuple[int, str]], tests: Sequence[Test]) -> Iterator[Application]:
        for _, client_id in places:
            application = self.applications.get(client_id)
            # Deleted since the places were read.
            if application is not None and all(test(application.row) for test in tests):
                yield application

    def get(self, work: Work) -> Answer:
        """Return one application."""
        application = self.applications.get(work.path["id"])
        if application is None:
            raise inexistent()
        return text_answer(200, application.json(client_view(work.query, work.scopes)))

    def create(self, work: Work) -> Answer:
        """Keep a new application; id and secret are made here, and the secret is told."""
        given = dict(work.given)
        app_type = cast("str | None", given.get("app_type"))
        row = default_row(new_id(), str(given["name"]), app_type, new_secret())
        credentials: list[Row] = []
        for holder in _HOLDERS:
            if holder in given:
                given[holder] = self._stored(given[holder], credentials)
        row.update(given)
        if "client_authentication_methods" in given:
            del row["token_endpoint_auth_method"]
        _rename(row)
        try:
            application = self.applications.add(row, credentials)
        except TakenError as taken:
            raise refuse(409, f"Another client has this {taken.field}", "conflict") from None
        return text_answer(201, application.json(View()))

    def _stored(self, value: Json, credentials: list[Row]) -> Json:
        """Return the value with ids instead of credentials, which are put into the list."""
        match value:
            case dict() if "credential_type" in value:
                credential = self.keeper.make(value)
                credentials.append(credential)
                return {"id": credential["id"]}
            case dict():
                return {name: self._stored(item, credentials) for name, item in value.items()}
            case list():
                return [self._stored(item, credentials) for item in value]
            case _:
                return value

    def update(self, work: Work) -> Answer:
        """Merge the body into an application: null clears, client_metadata is merged by key."""
        _check_update_scopes(work)
        changed = self.applications.change(work.path["id"], _merging(work.given))
        if changed is None:
            raise inexistent()
        return text_answer(200, changed.json(changed_view(work.scopes)))

    def delete(self, work: Work) -> Answer:
        """Delete an application; that it was not there is no error."""
        self.applications.remove(work.path["id"])
        with work.state.lock:
            cascade(work.world, "/clients", work.path["id"])
        return no_content()

    def rotate_secret(self, work: Work) -> Answer:
        """Give an application a new secret, and tell it."""
        secret = new_secret()
        changed = self.applications.change(
            work.path["id"], lambda one: one.with_row({**one.row, "client_secret": secret})
        )
        if changed is None:
            raise inexistent()
        return json_answer(200, changed.row)


def _array(rows: Iterable[Application], view: View) -> str:
    return f"[{','.join(row.json(view) for row in rows)}]"


def _check_update_scopes(work: Work) -> None:
    for field in work.given:
        scope = _SCOPE_OF_FIELD.get(field, "update:clients")
        if scope not in work.scopes:
            raise refuse(403, f"Insufficient scope, expected any of: {scope}", "insufficient_scope")


def _rename(row: Row) -> None:
    # The old name of the same field.
    if "oidc_backchannel_logout" in row:
        row["oidc_logout"] = row.pop("oidc_backchannel_logout")


def _merging(body: Row) -> Callable[[Application], Application]:
    def merge(application: Application) -> Application:
        row = {**application.row, **body}
        if "client_metadata" in body:
            row["client_metadata"] = _metadata(
                application.row.get("client_metadata"), body["client_metadata"]
            )
        _check_references(application, body)
        _rename(row)
        cleared = {name for name, value in body.items() if value is None}
        # An application authenticates in one of two ways: setting one ends the other.
        if body.get("client_authentication_methods") is not None:
            cleared.add("token_endpoint_auth_method")
        elif body.get("token_endpoint_auth_method") is not None:
            cleared.add("client_authentication_methods")
        return application.with_row({name: value for name, value in row.items() if name not in cleared})

    return merge


def _metadata(old: Json, new: Json) -> Json:
    merged = {**cast("Row", old or {}), **cast("Row", new)}
    kept: Row = {key: value for key, value in merged.items() if value is not None}
    if len(kept) > 10:
        problem = f"Too many properties defined ({len(kept)}), maximum 10"
        raise refuse(
            400, f"Payload validation error: '{problem}' on property client_metadata.", "invalid_body"
        )
    return kept


def _check_references(application: Application, body: Row) -> None:
    known = {str(credential["id"]) for credential in application.credentials}
    for holder in _HOLDERS:
        for reference in references(body.get(holder)):
            if reference not in known:
                raise refuse(400, f"The credential {reference} does not exist", "invalid_body")


def in_use(application: Application) -> set[str]:
    """Return the ids of the credentials that the application refers to."""
    return {reference for holder in _HOLDERS for reference in references(application.row.get(holder))}


def references(value: Json) -> Iterator[str]:
    """Give the credential ids within a value."""
    match value:
        case {"id": str() as reference}:
            yield reference
        case dict():
            for item in value.values():
                yield from references(item)
        case list():
            for item in value:
                yield from references(item)
        case _:
            pass
