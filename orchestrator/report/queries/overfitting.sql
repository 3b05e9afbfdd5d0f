-- When did training stop, and how far had it gone past its best epoch?
SELECT r.sweep, r.loss, r.sampling_hz, r.fold, max(e.epoch) AS epochs, max(CASE WHEN e.is_best THEN e.epoch END) AS best_epoch,
       round(min(e.validation_loss), 4) AS lowest_validation_loss
FROM runs AS r JOIN jobs AS j USING (job_id) JOIN epochs AS e ON e.attempt_id = j.winning_attempt_id
GROUP BY r.sweep, r.job_id ORDER BY r.sweep, r.loss, r.sampling_hz, r.fold;
