"""The loaded catalogue: criteria, facts, metrics, vendors and presets in one immutable record."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from mailrubric.catalogue.messages import Problem
from mailrubric.catalogue.models import (
    CriteriaFile,
    Criterion,
    DomainEndpoint,
    FactDeclaration,
    Group,
    MailEndpoint,
    Preset,
    Vendor,
    WebEndpoint,
)
from probes.model import ROLES, Endpoint, Metric, Role


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """All that is known before any evidence is looked at.

    ``groups``: in the order of their files' names. ``criteria``: group by group, in file order. ``group_of``:
    criterion id → group id. ``facts``: fact name → declaration. ``metrics``: metric key → metric of a probe.
    ``vendors``: id → profile, sorted by id. ``presets``: id → preset. ``paths``: what was read where
    (``vendor:postmark``, ``criterion:tls-versions``, ``group:tls``, ``fact:dedicated_ip``, ``preset:marketing``).
    ``warnings``: what is allowed but looks like a mistake.
    """

    groups: tuple[Group, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    group_of: dict[str, str] = dataclasses.field(default_factory=dict)
    facts: dict[str, FactDeclaration] = dataclasses.field(default_factory=dict)
    metrics: dict[str, Metric] = dataclasses.field(default_factory=dict)
    vendors: dict[str, Vendor] = dataclasses.field(default_factory=dict)
    presets: dict[str, Preset] = dataclasses.field(default_factory=dict)
    paths: dict[str, Path] = dataclasses.field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()

    def group(self, identifier: str) -> Group:
        """The group with this id; KeyError when there is none."""
        for group in self.groups:
            if group.id == identifier:
                return group
        raise KeyError(identifier)

    def criterion(self, identifier: str) -> Criterion:
        """The criterion with this id; KeyError when there is none."""
        for criterion in self.criteria:
            if criterion.id == identifier:
                return criterion
        raise KeyError(identifier)

    def criteria_in(self, group: str) -> tuple[Criterion, ...]:
        """The criteria of one group, in file order; empty for an unknown group."""
        return tuple(criterion for criterion in self.criteria if self.group_of[criterion.id] == group)

    def endpoints(self, vendor: Vendor | str) -> list[Endpoint]:
        """Everything of this vendor that can be probed, in the order of the roles and of the profile.

        KeyError for the id of an unknown vendor.
        """
        profile = self.vendors[vendor] if isinstance(vendor, str) else vendor
        return endpoints(profile)

    def extended(self, file: CriteriaFile, path: Path | None = None) -> Catalogue:
        """This catalogue with one criteria file laid over it, as a later folder would be: a preview before saving."""
        return overlay(self, file, path)


def endpoints(vendor: Vendor) -> list[Endpoint]:
    """A profile's endpoints in the words of the probes."""
    found: list[Endpoint] = []
    declared = vendor.endpoints
    mail: tuple[tuple[Role, tuple[MailEndpoint, ...]], ...] = (
        ("submission", declared.submission),
        ("imap", declared.imap),
        ("pop3", declared.pop3),
        ("sieve", declared.sieve),
    )
    for role, mail_entries in mail:
        found.extend(
            Endpoint(role=role, host=entry.host, port=entry.port, tls=entry.tls, label=entry.label)
            for entry in mail_entries
        )
    found.extend(
        Endpoint(role="mx", host=entry.host or "", domain=entry.domain or "", port=entry.port, label=entry.label)
        for entry in declared.mx
    )
    names: tuple[tuple[Role, tuple[DomainEndpoint, ...]], ...] = (
        ("domain", declared.domain),
        ("sending", declared.sending),
    )
    for role, name_entries in names:
        found.extend(
            Endpoint(role=role, domain=entry.domain, selectors=entry.selectors, label=entry.label)
            for entry in name_entries
        )
    web: tuple[tuple[Role, tuple[WebEndpoint, ...]], ...] = (
        ("api", declared.api),
        ("status", declared.status),
        ("web", declared.web),
    )
    for role, web_entries in web:
        found.extend(Endpoint(role=role, url=entry.url, kind=entry.kind, label=entry.label) for entry in web_entries)
    found.sort(key=lambda endpoint: ROLES.index(endpoint.role))  # stable: the profile's order within a role
    return found


def overlay(base: Catalogue, file: CriteriaFile, path: Path | None = None) -> Catalogue:
    """``base`` with the group, facts and criteria of ``file`` added, or put in the place of those with the same id."""
    groups = list(base.groups)
    place = next((index for index, group in enumerate(groups) if group.id == file.group.id), None)
    if place is None:
        groups.append(file.group)
    else:
        groups[place] = file.group
    incoming = {criterion.id: criterion for criterion in file.criteria}
    in_group: dict[str, list[Criterion]] = {group.id: [] for group in groups}
    for criterion in base.criteria:
        group_id = base.group_of[criterion.id]
        replacement = incoming.get(criterion.id)
        if replacement is None:
            in_group[group_id].append(criterion)
        elif group_id == file.group.id:
            in_group[group_id].append(replacement)
            del incoming[criterion.id]
    in_group[file.group.id].extend(incoming.values())
    paths = dict(base.paths)
    if path is not None:
        paths[f"group:{file.group.id}"] = path
        paths.update({f"criterion:{criterion.id}": path for criterion in file.criteria})
        paths.update({f"fact:{name}": path for name in file.facts})
    return dataclasses.replace(
        base,
        groups=tuple(groups),
        criteria=tuple(criterion for group in groups for criterion in in_group[group.id]),
        group_of={criterion.id: group.id for group in groups for criterion in in_group[group.id]},
        facts={**base.facts, **file.facts},
        paths=paths,
    )
