-- AUROC and F1 of each class, with the positives behind them
SELECT sweep, class_abbr, sampling_hz, loss, round(avg(value) FILTER (WHERE metric = 'auroc'), 4) AS auroc,
       round(avg(value) FILTER (WHERE metric = 'f1'), 4) AS f1, sum(n_positive) FILTER (WHERE metric = 'auroc') AS positives
FROM scores WHERE split = 'test' AND class_code <> '' AND metric IN ('auroc', 'f1')
GROUP BY sweep, class_code, sampling_hz, loss ORDER BY positives DESC, class_abbr, sampling_hz, loss;
