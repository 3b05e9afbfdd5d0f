# The two-sided p values of correctR (CRAN) for the cases of a CSV file (case, k, r, n_train, n_test, fold, repeat_, a, b), and
# R's own p.adjust over them. Prints CSV: case,statistic,p,holm. Called by make_statistics.py.
library(correctR)
cases <- read.csv(commandArgs(TRUE)[1])
rows <- data.frame()
for (name in unique(cases$case)) {
  one <- cases[cases$case == name, ]
  n1 <- one$n_train[1]
  n2 <- one$n_test[1]
  # correctR 0.3.1 takes one tail each, and doubles it: the order of the two is chosen so that it is the right one.
  d <- one$a - one$b
  if (one$r[1] == 1) {
    is_turned <- sum(d) > 0
    found <- if (is_turned) resampled_ttest(one$b, one$a, nrow(one), n1, n2) else resampled_ttest(one$a, one$b, nrow(one), n1, n2)
  } else {
    is_turned <- sum(d) < 0
    first <- if (is_turned) one$b else one$a
    second <- if (is_turned) one$a else one$b
    data <- data.frame(model = rep(c("first", "second"), each = nrow(one)), values = c(first, second),
                       k = rep(one$fold, 2), r = rep(one$repeat_, 2))
    found <- repkfold_ttest(data, n1, n2, one$k[1], one$r[1])
  }
  rows <- rbind(rows, data.frame(case = name, statistic = if (is_turned) -found$statistic else found$statistic, p = found$p.value))
}
rows$holm <- p.adjust(rows$p, method = "holm")
cat("case,statistic,p,holm\n")
for (i in seq_len(nrow(rows))) cat(sprintf("%s,%.17g,%.17g,%.17g\n", rows$case[i], rows$statistic[i], rows$p[i], rows$holm[i]))
