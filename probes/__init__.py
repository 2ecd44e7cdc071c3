"""Probes: one module a protocol. They measure and never judge, and import nothing from the rest of Mailrubric."""

VERSION = "0.1.0"
"""Version of the probes: raised whenever what a metric means, or how it is measured, changes."""
