"""The base class of the generated models."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

import pydantic

if TYPE_CHECKING:
    from collections.abc import Iterator

# By name, so that a secret is covered too where the spec does not know the field yet. Layout and
# spelling differ in the API (privateKey, private_key): compared without case and underscores.
SECRET_FIELDS: Final = frozenset(
    {
        "accesstoken",
        "apikey",
        "clientassertion",
        "clientsecret",
        "encryptionkey",
        "idtoken",
        "masterkey",
        "password",
        "privatekey",
        "refreshtoken",
        "saskey",
        "secret",
        "servicepassword",
        "signingkeys",
        "storageaccesskey",
    }
)


def is_secret(name: str) -> bool:
    """Tell whether a field of this name holds something that is not to be shown."""
    return name.replace("_", "").lower() in SECRET_FIELDS


class Model(pydantic.BaseModel):
    """A JSON object that the API sent.

    Fields that the spec does not know are kept as attributes (`model_extra`). Values are never
    converted: a field of another type than the spec's keeps what came (see `evertoken.drift`). `repr`
    and `str` mask secrets.
    """

    model_config: ClassVar[pydantic.ConfigDict] = pydantic.ConfigDict(
        extra="allow",
        defer_build=True,
        protected_namespaces=(),
        populate_by_name=True,
        strict=True,
    )

    def __repr_args__(self) -> Iterator[tuple[str | None, object]]:
        for name, value in super().__repr_args__():
            # An object called refresh_token is a setting; keys stay hidden in whatever shape.
            hidden = name is not None and is_secret(name) and (not isinstance(value, Model) or "key" in name)
            if hidden and value is not None:
                yield name, "***"
            else:
                yield name, value
