"""What the addons of an application may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evertoken_tenant.schema import Flag, Many, Null, Or, Schema, Shape, Text, Whole

if TYPE_CHECKING:
    from collections.abc import Mapping

_TEXT: Final = Text()
_URI: Final = Text(form="uri")
_ANY: Final = Shape({}, open=True)


def _texts(names: str, **others: Schema) -> Shape:
    # A trailing `!` cannot be part of a keyword: it is written in `names`.
    return Shape({**dict.fromkeys(names.split(), _TEXT), **others}, open=True)


_SANDBOX: Final = "clientid principal communityName community_url_section"
_BLOB_RIGHTS: Final = (
    "blob_read blob_write blob_delete container_read container_write container_delete container_list"
)

_ADDONS: Final[Mapping[str, Schema]] = {
    "aws": _texts("principal role", lifetime_in_seconds=Whole(900, 43200)),
    "azure_blob": Shape(
        {
            "accountName": Text(pattern=r"([a-z0-9]){3,24}"),
            "storageAccessKey": Text(pattern=r"([A-Za-z0-9+/]){86}=="),
            "containerName": Text(pattern=r"([a-z0-9]){1}([a-z0-9-]){2,62}"),
            "blobName": Text(pattern=r"(.){1,1024}"),
            "expiration": Whole(0),
            "signedIdentifier": _TEXT,
            **dict.fromkeys(_BLOB_RIGHTS.split(), Flag()),
        },
        open=True,
    ),
    "azure_sb": _texts("namespace sasKeyName sasKey entityPath", expiration=Whole()),
    "rms": Shape({"url!": _URI}, open=True),
    "mscrm": Shape({"url!": _URI}, open=True),
    "slack": _texts("team!"),
    "sentry": _texts("org_slug base_url"),
    **dict.fromkeys(("box", "cloudbees", "concur", "dropbox", "wsfed"), _ANY),
    "echosign": _texts("domain"),
    "egnyte": _texts("domain"),
    "firebase": _texts("secret private_key_id private_key client_email", lifetime_in_seconds=Whole()),
    "newrelic": _texts("account"),
    "office365": _texts("domain connection"),
    "salesforce": Shape({"entity_id": _URI}, open=True),
    "salesforce_api": _texts(_SANDBOX),
    "salesforce_sandbox_api": _texts(_SANDBOX),
    "samlp": _texts(
        "audience recipient signatureAlgorithm digestAlgorithm issuer destination nameIdentifierFormat "
        "authnContextClassRef",
        mappings=_ANY,
        lifetimeInSeconds=Whole(),
        nameIdentifierProbes=Many(Text(1)),
        **dict.fromkeys(
            (
                "createUpnClaim",
                "mapUnknownClaimsAsIs",
                "passthroughClaimsWithNoMapping",
                "mapIdentities",
                "signResponse",
            ),
            Flag(),
        ),
    ),
    "layer": _texts("providerId! keyId! privateKey! principal", expiration=Whole(0)),
    "sap_api": _texts(
        "clientid usernameAttribute scope servicePassword nameIdentifierFormat", tokenEndpointUrl=_URI
    ),
    "sharepoint": _texts("url", external_url=Or(Many(_TEXT), _TEXT)),
    "springcm": _texts("acsurl"),
    "wams": _texts("masterkey"),
    "zendesk": _texts("accountName"),
    "zoom": _texts("account"),
    "sso_integration": _texts("name version"),
    "oag": Null(Shape({})),
}
ADDONS: Final = Shape(_ADDONS)
