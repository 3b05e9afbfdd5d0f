-- Keys are random: an index of finished jobs by train_key had another page written for every result. By their numbers, results
-- that come together lie together; the index by train_key does not change any more once a job is registered.
DROP INDEX jobs_trained;
CREATE INDEX jobs_finished ON jobs (job_id) WHERE state = 'finished';
CREATE INDEX jobs_of_train_key ON jobs (train_key);
