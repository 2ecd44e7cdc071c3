"""Which file of weights this version was released with. Written by ``bench/sentiment/train.py``."""

from typing import Final

VERSION: Final = "1"
SHA256: Final = "d991fc667bfe9551e0570c66004d7e45886d052ae82549cf1ec5fdad804ffbbd"
