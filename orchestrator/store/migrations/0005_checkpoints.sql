-- The checkpoint that an attempt saved last: so a damaged or exchanged one is found before a job goes on from it.
ALTER TABLE attempts ADD COLUMN checkpoint_epoch INTEGER;
ALTER TABLE attempts ADD COLUMN checkpoint_digest TEXT;
