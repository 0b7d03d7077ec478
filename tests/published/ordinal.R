# Writes ordinal.json beside it: Rscript tests/published/ordinal.R > tests/published/ordinal.json
# MASS::housing (Cox and Snell, 1984) by MASS::polr with three links; ordinal::clm for the
# proportional odds; Brant's test from its formula on glm's binary fits; sandwiches by package
# sandwich, of a row for each householder, whose clusters are the cells of the table.
suppressMessages({library(MASS); library(ordinal); library(sandwich)})
number <- function(x) paste0("[", paste(sprintf("%.15g", as.numeric(x)), collapse = ", "), "]")
text <- function(x) paste0("[", paste0('"', as.character(x), '"', collapse = ", "), "]")
cat("{\n")
cat('"versions": ', text(c(R.version.string, paste("MASS", packageVersion("MASS")),
                           paste("ordinal", packageVersion("ordinal")),
                           paste("sandwich", packageVersion("sandwich")))), ",\n", sep = "")
for (name in c("Sat", "Infl", "Type", "Cont")) {
  cat('"', name, '": ', text(housing[[name]]), ",\n", sep = "")
}
cat('"Freq": ', number(housing$Freq), ",\n", sep = "")
for (link in c("logit", "probit", "cloglog")) {
  fit <- clm(Sat ~ Infl + Type + Cont, weights = Freq, data = housing, link = link,
             control = clm.control(gradTol = 1e-13, maxIter = 500))
  # thresholds last, as polr has them
  cuts <- length(fit$alpha)
  places <- c((cuts + 1):length(coef(fit)), 1:cuts)
  cat('"', link, '_coef": ', number(coef(fit)[places]), ",\n", sep = "")
  cat('"', link, '_errors": ', number(sqrt(diag(vcov(fit)))[places]), ",\n", sep = "")
  cat('"', link, '_loglik": ', number(logLik(fit)), ",\n", sep = "")
  other <- polr(Sat ~ Infl + Type + Cont, weights = Freq, data = housing, Hess = TRUE,
                method = if (link == "logit") "logistic" else link,
                control = list(reltol = 1e-16, maxit = 1000))
  cat('"', link, '_polr": ', number(c(coef(other), other$zeta)), ",\n", sep = "")
}
people <- housing[rep(seq_len(nrow(housing)), housing$Freq), ]
people$cell <- interaction(people$Infl, people$Type, people$Cont)
for (link in c("logit", "probit", "cloglog")) {
  fit <- clm(Sat ~ Infl + Type + Cont, data = people, link = link,
             control = clm.control(gradTol = 1e-13, maxIter = 500))
  cuts <- length(fit$alpha)
  places <- c((cuts + 1):length(coef(fit)), 1:cuts)
  errors <- function(V) number(sqrt(diag(V))[places])
  n <- seq_len(nrow(people))
  of <- function(cluster, type, cadjust) {
    errors(vcovCL(fit, cluster = cluster, type = type, cadjust = cadjust))
  }
  cat('"', link, '_HC0": ', errors(sandwich(fit)), ",\n", sep = "")
  cat('"', link, '_HC1": ', of(n, "HC1", TRUE), ",\n", sep = "")
  cat('"', link, '_CR0": ', of(people$cell, "HC0", FALSE), ",\n", sep = "")
  cat('"', link, '_CR1": ', of(people$cell, "HC0", TRUE), ",\n", sep = "")
  cat('"', link, '_CR1S": ', of(people$cell, "HC1", TRUE), ",\n", sep = "")
}
fit <- clm(Sat ~ Infl + Type + Cont, weights = Freq, data = housing)
cat('"proba": ', number(predict(fit, data.frame(Infl = "Medium", Type = "Atrium",
                                                 Cont = "High"))$fit), ",\n", sep = "")
# Brant (1990), from the binary models of Sat above each level.
z <- as.integer(housing$Sat)
X <- model.matrix(~ Infl + Type + Cont, housing)
fits <- lapply(1:2, function(k) {
  start <- glm(z > k ~ Infl + Type + Cont, binomial, housing, weights = Freq)
  glm(z > k ~ Infl + Type + Cont, binomial, housing, weights = Freq, start = coef(start),
      control = glm.control(epsilon = 1e-14, maxit = 100))
})
p <- lapply(fits, function(f) as.vector(plogis(X %*% coef(f))))
gram <- function(w) t(X) %*% (X * (w * housing$Freq))
G1 <- solve(gram(p[[1]] * (1 - p[[1]])))
G2 <- solve(gram(p[[2]] * (1 - p[[2]])))
G12 <- G1 %*% gram(p[[2]] - p[[1]] * p[[2]]) %*% G2
V <- (G1 + G2 - G12 - t(G12))[-1, -1]
d <- (coef(fits[[2]]) - coef(fits[[1]]))[-1]
cat('"brant": ', number(t(d) %*% solve(V) %*% d), ",\n", sep = "")
cat('"brant_columns": ', number(d^2 / diag(V)), "\n}\n", sep = "")
