"""What the request bodies of the operations on applications may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evertoken_tenant.addons import ADDONS
from evertoken_tenant.schema import Choice, Flag, Many, Null, Schema, Shape, Text, Whole

if TYPE_CHECKING:
    from collections.abc import Mapping

APP_TYPES: Final = (
    "native spa regular_web non_interactive resource_server express_configuration rms box cloudbees concur "
    "dropbox mscrm echosign egnyte newrelic office365 salesforce sentry sharepoint slack springcm zendesk "
    "zoom sso_integration oag"
)
_TEXT: Final = Text()
_FLAG: Final = Flag()
_URI_OR_EMPTY: Final = Text(form="uri-or-empty")
_HTTPS_OR_EMPTY: Final = Text(form="https-uri-or-empty")
_WORDS: Final = Many(Text(1))

_CREDENTIAL_ID: Final = Shape({"id!": _TEXT})
_IDS: Final = Many(_CREDENTIAL_ID)
_PUBLIC_KEY: Final = Shape(
    {
        "credential_type!": Choice("public_key"),
        "name": Text(most=128),
        "pem!": _TEXT,
        "alg": Choice("RS256 RS384 PS256"),
        "parse_expiry_from_cert": _FLAG,
        "expires_at": Text(form="date-time"),
        "kid": Text(10, 64, pattern=r"[0-9a-zA-Z\-_]{10,64}"),
    }
)
_SUBJECT_DN: Final = Shape(
    {
        "credential_type!": Choice("cert_subject_dn"),
        "name": Text(most=128),
        "subject_dn": Text(1, 256),
        "pem": Text(1, 4096),
    }
)
_CERTIFICATE: Final = Shape(
    {"credential_type!": Choice("x509_cert"), "name": Text(most=128), "pem!": Text(1, 4096)}
)


def _methods(private_key_jwt: Schema, tls: Schema, self_signed: Schema) -> Shape:
    return Shape(
        {
            "private_key_jwt": Shape({"credentials!": private_key_jwt}),
            "tls_client_auth": Shape({"credentials!": tls}),
            "self_signed_tls_client_auth": Shape({"credentials!": self_signed}),
        },
        least=1,
        most=1,
    )


def _vault(credentials: Schema) -> Shape:
    return Shape({"credentials!": credentials, "ip_allowlist": Many(_TEXT)})


_LOGOUT: Final = Shape(
    {
        "backchannel_logout_urls": Many(_HTTPS_OR_EMPTY),
        "backchannel_logout_initiators": Shape(
            {
                "mode": Choice("custom all"),
                "selected_initiators": Many(
                    Choice(
                        "rp-logout idp-logout password-changed session-expired session-revoked "
                        "account-deleted email-identifier-changed mfa-phone-unenrolled account-deactivated"
                    )
                ),
            },
            open=True,
        ),
        "backchannel_logout_session_metadata": Null(Shape({"include": _FLAG}, open=True)),
    },
    open=True,
)
_SESSION_TRANSFER: Final = Null(
    Shape(
        {
            "can_create_session_transfer_token": _FLAG,
            "enforce_cascade_revocation": _FLAG,
            "allowed_authentication_methods": Null(Many(Choice("cookie query"))),
            "enforce_device_binding": Choice("ip asn none"),
            "allow_refresh_token": _FLAG,
            "enforce_online_refresh_tokens": _FLAG,
            "delegation": Null(
                Shape({"allow_delegated_access": _FLAG, "enforce_device_binding": Choice("ip asn")})
            ),
        }
    )
)
_REFRESH_TOKEN: Final = Null(
    Shape(
        {
            "rotation_type!": Choice("rotating non-rotating"),
            "expiration_type!": Choice("expiring non-expiring"),
            "leeway": Whole(0),
            "token_lifetime": Whole(1, 157_788_000),
            "infinite_token_lifetime": _FLAG,
            "idle_token_lifetime": Whole(1),
            "infinite_idle_token_lifetime": _FLAG,
            "policies": Null(Many(Shape({"audience!": Text(1, 600), "scope!": Many(Text(1, 280))}), least=1)),
        }
    )
)
_EXPRESS: Final = Shape(
    {
        "initiate_login_uri_template!": _TEXT,
        "user_attribute_profile_id!": _TEXT,
        "connection_profile_id!": _TEXT,
        "enable_client!": _FLAG,
        "enable_organization!": _FLAG,
        "linked_clients": Many(Shape({"client_id!": _TEXT})),
        "okta_oin_client_id!": _TEXT,
        "admin_login_domain!": Text(1),
        "oin_submission_id": Text(1, 200),
    }
)
_MY_ORGANIZATION: Final = Shape(
    {
        "connection_profile_id": _TEXT,
        "user_attribute_profile_id": _TEXT,
        "allowed_strategies!": Many(Choice("pingfederate adfs waad google-apps okta oidc samlp")),
        "connection_deletion_behavior!": Choice("allow allow_if_empty"),
        "invitation_landing_client_id": _TEXT,
    }
)
_QUOTA: Final = Shape(
    {
        "client_credentials!": Shape(
            {"enforce": _FLAG, "per_day": Whole(1, 2**31 - 1), "per_hour": Whole(1, 2**31 - 1)}, least=1
        )
    }
)
_MOBILE: Final = Shape(
    {
        "android": Shape(
            {"app_package_name": _TEXT, "sha256_cert_fingerprints": Many(Text(1), least=1)}, open=True
        ),
        "ios": Shape({"team_id": _TEXT, "app_bundle_identifier": _TEXT}, open=True),
    },
    open=True,
)


def _social(*, null: bool) -> Schema:
    switch = Shape({"enabled": _FLAG}, least=1)
    one = Null(switch) if null else switch
    whole = Shape(dict.fromkeys(("apple", "facebook", "google"), one), least=1)
    return Null(whole) if null else whole


def _fedcm(*, null: bool) -> Schema:
    switch = Shape({"is_enabled": _FLAG}, least=1)
    whole = Shape({"google": Null(switch) if null else switch}, least=1)
    return Null(whole) if null else whole


_FLAGS: Final = (
    "is_token_endpoint_ip_header_trusted is_first_party oidc_conformant sso cross_origin_authentication "
    "sso_disabled custom_login_page_on require_pushed_authorization_requests require_proof_of_possession"
)
_COMMON: Final[Mapping[str, Schema]] = {
    **dict.fromkeys(_FLAGS.split(), _FLAG),
    "description": Text(most=140),
    "logo_uri": _URI_OR_EMPTY,
    "callbacks": Many(_URI_OR_EMPTY),
    **dict.fromkeys(("oidc_logout", "oidc_backchannel_logout"), _LOGOUT),
    "session_transfer": _SESSION_TRANSFER,
    **dict.fromkeys(("allowed_origins", "web_origins", "allowed_logout_urls"), Many(_TEXT)),
    **dict.fromkeys(("client_aliases", "allowed_clients", "grant_types"), _WORDS),
    "app_type": Choice(APP_TYPES),
    "jwt_configuration": Shape(
        {
            "lifetime_in_seconds": Whole(),
            "secret_encoded": _FLAG,
            "scopes": Shape({}, open=True),
            "alg": Choice("HS256 RS256 RS512 PS256"),
        },
        open=True,
    ),
    "encryption_key": Null(Shape(dict.fromkeys(("pub", "cert", "subject"), _TEXT), open=True)),
    "addons": ADDONS,
    "client_metadata": Shape({}, open=True, most=10),
    "mobile": _MOBILE,
    "initiate_login_uri": _HTTPS_OR_EMPTY,
    "refresh_token": _REFRESH_TOKEN,
    "default_organization": Null(
        Shape({"organization_id!": _TEXT, "flows!": Many(Choice("client_credentials"))})
    ),
    "compliance_level": Null(
        Choice("none fapi1_adv_pkj_par fapi1_adv_mtls_par fapi2_sp_pkj_mtls fapi2_sp_mtls_mtls")
    ),
    "par_request_expiry": Null(Whole(10, 600)),
    "third_party_security_mode": Choice("strict permissive"),
    "redirection_policy": Choice("allow_always open_redirect_protection"),
}
_NAME: Final = Text(pattern=r"[^<>]+")
_AUTH_METHOD: Final = Choice("none client_secret_post client_secret_basic")
_USAGE: Final = Choice("deny allow require")
_REQUIRE: Final = Choice("no_prompt pre_login_prompt post_login_prompt")
_DISCOVERY: Final = Many(Choice("email organization_name"), least=1)
_EXCHANGE: Final = Shape(
    {"allow_any_profile_of_type": Many(Choice("custom_authentication on_behalf_of_token_exchange"))}
)
_CHANNELS: Final = Many(Choice("guardian-push email"), least=1)

CREATE_CLIENT: Final = Shape(
    {
        **_COMMON,
        "name!": _NAME,
        "token_endpoint_auth_method": _AUTH_METHOD,
        "cross_origin_loc": Text(form="uri"),
        **dict.fromkeys(("custom_login_page", "custom_login_page_preview", "form_template"), Text(1)),
        "native_social_login": _social(null=False),
        "fedcm_login": _fedcm(null=False),
        "organization_usage": _USAGE,
        "organization_require_behavior": _REQUIRE,
        "organization_discovery_methods": _DISCOVERY,
        "client_authentication_methods": _methods(Many(_PUBLIC_KEY), Many(_SUBJECT_DN), Many(_CERTIFICATE)),
        "signed_request_object": Shape({"required": _FLAG, "credentials": Many(_PUBLIC_KEY)}),
        "token_vault_privileged_access": _vault(Many(_PUBLIC_KEY)),
        "skip_non_verifiable_callback_uri_confirmation_prompt": _FLAG,
        "token_exchange": _EXCHANGE,
        "token_quota": _QUOTA,
        "resource_server_identifier": Text(1, 600),
        "express_configuration": _EXPRESS,
        "my_organization_configuration": _MY_ORGANIZATION,
        "async_approval_notification_channels": _CHANNELS,
    }
)
UPDATE_CLIENT: Final = Shape(
    {
        **_COMMON,
        "name": _NAME,
        "client_secret": Text(1),
        "token_endpoint_auth_method": Null(_AUTH_METHOD),
        "cross_origin_loc": Null(Text(form="uri")),
        **dict.fromkeys(("custom_login_page", "custom_login_page_preview", "form_template"), _TEXT),
        "native_social_login": _social(null=True),
        "fedcm_login": _fedcm(null=True),
        "organization_usage": Null(_USAGE),
        "organization_require_behavior": Null(_REQUIRE),
        "organization_discovery_methods": Null(_DISCOVERY),
        "client_authentication_methods": Null(_methods(_IDS, _IDS, _IDS)),
        "signed_request_object": Shape({"required": _FLAG, "credentials": _IDS}),
        "token_vault_privileged_access": _vault(_IDS),
        "skip_non_verifiable_callback_uri_confirmation_prompt": Null(_FLAG),
        "token_exchange": Null(_EXCHANGE),
        "token_quota": Null(_QUOTA),
        "express_configuration": Null(_EXPRESS),
        "my_organization_configuration": Null(_MY_ORGANIZATION),
        "async_approval_notification_channels": Null(_CHANNELS),
    },
    least=1,
)
CREATE_CREDENTIAL: Final = Shape(
    {
        "credential_type!": Choice("public_key cert_subject_dn x509_cert"),
        "name": Text(most=128),
        "subject_dn": Text(1, 256),
        "pem": _TEXT,
        "alg": Choice("RS256 RS384 PS256"),
        "parse_expiry_from_cert": _FLAG,
        "expires_at": Text(form="date-time"),
        "kid": Text(10, 64, pattern=r"[0-9a-zA-Z\-_]{10,64}"),
    }
)
UPDATE_CREDENTIAL: Final = Shape({"expires_at": Null(Text(form="date-time"))}, least=1)
EXTERNAL_CLIENT: Final = Shape({"external_client_id!": Text(1, 120, form="https-uri-or-empty")})
