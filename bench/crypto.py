"""The 国密 module against its peers, interleaved in one run; exit 1 if a bar is missed.

    python bench/crypto.py [--rounds N] [--accelerator libyunwangsm.so] [--only NAME]

The lines stand in ``crypto_lines.py``. This file is named like the package it measures, and Python looks into the folder
of a script first: so the folder goes last here, and another script of it that imports ``crypto`` gets the package.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

HERE = str(Path(__file__).parent)
sys.path[:] = [str(Path(HERE).parent), *(one for one in sys.path if one != HERE), HERE]

if __name__ == "__main__":
    raise SystemExit(importlib.import_module("crypto_lines").main())

del sys.modules[__name__]
importlib.import_module(__name__)
