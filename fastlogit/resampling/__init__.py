"""What repeated fits say of one: bootstrap and permutation tests."""
