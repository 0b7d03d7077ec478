"""Mean loss over a Design plus penalty, and its units: what solvers and certificates see."""
