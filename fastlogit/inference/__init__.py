"""What a fitted model says about its data beyond the coefficients."""
