# Writes bias_reduction.json beside it:
#   Rscript tests/published/bias_reduction.R > tests/published/bias_reduction.json
# The endometrial cancer study of Heinze and Schemper (2002, Statistics in Medicine 21), in brglm2
# as `endometrial`, and R's infert with frequency weights and an offset, by brglm2's adjusted scores.
library(brglm2)
number <- function(x) paste0("[", paste(sprintf("%.15g", as.numeric(x)), collapse = ", "), "]")
data(endometrial)
cat("{\n")
cat('"versions": ["', R.version.string, '", "brglm2 ', as.character(packageVersion("brglm2")),
    '"],\n', sep = "")
for (name in c("NV", "PI", "EH", "HG")) {
  cat('"endometrial_', name, '": ', number(endometrial[[name]]), ",\n", sep = "")
}
values <- function(name, model) {
  cat('"', name, '_coef": ', number(coef(model)), ",\n", sep = "")
  cat('"', name, '_errors": ', number(sqrt(diag(vcov(model)))), ",\n", sep = "")
}
infert$repeats <- 1 + infert$stratum %% 3
infert$shift <- (infert$age - 30) / 20
for (name in c("case", "spontaneous", "induced", "parity", "repeats", "shift")) {
  cat('"infert_', name, '": ', number(infert[[name]]), ",\n", sep = "")
}
for (type in c("AS_mean", "AS_median")) {
  values(paste0("endometrial_", type), glm(HG ~ NV + PI + EH, binomial, endometrial,
         method = "brglmFit", type = type, epsilon = 1e-13, maxit = 10000))
  values(paste0("infert_", type), glm(case ~ spontaneous + induced + parity, binomial, infert,
         weights = repeats, offset = shift,
         method = "brglmFit", type = type, epsilon = 1e-13, maxit = 10000))
  values(paste0("plain_", type), glm(case ~ 0 + spontaneous + induced + parity, binomial, infert,
         method = "brglmFit", type = type, epsilon = 1e-13, maxit = 10000))
}
cat('"end": [0]\n}\n')
