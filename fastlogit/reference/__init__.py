"""Logistic regression in plain NumPy, written from the formulas: the oracle of every test.

It imports nothing of this package, computes in float64 and checks nothing. y and the coefficients
mean what they mean elsewhere: y in {0, 1}; `coef` of shape (n_features,) for two classes, or
(n_features, n_classes) for one-vs-all and softmax, with `intercept` a number or of shape
(n_classes,). Softmax takes the classes as `codes`, 0 to n_classes - 1.
"""

from .binary import (
    cost,
    cost_gradient,
    firth,
    firth_cost,
    hessian,
    newton,
    residual,
)
from .common import (
    raw_prediction,
)
from .descent import (
    gradient_descent,
    multinomial_gradient_descent,
    one_vs_all,
)
from .elastic_net import (
    elastic_net,
    elastic_net_cost,
    elastic_net_prox,
    elastic_net_slopes,
    group_lasso_penalty,
    group_lasso_slopes,
    multinomial_elastic_net,
    multinomial_elastic_net_cost,
    multinomial_elastic_net_slopes,
)
from .links import (
    link_cost,
    link_log_proba,
    link_newton,
    ordinal_cost,
)
from .multinomial import (
    multinomial_cost,
    multinomial_cost_gradient,
    multinomial_hessian,
    multinomial_hessian_product,
    multinomial_newton,
    multinomial_residual,
)
from .probabilities import (
    log1p_exp,
    log_sigmoid,
    log_softmax,
    logit,
    one_vs_all_log_proba,
    one_vs_all_proba,
    predict_proba,
    sigmoid,
    softmax,
)

__all__ = [
    "cost",
    "cost_gradient",
    "elastic_net",
    "elastic_net_cost",
    "elastic_net_prox",
    "elastic_net_slopes",
    "firth",
    "firth_cost",
    "gradient_descent",
    "group_lasso_penalty",
    "group_lasso_slopes",
    "hessian",
    "link_cost",
    "link_log_proba",
    "link_newton",
    "log1p_exp",
    "log_sigmoid",
    "log_softmax",
    "logit",
    "multinomial_cost",
    "multinomial_cost_gradient",
    "multinomial_elastic_net",
    "multinomial_elastic_net_cost",
    "multinomial_elastic_net_slopes",
    "multinomial_gradient_descent",
    "multinomial_hessian",
    "multinomial_hessian_product",
    "multinomial_newton",
    "multinomial_residual",
    "newton",
    "one_vs_all",
    "one_vs_all_log_proba",
    "one_vs_all_proba",
    "ordinal_cost",
    "predict_proba",
    "raw_prediction",
    "residual",
    "sigmoid",
    "softmax",
]
