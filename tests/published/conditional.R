# Writes conditional.json beside it:
# Rscript tests/published/conditional.R > tests/published/conditional.json
# R's own data: datasets::infert (Trichopoulos et al., 1976), by survival::clogit; matched sets of 1:2,
# and the same women in 63 pooled strata of n:m (`pooled.stratum`), and by education alone.
library(survival)
number <- function(x) paste0("[", paste(sprintf("%.17g", as.numeric(x)), collapse = ", "), "]")
text <- function(x) paste0("[", paste0('"', as.character(x), '"', collapse = ", "), "]")
exact <- coxph.control(eps = 1e-14, iter.max = 100, toler.chol = 1e-14)
entry <- function(name, m) {
  s <- summary(m)
  cat('"', name, '_coef": ', number(coef(m)), ",\n", sep = "")
  cat('"', name, '_covariance": ', number(vcov(m)), ",\n", sep = "")
  cat('"', name, '_loglik": ', number(m$loglik), ",\n", sep = "")
  cat('"', name, '_tests": ', number(c(s$logtest[1], s$waldtest[1], s$sctest[1])), ",\n", sep = "")
  cat('"', name, '_aic_bic": ', number(c(AIC(m), BIC(m))), ",\n", sep = "")
}
sets <- clogit(case ~ spontaneous + induced + strata(stratum), infert, control = exact)
pooled <- clogit(case ~ spontaneous + induced + strata(pooled.stratum), infert, control = exact)
schools <- clogit(case ~ spontaneous + induced + age + parity + strata(education), infert,
                  control = exact)
robust <- clogit(case ~ spontaneous + induced + strata(stratum) + cluster(stratum), infert,
                 method = "efron", control = exact)
cat("{\n")
cat('"versions": ', text(c(R.version.string, paste("survival", packageVersion("survival")))), ",\n",
    sep = "")
for (name in c("case", "spontaneous", "induced", "age", "parity", "stratum", "pooled.stratum")) {
  cat('"', name, '": ', number(infert[[name]]), ",\n", sep = "")
}
cat('"education": ', text(infert$education), ",\n", sep = "")
entry("sets", sets)
entry("pooled", pooled)
entry("schools", schools)
cat('"robust_covariance": ', number(vcov(robust)), "\n", sep = "")
cat("}\n")
