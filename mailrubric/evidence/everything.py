"""Everything that is known of a workspace's vendors besides their profiles: the store's evidence and the trials' files.

The one place that scoring, explaining, freezing, exporting and the dashboard read observations from.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mailrubric.evidence.observation import Observation
from mailrubric.trials import folder

if TYPE_CHECKING:
    from mailrubric.evidence.store import Store
    from mailrubric.workspace import Workspace


def observations(
    workspace: Workspace,
    store: Store | None,
    vendors: Iterable[str] | None = None,
    as_of: datetime | None = None,
) -> list[Observation]:
    """What the store holds (nothing without one), then what the files in ``trials/`` say.

    ``vendors``: only of these (default: all). ``as_of``: what was known then (default: now). Raises ``CatalogueError``
    when a file in ``trials/`` is at fault and ``StoreError``.
    """
    names = None if vendors is None else set(vendors)
    found = store.observations(names, as_of=as_of) if store is not None else []
    now = as_of if as_of is not None else datetime.now(UTC).replace(microsecond=0)
    trials = folder.of_workspace(workspace.directory, workspace.catalogue(), now)
    return [*found, *(each for each in folder.observations(trials, now) if names is None or each.vendor in names)]
