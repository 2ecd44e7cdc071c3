"""YAML in: criteria, vendors, weight presets and settings, read with every fault named and placed."""
