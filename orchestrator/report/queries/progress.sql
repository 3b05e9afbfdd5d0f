-- How far is each sweep?
SELECT sweep, count(*) AS jobs, sum(state = 'finished') AS finished, sum(state = 'running') AS running,
       sum(state = 'waiting') AS waiting, sum(state IN ('failed', 'invalid', 'cancelled')) AS ended_otherwise
FROM runs GROUP BY sweep ORDER BY sweep;
