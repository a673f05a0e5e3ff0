"""The applications a tenant begins with: varied, and the same for the same seed."""

from __future__ import annotations

import base64
import hashlib
import random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evertoken_tenant.call import Json, Row

TENANT_NAME: Final = "tenant"

_PRODUCTS: Final = (
    "Billing",
    "Checkout",
    "Claims",
    "Dispatch",
    "Expenses",
    "Fleet",
    "Inventory",
    "Invoices",
    "Ledger",
    "Loyalty",
    "Newsroom",
    "Orders",
    "Payroll",
    "Pricing",
    "Reports",
    "Returns",
    "Roster",
    "Scheduling",
    "Search",
    "Support",
    "Ticketing",
    "Timesheets",
    "Travel",
    "Warehouse",
)
_STAGES: Final = ("", "", "", " (staging)", " (development)", " (pilot)")
_FLAVOURS: Final[Mapping[str, tuple[str, ...]]] = {
    "regular_web": ("Portal", "Back Office", "Dashboard", "Café"),
    "spa": ("Web", "Console", "Self-Service"),
    "native": ("iOS", "Android", "Desktop"),
    "non_interactive": ("Sync", "Worker", "Importer", "API Client"),
}
_GRANTS: Final[Mapping[str, tuple[str, ...]]] = {
    "regular_web": ("authorization_code", "implicit", "refresh_token", "client_credentials"),
    "spa": ("authorization_code", "implicit", "refresh_token"),
    "native": ("authorization_code", "implicit", "refresh_token"),
    "non_interactive": ("client_credentials",),
}
_URL_SAFE: Final = bytes.maketrans(b"-_", b"aZ")


def seeded_id(seed: int, index: int) -> str:
    """Return the client id of a seeded application: 32 letters and digits."""
    digest = hashlib.blake2b(f"client/{seed}/{index}".encode(), digest_size=24).digest()
    return base64.urlsafe_b64encode(digest).translate(_URL_SAFE).decode()


def grant_types(app_type: str | None) -> list[Json]:
    """Return the grant types that an application of this type gets."""
    return list(_GRANTS.get(app_type or "", _GRANTS["regular_web"]))


def auth_method(app_type: str | None) -> str:
    """Return how an application of this type authenticates at the token endpoint."""
    return "none" if app_type in ("spa", "native") else "client_secret_post"


def default_row(client_id: str, name: str, app_type: str | None, secret: str) -> Row:
    """Return the fields that every application has, with the values a new one gets."""
    return {
        "tenant": TENANT_NAME,
        "global": False,
        "is_token_endpoint_ip_header_trusted": False,
        "name": name,
        "description": "",
        "is_first_party": True,
        "oidc_conformant": True,
        "sso": False,
        "sso_disabled": False,
        "cross_origin_authentication": False,
        "custom_login_page_on": True,
        "require_pushed_authorization_requests": False,
        "require_proof_of_possession": False,
        "callbacks": [],
        "allowed_origins": [],
        "web_origins": [],
        "allowed_logout_urls": [],
        "allowed_clients": [],
        "client_aliases": [],
        "client_metadata": {},
        "addons": {},
        "signing_keys": [
            {
                "cert": f"-----BEGIN CERTIFICATE-----\n{client_id}\n-----END CERTIFICATE-----",
                "pkcs7": f"-----BEGIN PKCS7-----\n{client_id}\n-----END PKCS7-----",
                "subject": f"/CN={TENANT_NAME}.localhost",
            }
        ],
        "jwt_configuration": {
            "alg": "RS256",
            "lifetime_in_seconds": 36000,
            "secret_encoded": False,
            "scopes": {},
        },
        "native_social_login": {
            "apple": {"enabled": False},
            "facebook": {"enabled": False},
            "google": {"enabled": False},
        },
        "refresh_token": {
            "expiration_type": "non-expiring",
            "rotation_type": "non-rotating",
            "leeway": 0,
            "token_lifetime": 2592000,
            "idle_token_lifetime": 1296000,
            "infinite_token_lifetime": True,
            "infinite_idle_token_lifetime": True,
        },
        "organization_usage": "deny",
        "organization_require_behavior": "no_prompt",
        "token_endpoint_auth_method": auth_method(app_type),
        "grant_types": grant_types(app_type),
        "client_id": client_id,
        "client_secret": secret,
        **({} if app_type is None else {"app_type": app_type}),
    }


