"""Which file of weights this version was released with. Written by ``bench/sentiment/train.py``."""

from typing import Final

VERSION: Final = "2"
SHA256: Final = "ed4e8c5cc24caffa76b123207ff8d7ebcd552efd0878955ef92b06fd24927298"
