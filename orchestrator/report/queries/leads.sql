-- The two leads that speak most for each class
SELECT sweep, sampling_hz, loss, class_abbr, rank, lead, round(importance, 3) AS importance, round(sd, 3) AS sd, n
FROM lead_importance_by_class WHERE rank <= 2 ORDER BY sweep, sampling_hz, loss, class_abbr, rank;
