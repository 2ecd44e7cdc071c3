"""What the lab's vendors claim in their profiles: invented facts, labelled as such where they are written.

Every name is declared by a shipped criteria file; a test loads the generated workspace and would see a stranger.
"""

from __future__ import annotations

from collections.abc import Mapping

FactValue = bool | int | float | str | tuple[str, ...]
Claims = Mapping[str, FactValue]

GOOD: Claims = {}
ORDINARY: Claims = {}
POOR: Claims = {}
CONTRADICTION: Claims = {}
MAILBOX: Claims = {}
