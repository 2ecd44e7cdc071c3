"""JSON Schemas of the YAML files, generated from the models, so that editors complete and check while typing.

``python -m mailrubric.catalogue.schema`` writes them into ``docs/schema/``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from mailrubric.catalogue.models import CriteriaFile, Judgement, Model, Preset, Settings, Vendor

SCHEMAS: dict[str, tuple[type[Model], str, str]] = {
    "criteria": (CriteriaFile, "Mailrubric criteria file", "A group of criteria: a file in criteria/."),
    "vendor": (Vendor, "Mailrubric vendor profile", "An email platform: a file in vendors/."),
    "preset": (Preset, "Mailrubric weight preset", "The weights of one kind of buyer: a file in criteria/presets/."),
    "weights": (Judgement, "Mailrubric weights", "One person's weights: a file in evaluations/, or for --weights."),
    "settings": (Settings, "Mailrubric workspace settings", "The file mailrubric.yaml of a workspace."),
}
"""Name → model, title and description."""


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one kind of file: a key of ``SCHEMAS``."""
    model, title, description = SCHEMAS[name]
    generated = model.model_json_schema(by_alias=True)
    _tidy(generated)
    generated.update(title=title, description=description)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **generated}


def _tidy(part: Any) -> None:
    """Say what the loader says too, and nothing that only clutters an editor's pop-up."""
    if isinstance(part, list):
        for item in part:
            _tidy(item)
    if not isinstance(part, dict):
        return
    if "patternProperties" in part:
        part["additionalProperties"] = False  # other keys are errors, not merely undescribed
    properties = part.get("properties")
    if isinstance(properties, dict):
        for key, inner in properties.items():
            if isinstance(inner, dict) and isinstance(inner.get("title"), str):
                del inner["title"]  # pydantic's "As Of" for as_of helps nobody
            _tidy_optional(inner)
            _tidy(properties[key])
    if isinstance(part.get("description"), str):
        part["description"] = " ".join(part["description"].replace("``", "").split())
    for key, inner in part.items():
        if key != "properties":
            _tidy(inner)


def _tidy_optional(part: dict[str, Any]) -> None:
    """Optional means that the key may be left out; that an empty value is let through too need not be offered."""
    options = part.get("anyOf")
    if isinstance(options, list) and {"type": "null"} in options:
        options.remove({"type": "null"})
        if part.get("default", "") is None:
            del part["default"]
        if len(options) == 1:
            part.update(options[0])
            del part["anyOf"]


def text(name: str) -> str:
    """The schema as it is written to a file."""
    return json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n"


def write(folder: Path) -> list[Path]:
    """Write all schemas into ``folder``; the paths of those that changed."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = []
    for name in SCHEMAS:
        path = folder / f"{name}.schema.json"
        content = text(name)
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            path.write_text(content, encoding="utf-8")
            changed.append(path)
    return changed


def main() -> None:
    """Bring ``docs/schema/`` of this checkout up to date."""
    folder = Path(__file__).resolve().parents[2] / "docs" / "schema"
    for path in write(folder):
        sys.stdout.write(f"{path.name}\n")


if __name__ == "__main__":
    main()
