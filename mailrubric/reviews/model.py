"""Which file of weights this version was released with. Written by ``bench/sentiment/train.py``."""

from typing import Final

VERSION: Final = "1"
SHA256: Final = "83b10f0094d0e374c2e75e16d86e057a2c2e434cb3390bd11cdb0c03f0c9da8f"
