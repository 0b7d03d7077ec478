# Writes margins.json beside it: Rscript tests/published/margins.R > tests/published/margins.json
# Average effects by their formulas, from R's glm of MASS::birthwt and nnet's multinom.
library(MASS)
library(sandwich)
number <- function(x) paste0("[", paste(sprintf("%.15g", as.numeric(x)), collapse = ", "), "]")
text <- function(x) paste0("[", paste0('"', as.character(x), '"', collapse = ", "), "]")
exact <- glm.control(epsilon = 1e-14, maxit = 100)
birth <- birthwt
birth$race <- factor(birth$race, labels = c("white", "black", "other"))
form <- low ~ age + lwt + race + smoke
fit <- glm(form, binomial, birth, control = exact)
fit <- glm(form, binomial, birth, control = exact, start = coef(fit))
X <- model.matrix(fit)
b <- coef(fit)
p <- plogis(drop(X %*% b))
set <- function(...) {
  other <- birth
  for (name in names(list(...))) other[[name]][] <- list(...)[[name]]
  model.matrix(delete.response(terms(form)), other, contrasts.arg = fit$contrasts, xlev = fit$xlevels)
}
average <- function(Z) {
  q <- plogis(drop(Z %*% b))
  list(value = mean(q), slope = colMeans(q * (1 - q) * Z))
}
errors <- function(J, V) sqrt(diag(J %*% V %*% t(J)))
slope <- function(name) {
  J <- b[[name]] * colMeans(p * (1 - p) * (1 - 2 * p) * X)
  J[name] <- J[name] + mean(p * (1 - p))
  list(value = mean(p * (1 - p)) * b[[name]], slope = J)
}
less <- function(one, other) list(value = one$value - other$value, slope = one$slope - other$slope)
smoke <- lapply(0:1, function(s) average(set(smoke = s)))
race <- lapply(levels(birth$race), function(r) average(set(race = r)))
effects <- list(slope("age"), slope("lwt"), less(race[[2]], race[[1]]), less(race[[3]], race[[1]]),
                less(smoke[[2]], smoke[[1]]))
J <- t(sapply(effects, function(e) e$slope))
# The ratio and the odds ratio, on the scale of logarithms.
log_ratio <- smoke[[2]]$slope / smoke[[2]]$value - smoke[[1]]$slope / smoke[[1]]$value
variance <- function(e) e$value * (1 - e$value)
log_odds <- smoke[[2]]$slope / variance(smoke[[2]]) - smoke[[1]]$slope / variance(smoke[[1]])
ratio <- smoke[[2]]$value / smoke[[1]]$value
odds <- exp(qlogis(smoke[[2]]$value) - qlogis(smoke[[1]]$value))
link <- predict(fit, type = "link", se.fit = TRUE)

cat("{\n")
cat('"versions": ', text(c(R.version.string, paste("MASS", packageVersion("MASS")),
                           paste("sandwich", packageVersion("sandwich")))), ",\n", sep = "")
cat('"effects": ', number(sapply(effects, function(e) e$value)), ",\n", sep = "")
cat('"errors": ', number(errors(J, vcov(fit))), ",\n", sep = "")
cat('"errors_HC0": ', number(errors(J, sandwich(fit))), ",\n", sep = "")
cat('"risks": ', number(sapply(smoke, function(e) e$value)), ",\n", sep = "")
cat('"ratio": ', number(c(ratio, errors(t(log_ratio), vcov(fit)))), ",\n", sep = "")
cat('"odds_ratio": ', number(c(odds, errors(t(log_odds), vcov(fit)))), ",\n", sep = "")
cat('"link": ', number(link$fit[1:5]), ",\n", sep = "")
cat('"link_errors": ', number(link$se.fit[1:5]), "\n", sep = "")
cat("}\n")
