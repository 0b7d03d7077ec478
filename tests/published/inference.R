# Writes inference.json beside it: Rscript tests/published/inference.R > tests/published/inference.json
# Data and results of R's own packages: datasets::Titanic, MASS::birthwt, glm, nnet::multinom.
library(MASS)
library(nnet)
number <- function(x) paste0("[", paste(sprintf("%.15g", as.numeric(x)), collapse = ", "), "]")
text <- function(x) paste0("[", paste0('"', as.character(x), '"', collapse = ", "), "]")
exact <- glm.control(epsilon = 1e-14, maxit = 100)

titanic <- as.data.frame(Titanic)
ship <- glm(Survived ~ Class + Sex + Age, binomial, titanic, weights = Freq, control = exact)
# glm's errors are one step behind its coefficients: it goes on from them.
ship <- glm(Survived ~ Class + Sex + Age, binomial, titanic, weights = Freq, control = exact,
            start = coef(ship))

birth <- birthwt
birth$race <- factor(birth$race, labels = c("white", "black", "other"))
weight <- glm(low ~ age + lwt + race + smoke, binomial, birth, control = exact)
weight <- glm(low ~ age + lwt + race + smoke, binomial, birth, control = exact,
              start = coef(weight))
small <- glm(low ~ age + lwt + smoke, binomial, birth, control = exact)
lrt <- anova(small, weight, test = "LRT")
rao <- anova(small, weight, test = "Rao")

# Of the infants' mothers: first-trimester visits (0, 1, more) by age and weight.
birth$visits <- factor(pmin(birth$ftv, 2))
visits <- multinom(visits ~ age + lwt + smoke, birth, trace = FALSE, reltol = 1e-16, abstol = 0,
                   maxit = 10000, Hess = TRUE)

cat("{\n")
cat('"versions": ', text(c(R.version.string, paste("MASS", packageVersion("MASS")),
                           paste("nnet", packageVersion("nnet")))), ",\n", sep = "")
for (name in c("Class", "Sex", "Age", "Survived")) {
  cat('"titanic_', name, '": ', text(titanic[[name]]), ",\n", sep = "")
}
cat('"titanic_Freq": ', number(titanic$Freq), ",\n", sep = "")
cat('"titanic_names": ', text(names(coef(ship))), ",\n", sep = "")
cat('"titanic_coef": ', number(coef(ship)), ",\n", sep = "")
cat('"titanic_errors": ', number(sqrt(diag(vcov(ship)))), ",\n", sep = "")
cat('"titanic_loglik": ', number(logLik(ship)), ",\n", sep = "")
for (name in c("low", "age", "lwt", "smoke", "ftv")) {
  cat('"birth_', name, '": ', number(birth[[name]]), ",\n", sep = "")
}
cat('"birth_race": ', text(birth$race), ",\n", sep = "")
cat('"birth_coef": ', number(coef(weight)), ",\n", sep = "")
cat('"birth_errors": ', number(sqrt(diag(vcov(weight)))), ",\n", sep = "")
cat('"birth_loglik_aic_bic": ', number(c(logLik(weight), AIC(weight), BIC(weight))), ",\n", sep = "")
cat('"birth_race_lrt": ', number(c(lrt$Deviance[2], lrt[["Pr(>Chi)"]][2])), ",\n", sep = "")
cat('"birth_race_rao": ', number(c(rao$Rao[2], rao[["Pr(>Chi)"]][2])), ",\n", sep = "")
cat('"visits_coef": ', number(t(coef(visits))), ",\n", sep = "")
cat('"visits_errors": ', number(sqrt(diag(vcov(visits)))), ",\n", sep = "")
cat('"visits_loglik": ', number(logLik(visits)), "\n", sep = "")
cat("}\n")
