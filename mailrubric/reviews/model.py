"""Which file of weights this version was released with. Written by ``bench/sentiment/train.py``."""

from typing import Final

VERSION: Final = "2"
SHA256: Final = "66d3f5dd94630c2d228cb8b7d43799388e0fa8459d41b824927c6c5508d8c029"