def seeded_row(seed: int, index: int) -> Row:
    """Return one seeded application, with about 60 fields."""
    # Not for secrets: the same seed gives the same tenant. Its own credentials are made elsewhere.
    draw = random.Random(f"{seed}/{index}")  # noqa: S311  # repeatable on purpose
    app_type = draw.choice(tuple(_FLAVOURS))
    product = draw.choice(_PRODUCTS)
    name = f"{product} {draw.choice(_FLAVOURS[app_type])}{draw.choice(_STAGES)}"
    host = f"{product.lower()}-{index}.example.com"
    row = default_row(seeded_id(seed, index), name, app_type, draw.randbytes(48).hex()[:64])
    row.update(_addresses(host, app_type))
    row.update(_policies(draw, host, index))
    return row


def _addresses(host: str, app_type: str) -> Row:
    callbacks: list[Json] = [f"https://{host}/callback", f"https://*.{host}/callback"]
    if app_type == "native":
        callbacks.append(f"com.example.app://{host}/callback")
    return {
        "logo_uri": f"https://{host}/logo.png",
        "callbacks": callbacks,
        "allowed_origins": [f"https://{host}"],
        "web_origins": [f"https://{host}"],
        "allowed_logout_urls": [f"https://{host}/signed-out"],
        "initiate_login_uri": f"https://{host}/login",
        "cross_origin_loc": f"https://{host}/verify",
        "oidc_logout": {
            "backchannel_logout_urls": [f"https://{host}/backchannel"],
            "backchannel_logout_initiators": {"mode": "custom", "selected_initiators": ["rp-logout"]},
            "backchannel_logout_session_metadata": {"include": False},
        },
        "mobile": {
            "android": {
                "app_package_name": "com.example.app",
                "sha256_cert_fingerprints": ["D8:A0:83:2F"],
            },
            "ios": {"team_id": "9JA89QQLNQ", "app_bundle_identifier": "com.example.app"},
        },
    }


def _policies(draw: random.Random, host: str, index: int) -> Row:
    third_party = draw.random() < 0.1
    return {
        "description": draw.choice(
            ("", f"Serves {host}", "Owned by the platform team", "Größe: mittel — 東京")
        ),
        "is_first_party": not third_party,
        "third_party_security_mode": "strict" if third_party else "permissive",
        "redirection_policy": "open_redirect_protection" if third_party else "allow_always",
        "sso_disabled": draw.random() < 0.2,
        "oidc_conformant": draw.random() < 0.9,
        "custom_login_page": "",
        "custom_login_page_preview": "",
        "form_template": "",
        "client_metadata": {
            "team": draw.choice(("payments", "identity", "logistics", "growth")),
            "cost_center": str(draw.randint(1000, 9999)),
            "index": str(index),
        },
        "addons": {"samlp": {"audience": f"urn:{host}"}} if draw.random() < 0.5 else {},
        "encryption_key": None,
        "organization_usage": draw.choice(("deny", "allow", "require")),
        "organization_discovery_methods": ["email"],
        "default_organization": None,
        "compliance_level": draw.choice((None, "none", "fapi1_adv_pkj_par")),
        "par_request_expiry": draw.choice((None, 30, 600)),
        "skip_non_verifiable_callback_uri_confirmation_prompt": draw.random() < 0.5,
        "session_transfer": {
            "can_create_session_transfer_token": False,
            "enforce_cascade_revocation": True,
            "allowed_authentication_methods": ["cookie", "query"],
            "enforce_device_binding": "ip",
            "allow_refresh_token": False,
            "enforce_online_refresh_tokens": True,
        },
        "token_exchange": {"allow_any_profile_of_type": []},
        "token_quota": {
            "client_credentials": {"enforce": True, "per_day": draw.randint(100, 9000), "per_hour": 100}
        },
        "signed_request_object": {"required": False, "credentials": []},
        "async_approval_notification_channels": ["guardian-push"],
        "fedcm_login": {"google": {"is_enabled": False}},
    }
