"""One method of each group, for type checkers: never run."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

from evertoken_api import (
    actions,
    attack_protection,
    branding,
    client_grants,
    clients,
    connection_profiles,
    connections,
    custom_domains,
    device_credentials,
    email_templates,
    emails,
    event_streams,
    events,
    experimentation,
    flows,
    forms,
    groups,
    guardian,
    hooks,
    jobs,
    keys,
    log_streams,
    logs,
    network_acls,
    organizations,
    prompts,
    rate_limit_policies,
    refresh_tokens,
    resource_servers,
    risk_assessments,
    roles,
    rules,
    rules_configs,
    self_service_profiles,
    sessions,
    stats,
    supplemental_signals,
    tenants,
    tickets,
    token_exchange_profiles,
    user_attribute_profiles,
    user_blocks,
    user_grants,
    users,
    verifiable_credentials,
)

if TYPE_CHECKING:
    from evertoken import AsyncManagementClient, ManagementClient


def threads(client: ManagementClient) -> None:
    """What each gives is told."""
    assert_type(client.actions.list().items[0], actions.Action)
    assert_type(
        client.attack_protection.bot_detection.get(), attack_protection.GetBotDetectionSettingsResponseContent
    )
    assert_type(client.branding.get(), branding.GetBrandingResponseContent)
    assert_type(client.client_grants.list().items[0], client_grants.ClientGrantResponseContent)
    assert_type(client.clients.list().items[0], clients.Client)
    assert_type(client.connection_profiles.list().items[0], connection_profiles.ConnectionProfile)
    assert_type(client.connections.list().items[0], connections.ConnectionForList)
    assert_type(client.custom_domains.list().items[0], custom_domains.CustomDomain)
    assert_type(client.device_credentials.list().items[0], device_credentials.DeviceCredential)
    assert_type(client.email_templates.get("x"), email_templates.GetEmailTemplateResponseContent)
    assert_type(client.emails.provider.get(), emails.GetEmailProviderResponseContent)
    assert_type(client.event_streams.list().items[0], event_streams.EventStreamResponseContent)
    assert_type(next(client.events.subscribe()), events.EventStreamSubscribeEventsResponseContent)
    assert_type(client.experimentation.experiments.list().items[0], experimentation.ExperimentListItem)
    assert_type(client.flows.list().items[0], flows.FlowSummary)
    assert_type(client.forms.list().items[0], forms.FormSummary)
    assert_type(client.groups.list().items[0], groups.Group)
    assert_type(
        client.guardian.enrollments.create_ticket(user_id="x"),
        guardian.CreateGuardianEnrollmentTicketResponseContent,
    )
    assert_type(client.hooks.list().items[0], hooks.Hook)
    assert_type(client.jobs.get("x"), jobs.GetJobResponseContent)
    assert_type(client.keys.encryption.list().items[0], keys.EncryptionKey)
    assert_type(client.log_streams.create(), log_streams.CreateLogStreamResponseContent)
    assert_type(client.logs.list().items[0], logs.Log)
    assert_type(client.network_acls.list().items[0], network_acls.NetworkAclsResponseContent)
    assert_type(client.organizations.list().items[0], organizations.Organization)
    assert_type(client.prompts.rendering.list().items[0], prompts.ListAculsResponseContentItem)
    assert_type(client.rate_limit_policies.list().items[0], rate_limit_policies.RateLimitPolicy)
    assert_type(client.refresh_tokens.list(user_id="x").items[0], refresh_tokens.RefreshTokenResponseContent)
    assert_type(client.resource_servers.list().items[0], resource_servers.ResourceServer)
    assert_type(
        client.risk_assessments.settings.get(), risk_assessments.GetRiskAssessmentsSettingsResponseContent
    )
    assert_type(client.roles.list().items[0], roles.Role)
    assert_type(client.rules.list().items[0], rules.Rule)
    assert_type(client.rules_configs.set("x", value="x"), rules_configs.SetRulesConfigResponseContent)
    assert_type(client.self_service_profiles.list().items[0], self_service_profiles.SelfServiceProfile)
    assert_type(client.sessions.get("x"), sessions.GetSessionResponseContent)
    assert_type(client.stats.get_active_users_count(), stats.GetActiveUsersCountStatsResponseContent)
    assert_type(client.supplemental_signals.get(), supplemental_signals.GetSupplementalSignalsResponseContent)
    assert_type(client.tenants.settings.get(), tenants.GetTenantSettingsResponseContent)
    assert_type(client.tickets.change_password(), tickets.ChangePasswordTicketResponseContent)
    assert_type(
        client.token_exchange_profiles.list().items[0],
        token_exchange_profiles.TokenExchangeProfileResponseContent,
    )
    assert_type(client.user_attribute_profiles.list().items[0], user_attribute_profiles.UserAttributeProfile)
    assert_type(client.user_blocks.list("x"), user_blocks.ListUserBlocksResponseContent)
    assert_type(client.user_grants.list().items[0], user_grants.UserGrant)
    assert_type(client.users.list().items[0], users.UserResponseSchema)
    assert_type(
        client.verifiable_credentials.verification.templates.list().items[0],
        verifiable_credentials.VerifiableCredentialTemplateResponse,
    )
    client.anomaly.blocks.check_ip("192.0.2.1")  # gives nothing


async def tasks(client: AsyncManagementClient) -> None:
    """And to tasks."""
    assert_type((await client.actions.list()).items[0], actions.Action)
    assert_type(
        (await client.attack_protection.bot_detection.get()),
        attack_protection.GetBotDetectionSettingsResponseContent,
    )
    assert_type((await client.branding.get()), branding.GetBrandingResponseContent)
    assert_type((await client.client_grants.list()).items[0], client_grants.ClientGrantResponseContent)
    assert_type((await client.clients.list()).items[0], clients.Client)
    assert_type((await client.connection_profiles.list()).items[0], connection_profiles.ConnectionProfile)
    assert_type((await client.connections.list()).items[0], connections.ConnectionForList)
    assert_type((await client.custom_domains.list()).items[0], custom_domains.CustomDomain)
    assert_type((await client.device_credentials.list()).items[0], device_credentials.DeviceCredential)
    assert_type((await client.email_templates.get("x")), email_templates.GetEmailTemplateResponseContent)
    assert_type((await client.emails.provider.get()), emails.GetEmailProviderResponseContent)
    assert_type((await client.event_streams.list()).items[0], event_streams.EventStreamResponseContent)
    assert_type(await anext(client.events.subscribe()), events.EventStreamSubscribeEventsResponseContent)
    assert_type(
        (await client.experimentation.experiments.list()).items[0], experimentation.ExperimentListItem
    )
    assert_type((await client.flows.list()).items[0], flows.FlowSummary)
    assert_type((await client.forms.list()).items[0], forms.FormSummary)
    assert_type((await client.groups.list()).items[0], groups.Group)
    assert_type(
        (await client.guardian.enrollments.create_ticket(user_id="x")),
        guardian.CreateGuardianEnrollmentTicketResponseContent,
    )
    assert_type((await client.hooks.list()).items[0], hooks.Hook)
    assert_type((await client.jobs.get("x")), jobs.GetJobResponseContent)
    assert_type((await client.keys.encryption.list()).items[0], keys.EncryptionKey)
    assert_type((await client.log_streams.create()), log_streams.CreateLogStreamResponseContent)
    assert_type((await client.logs.list()).items[0], logs.Log)
    assert_type((await client.network_acls.list()).items[0], network_acls.NetworkAclsResponseContent)
    assert_type((await client.organizations.list()).items[0], organizations.Organization)
    assert_type((await client.prompts.rendering.list()).items[0], prompts.ListAculsResponseContentItem)
    assert_type((await client.rate_limit_policies.list()).items[0], rate_limit_policies.RateLimitPolicy)
    assert_type(
        (await client.refresh_tokens.list(user_id="x")).items[0], refresh_tokens.RefreshTokenResponseContent
    )
    assert_type((await client.resource_servers.list()).items[0], resource_servers.ResourceServer)
    assert_type(
        (await client.risk_assessments.settings.get()),
        risk_assessments.GetRiskAssessmentsSettingsResponseContent,
    )
    assert_type((await client.roles.list()).items[0], roles.Role)
    assert_type((await client.rules.list()).items[0], rules.Rule)
    assert_type((await client.rules_configs.set("x", value="x")), rules_configs.SetRulesConfigResponseContent)
    assert_type(
        (await client.self_service_profiles.list()).items[0], self_service_profiles.SelfServiceProfile
    )
    assert_type((await client.sessions.get("x")), sessions.GetSessionResponseContent)
    assert_type((await client.stats.get_active_users_count()), stats.GetActiveUsersCountStatsResponseContent)
    assert_type(
        (await client.supplemental_signals.get()), supplemental_signals.GetSupplementalSignalsResponseContent
    )
    assert_type((await client.tenants.settings.get()), tenants.GetTenantSettingsResponseContent)
    assert_type((await client.tickets.change_password()), tickets.ChangePasswordTicketResponseContent)
    assert_type(
        (await client.token_exchange_profiles.list()).items[0],
        token_exchange_profiles.TokenExchangeProfileResponseContent,
    )
    assert_type(
        (await client.user_attribute_profiles.list()).items[0], user_attribute_profiles.UserAttributeProfile
    )
    assert_type((await client.user_blocks.list("x")), user_blocks.ListUserBlocksResponseContent)
    assert_type((await client.user_grants.list()).items[0], user_grants.UserGrant)
    assert_type((await client.users.list()).items[0], users.UserResponseSchema)
    assert_type(
        (await client.verifiable_credentials.verification.templates.list()).items[0],
        verifiable_credentials.VerifiableCredentialTemplateResponse,
    )
    await client.anomaly.blocks.check_ip("192.0.2.1")
