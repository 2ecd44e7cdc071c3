"""Mailrubric: choose an email platform on evidence."""

__version__ = "0.1.0"
