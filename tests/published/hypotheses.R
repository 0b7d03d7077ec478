# Writes hypotheses.json beside it: Rscript tests/published/hypotheses.R > tests/published/hypotheses.json
# Tests of lmtest with covariances of sandwich, of data that inference.json and diagnostics.json hold.
suppressMessages({
  library(MASS)
  library(lmtest)
  library(sandwich)
})
number <- function(x) paste0("[", paste(sprintf("%.15g", as.numeric(x)), collapse = ", "), "]")
text <- function(x) paste0("[", paste0('"', as.character(x), '"', collapse = ", "), "]")
exact <- glm.control(epsilon = 1e-14, maxit = 100)
put <- function(name, x) cat('"', name, '": ', number(x), ",\n", sep = "")

# glm's weights are one step behind its coefficients: it goes on from them.
sharp <- function(formula, data) {
  model <- glm(formula, binomial, data, control = exact)
  environment(formula) <- environment()
  glm(formula, binomial, data, control = exact, start = coef(model))
}

cat("{\n")
cat('"versions": ', text(c(R.version.string, paste("MASS", packageVersion("MASS")),
                           paste("lmtest", packageVersion("lmtest")),
                           paste("sandwich", packageVersion("sandwich")))), ",\n", sep = "")
birth <- birthwt
birth$race <- factor(birth$race, labels = c("white", "black", "other"))
large <- sharp(low ~ age + lwt + race + smoke, birth)
small <- sharp(low ~ age + lwt + smoke, birth)
# Estimates, errors, z and p, a coefficient a line.
put("birth_coeftest", t(coeftest(large)))
put("birth_coeftest_HC3", t(coeftest(large, vcov. = vcovHC(large, "HC3"))))
put("birth_coefci_HC3", t(coefci(large, vcov. = vcovHC(large, "HC3"), df = Inf)))
ratio <- lrtest(small, large)
put("birth_lrtest", c(ratio$Chisq[2], ratio$Df[2], ratio[["Pr(>Chisq)"]][2]))
wald <- function(...) {
  found <- waldtest(small, large, test = "Chisq", ...)
  c(found$Chisq[2], found$Df[2], found[["Pr(>Chisq)"]][2])
}
put("birth_waldtest", wald())
put("birth_waldtest_HC1", wald(vcov = vcovHC(large, "HC1")))
child <- sharp(y ~ trt + week, bacteria)
put("bacteria_coeftest_CR1", t(coeftest(child, vcov. = vcovCL(child, bacteria$ID, type = "HC0"))))
cat('"end": []\n}\n')
