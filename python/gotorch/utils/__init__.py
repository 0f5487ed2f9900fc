"""What training scripts use besides tensors and layers."""

from gotorch.utils import data
