-- Mean and spread of each configuration
SELECT sweep, loss, sampling_hz, count(*) AS n, round(avg(macro_f1), 4) AS macro_f1, round(avg(macro_auroc), 4) AS macro_auroc,
       round(avg(macro_f1 * macro_f1) - avg(macro_f1) * avg(macro_f1), 6) AS variance_f1
FROM runs WHERE state = 'finished' GROUP BY sweep, loss, sampling_hz ORDER BY sweep, macro_f1 DESC;
