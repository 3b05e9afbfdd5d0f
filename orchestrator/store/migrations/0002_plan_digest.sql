-- Lets the next start of the same sweep see that nothing has to be registered again.
ALTER TABLE sweeps ADD COLUMN plan_digest TEXT;
ALTER TABLE sweep_jobs ADD COLUMN position INTEGER;
