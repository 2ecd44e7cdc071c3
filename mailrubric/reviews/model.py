"""Which file of weights this version was released with. Written by ``bench/sentiment/train.py``."""

from typing import Final

VERSION: Final = "1"
SHA256: Final = "bb788f594357d25ffb4f2ade446955707c8de703f70271d0c1a3bbc45ae4e90a"
