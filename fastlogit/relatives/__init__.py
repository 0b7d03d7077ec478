"""Models beside the logistic regression, which share its inputs and its inference."""
