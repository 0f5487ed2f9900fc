#!/usr/bin/env python3
"""Writes the handwritten digits that come with scikit-learn as a CSV file, for train_digits.cpp.

digits_csv.py digits.csv    64 grey values from 0 to 16 and the digit in each row
"""

import sys

from sklearn.datasets import load_digits

if len(sys.argv) != 2:
    sys.exit(__doc__)
with open(sys.argv[1], "w") as file:
    for image, label in zip(*load_digits(return_X_y=True)):
        print(*image.astype(int), label, sep=",", file=file)
