# Writes diagnostics.json beside it: Rscript tests/published/diagnostics.R > tests/published/diagnostics.json
# Data of MASS (birthwt, bacteria); residuals and influence of R's own glm; sandwich, clubSandwich.
suppressMessages({
  library(MASS)
  library(sandwich)
  library(clubSandwich)
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
                           paste("sandwich", packageVersion("sandwich")),
                           paste("clubSandwich", packageVersion("clubSandwich")))), ",\n", sep = "")

birth <- birthwt
birth$race <- factor(birth$race, labels = c("white", "black", "other"))
weight <- sharp(low ~ age + lwt + race + smoke, birth)
put("birth_hat", hatvalues(weight))
put("birth_cook", cooks.distance(weight))
put("birth_pearson", residuals(weight, "pearson"))
put("birth_deviance", residuals(weight, "deviance"))
put("birth_standard_pearson", rstandard(weight, type = "pearson"))
put("birth_standard_deviance", rstandard(weight, type = "deviance"))
put("birth_student", rstudent(weight))
# Not dfbetas(), which takes deviance residuals and a sigma without the row: the one step of
# Pregibon (1981) from R's own pieces.
pieces <- summary(weight)$cov.unscaled
X <- model.matrix(weight)
step <- X * ((birth$low - fitted(weight)) / (1 - hatvalues(weight)))
put("birth_dfbetas", t(step %*% pieces %*% diag(1 / sqrt(diag(pieces)))))

# Generalised variance inflation (Fox and Monette, 1992), as car's vif.
whole <- cov2cor(vcov(weight)[-1, -1])
inflation <- function(i) det(as.matrix(whole[i, i])) * det(as.matrix(whole[-i, -i])) / det(whole)
put("birth_vif", c(inflation(1), inflation(2), inflation(3:4), inflation(5)))
put("birth_condition", kappa(scale(X, FALSE, sqrt(colSums(X^2))), exact = TRUE))

# Stata's linktest.
eta <- predict(weight)
link <- summary(glm(birth$low ~ eta + I(eta^2), family = binomial, control = exact))$coefficients
put("birth_link", t(link))

# The model of Stata's manual ([R] estat gof: chi2(8) = 9.65); groups as Stata's xtile.
birth$ptl <- as.numeric(birth$ptl)
large <- sharp(low ~ age + lwt + race + smoke + ptl + ht + ui, birth)
gof <- function(p, y, g) {
  cuts <- cut(p, quantile(p, seq(0, 1, 1 / g), type = 2), include.lowest = TRUE)
  observed <- tapply(y, cuts, sum); expected <- tapply(p, cuts, sum); n <- tapply(p, cuts, length)
  found <- sum((observed - expected)^2 / (expected * (1 - expected / n)))
  c(found, g - 2, pchisq(found, g - 2, lower.tail = FALSE))
}
put("birth_large_coef", coef(large))
put("birth_gof", gof(fitted(large), birth$low, 10))
for (name in c("ptl", "ht", "ui")) put(paste0("birth_", name), birth[[name]])

# Clusters: children with repeated looks for bacteria.
model <- sharp(y ~ trt + week, bacteria)
cat('"bacteria_y": ', text(bacteria$y), ",\n", sep = "")
cat('"bacteria_trt": ', text(bacteria$trt), ",\n", sep = "")
cat('"bacteria_ID": ', text(bacteria$ID), ",\n", sep = "")
put("bacteria_week", bacteria$week)
put("bacteria_coef", coef(model))
for (type in c("HC0", "HC1", "HC2", "HC3")) put(paste0("bacteria_", type), vcovHC(model, type))
put("bacteria_vcovCL_CR1", vcovCL(model, bacteria$ID, type = "HC0"))
put("bacteria_vcovCL_CR1S", vcovCL(model, bacteria$ID, type = "HC1"))
for (type in c("CR0", "CR1", "CR1S", "CR2", "CR3")) {
  put(paste0("bacteria_", type), vcovCR(model, bacteria$ID, type))
}
for (type in c("CR2", "CR3")) {
  each <- coef_test(model, vcovCR(model, bacteria$ID, type), test = "Satterthwaite")
  put(paste0("bacteria_", type, "_errors_df_p"), c(each$SE, each$df, each$p_Satt))
  for (last in 3:4) {
    joint <- Wald_test(model, constrain_zero(2:last), vcovCR(model, bacteria$ID, type), "HTZ")
    put(paste0("bacteria_", type, "_HTZ_", last - 1),
        c(joint$Fstat, joint$df_num, joint$df_denom, joint$p_val))
  }
}
cat('"end": []\n}\n')
