-- What do thresholds tuned on the validation fold bring?
SELECT sweep, loss, sampling_hz, round(avg(macro_f1), 4) AS at_half, round(avg(macro_f1_tuned), 4) AS tuned,
       round(avg(macro_f1_tuned - macro_f1), 4) AS gain
FROM runs WHERE state = 'finished' GROUP BY sweep, loss, sampling_hz ORDER BY gain DESC;
