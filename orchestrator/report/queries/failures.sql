-- What failed, and where is its log?
SELECT class, count(*) AS attempts, count(DISTINCT job_id) AS jobs, min(message) AS example, min(node) AS node, min(log) AS log
FROM failures GROUP BY class ORDER BY attempts DESC;
