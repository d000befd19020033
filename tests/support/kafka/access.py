"""What a user may do: ACLs that are made, and removed at the end of a ``with`` block."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def allowed_all(bootstrap: str, user: str) -> Iterator[None]:
    """The user may do everything with every topic and group."""
    kinds = (ResourceType.TOPIC, ResourceType.GROUP)
    with _acls(bootstrap, [_acl(kind, "*", user, "ALL", "ALLOW") for kind in kinds]):
        yield


@contextmanager
def denied(bootstrap: str, user: str, operation: str, topic: str) -> Iterator[None]:
    """The user may not do this with a topic, whatever else is allowed."""
    with _acls(bootstrap, [_acl(ResourceType.TOPIC, topic, user, operation, "DENY")]):
        yield


def _acl(kind: ResourceType, name: str, user: str, operation: str, permission: str) -> AclBinding:
    return AclBinding(
        kind,
        name,
        ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        AclOperation[operation],
        AclPermissionType[permission],
    )


@contextmanager
def _acls(bootstrap: str, bindings: list[AclBinding]) -> Iterator[None]:
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
    for made in admin.create_acls(bindings).values():
        made.result()
    try:
        yield
    finally:
        filters = [
            AclBindingFilter(
                b.restype,
                b.name,
                b.resource_pattern_type,
                b.principal,
                b.host,
                b.operation,
                b.permission_type,
            )
            for b in bindings
        ]
        for gone in admin.delete_acls(filters).values():
            gone.result()
