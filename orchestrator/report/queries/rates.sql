-- Which classes gain from the highest rate, compared with the lowest?
WITH ends AS (SELECT sweep, max(sampling_hz) AS high, min(sampling_hz) AS low FROM runs GROUP BY sweep)
SELECT s.sweep, s.class_abbr, e.high, e.low,
       round(avg(s.value) FILTER (WHERE s.sampling_hz = e.high) - avg(s.value) FILTER (WHERE s.sampling_hz = e.low), 4) AS gain,
       sum(s.n_positive) AS positives
FROM scores AS s JOIN ends AS e USING (sweep)
WHERE s.metric = 'auroc' AND s.split = 'test' AND s.class_code <> '' GROUP BY s.sweep, s.class_code ORDER BY gain DESC;
