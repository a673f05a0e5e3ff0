"""What is secret by nature, in the whole API: never shown, and no more hidden than that."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re

import pydantic
import pytest

import evertoken_api
from evertoken import drift
from evertoken.model import Model, masked
from evertoken.secret_names import is_secret, may_be_secret
from evertoken.sent import wire_name
from evertoken_api import (
    actions,
    branding,
    clients,
    connections,
    custom_domains,
    emails,
    event_streams,
    flows,
    guardian,
    jobs,
    log_streams,
    organizations,
    resource_servers,
    rules_configs,
    self_service_profiles,
    stats,
    tickets,
    users,
)

HIDDEN = "hidden-value"
SHOWN = "visible-value"


def every_model() -> dict[str, type[Model]]:
    found: dict[str, type[Model]] = {}
    for module in pkgutil.walk_packages(evertoken_api.__path__, "evertoken_api."):
        if module.name.endswith(".models"):
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, type) and issubclass(value, Model) and value is not Model:
                    found[f"{value.__module__}.{value.__qualname__}"] = value
    assert len(found) > 1_000
    return found


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (clients.GetClientResponseContent, {"client_secret": HIDDEN}),
        (clients.RotateClientSecretResponseContent, {"client_secret": HIDDEN}),
        (connections.GetConnectionResponseContent, {"options": {"client_secret": HIDDEN}}),
        (connections.GetConnectionResponseContent, {"options": {"app_secret": HIDDEN}}),
        (connections.GetConnectionResponseContent, {"options": {"signing_key": {"key": HIDDEN}}}),
        (connections.GetConnectionResponseContent, {"options": {"decryptionKey": {"key": HIDDEN}}}),
        (connections.GetConnectionResponseContent, {"options": {"twilio_token": HIDDEN}}),
        (
            connections.GetConnectionResponseContent,
            {"options": {"gateway_authentication": {"secret": HIDDEN}}},
        ),
        (connections.GetConnectionResponseContent, {"options": {"configuration": {"DB_URL": HIDDEN}}}),
        (connections.GetConnectionResponseContent, {"options": {"customHeaders": {"x-any": HIDDEN}}}),
        (connections.GetConnectionResponseContent, {"options": {"admin_refresh_token": HIDDEN}}),
        (connections.GetConnectionResponseContent, {"provisioning_ticket_url": HIDDEN}),
        (connections.CreateScimTokenResponseContent, {"token": HIDDEN}),
        (custom_domains.GetCustomDomainResponseContent, {"cname_api_key": HIDDEN}),
        (emails.GetEmailProviderResponseContent, {"credentials": {"smtp_pass": HIDDEN}}),
        (emails.GetEmailProviderResponseContent, {"credentials": {"secretAccessKey": HIDDEN}}),
        (emails.GetEmailProviderResponseContent, {"credentials": {"connectionString": HIDDEN}}),
        (branding.GetBrandingPhoneProviderResponseContent, {"credentials": {"auth_token": HIDDEN}}),
        (guardian.GetGuardianFactorsProviderPhoneTwilioResponseContent, {"auth_token": HIDDEN}),
        (guardian.GetGuardianFactorsProviderSnsResponseContent, {"aws_secret_access_key": HIDDEN}),
        (guardian.GetGuardianFactorsProviderApnsResponseContent, {"p12": HIDDEN}),
        (guardian.GetGuardianFactorDuoSettingsResponseContent, {"skey": HIDDEN}),
        (guardian.CreateGuardianEnrollmentTicketResponseContent, {"ticket_id": HIDDEN}),
        (guardian.CreateGuardianEnrollmentTicketResponseContent, {"ticket_url": HIDDEN}),
        (organizations.GetOrganizationInvitationResponseContent, {"invitation_url": HIDDEN}),
        (organizations.GetOrganizationInvitationResponseContent, {"ticket_id": HIDDEN}),
        (self_service_profiles.CreateSelfServiceProfileSsoTicketResponseContent, {"ticket": HIDDEN}),
        (tickets.ChangePasswordTicketResponseContent, {"ticket": HIDDEN}),
        (tickets.VerifyEmailTicketResponseContent, {"ticket": HIDDEN}),
        (jobs.GetJobResponseContent, {"location": HIDDEN}),
        (log_streams.LogStreamHttpSink, {"httpAuthorization": HIDDEN}),
        (log_streams.LogStreamHttpSink, {"httpCustomHeaders": [{"header": "X-Key", "value": HIDDEN}]}),
        (log_streams.LogStreamHttpSink, {"httpCustomHeaders": [["X-Key", HIDDEN]]}),
        (log_streams.LogStreamSumoSink, {"sumoSourceAddress": HIDDEN}),
        (log_streams.LogStreamSplunkSink, {"splunkToken": HIDDEN}),
        (log_streams.LogStreamDatadogSink, {"datadogApiKey": HIDDEN}),
        (log_streams.LogStreamSegmentSinkWriteKey, {"segmentWriteKey": HIDDEN}),
        (log_streams.LogStreamMixpanelSink, {"mixpanelServiceAccountPassword": HIDDEN}),
        (event_streams.EventStreamWebhookConfiguration, {"webhook_authorization": {"token": HIDDEN}}),
        (event_streams.EventStreamWebhookConfiguration, {"webhook_authorization": {"password": HIDDEN}}),
        (flows.FlowActionHttpSendRequestParams, {"headers": {"X-Own": HIDDEN}}),
        (flows.FlowActionHttpSendRequestParams, {"basic": {"username": "u", "password": HIDDEN}}),
        (flows.CreateFlowsVaultConnectionResponseContent, {"setup": {"api_key": HIDDEN}}),
        (actions.GetActionResponseContent, {"secrets": [{"name": "a", "value": HIDDEN}]}),
        (resource_servers.GetResourceServerResponseContent, {"signing_secret": HIDDEN}),
        (rules_configs.SetRulesConfigResponseContent, {"key": "a", "value": HIDDEN}),
        (users.GetUserResponseContent, {"identities": [{"access_token": HIDDEN, "refresh_token": HIDDEN}]}),
        (users.RegenerateUsersRecoveryCodeResponseContent, {"recovery_code": HIDDEN}),
        (users.CreateUserAuthenticationMethodResponseContent, {"totp_secret": HIDDEN}),
    ],
)
def test_a_secret_is_masked(model: type[Model], fields: dict[str, object]) -> None:
    """In what is printed of a model, and in its JSON for showing; the wire form has it."""
    value, _ = drift.decode(model, json.dumps({"more": SHOWN, **fields}).encode())
    assert isinstance(value, model)
    for text in (
        repr(value),
        str(value),
        repr([value]),
        json.dumps(masked(value)),
        json.dumps(masked([value])),
    ):
        assert HIDDEN not in text
        assert "***" in text
        assert SHOWN in text
    assert value.model_dump() == {"more": SHOWN, **fields}


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (clients.Client, {"refresh_token": {"rotation_type": SHOWN, "token_lifetime": 7}}),
        (
            clients.Client,
            {"token_endpoint_auth_method": SHOWN, "jwt_configuration": {"secret_encoded": True}},
        ),
        (clients.Client, {"session_transfer": {"can_create_session_transfer_token": True}}),
        (
            connections.GetConnectionResponseContent,
            {"options": {"passwordPolicy": SHOWN, "password_history": {}}},
        ),
        (stats.DailyStats, {"leaked_passwords": 7}),
        (actions.IntegrationRelease, {"required_secrets": [{"name": SHOWN}]}),
        (guardian.GetGuardianFactorsProviderSnsResponseContent, {"aws_access_key_id": SHOWN}),
        (users.GetUserResponseContent, {"last_password_reset": "2030-01-02T03:04:05.678Z"}),
        (
            event_streams.EventStreamActionDestination,
            {"type": "action", "configuration": {"action_id": SHOWN}},
        ),
        (users.GetUserResponseContent, {"user_metadata": {"location": SHOWN, "value": SHOWN}}),
        (clients.Client, {"client_secret": ""}),
    ],
)
def test_what_is_no_secret_is_shown(model: type[Model], fields: dict[str, object]) -> None:
    """Settings, counts, flags and names, though they are called like secrets."""
    value, _ = drift.decode(model, json.dumps(fields).encode())
    assert "***" not in repr(value)
    assert masked(value) == fields


SUSPECT = re.compile(
    r"secret|token|passw|passph|credential|assertion|ticket|authorization|recovery|private|bearer|jwt|key"
    r"|invitation|webhook|address$|location",
    re.IGNORECASE,
)


def test_every_suspect_name_of_the_api_was_looked_at(request: pytest.FixtureRequest) -> None:
    """A field that the spec gains and that sounds like a secret is masked, or stands in the list."""
    harmless = set((request.path.parent / "no_secrets.txt").read_text("utf-8").split())
    names = {
        wire_name(name, field)
        for model in every_model().values()
        for name, field in model.model_fields.items()
        if not is_secret(wire_name(name, field), model.__name__)
    }
    open_ = {name for name in names if SUSPECT.search(name) and not may_be_secret(name)}
    assert open_ - harmless == set()
    assert harmless - open_ == set(), "stands in no_secrets.txt for nothing"


def test_fields_that_are_secret_in_one_model_are_there() -> None:
    """So that a new name in the spec does not leave them uncovered."""
    models = {model.__name__: model for model in every_model().values()}
    for of, name in (
        ("GetJobResponseContent", "location"),
        ("HttpCustomHeader", "value"),
        ("SetRulesConfigResponseContent", "value"),
    ):
        assert is_secret(name, of)
        assert not is_secret(name, "Client")
        assert name in models[of].model_fields


def test_json_for_showing_is_that_of_the_api() -> None:
    """Names and spelling of the wire, whatever Python calls them."""
    model, _ = drift.decode(
        clients.Client,
        b'{"x-odd": 1, "name": "n", "at": "2030", "client_secret": "s", "list": [{"token": "t"}]}',
    )
    assert isinstance(model, pydantic.BaseModel)
    assert masked({"rows": [model]}) == {
        "rows": [{"x-odd": 1, "name": "n", "at": "2030", "client_secret": "***", "list": [{"token": "***"}]}]
    }
