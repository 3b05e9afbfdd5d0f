-- What did each configuration cost?
SELECT sweep, loss, sampling_hz, model, count(*) AS jobs, sum(attempts) AS attempts, round(sum(seconds) / 3600, 3) AS hours,
       round(avg(seconds), 1) AS seconds_a_job
FROM runs WHERE state = 'finished' GROUP BY sweep, loss, sampling_hz, model ORDER BY hours DESC;
