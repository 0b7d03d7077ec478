"""Models beside the logistic one that share its passes over the rows."""
