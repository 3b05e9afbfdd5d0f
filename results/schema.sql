CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE classes (
    code         TEXT PRIMARY KEY,
    abbreviation TEXT NOT NULL,
    name         TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sweeps (
    sweep_id       INTEGER PRIMARY KEY,
    name           TEXT NOT NULL UNIQUE,
    yaml           TEXT NOT NULL,
    hash           TEXT NOT NULL,
    revision       INTEGER NOT NULL,
    created_utc    TEXT NOT NULL,
    registered_utc TEXT NOT NULL
, plan_digest TEXT) STRICT;

CREATE TABLE jobs (
    job_id             INTEGER PRIMARY KEY,
    state              TEXT NOT NULL DEFAULT 'waiting'
                       CHECK (state IN ('waiting', 'running', 'finished', 'failed', 'invalid', 'cancelled')),
    winning_attempt_id INTEGER REFERENCES attempts (attempt_id),
    attempts_used      INTEGER NOT NULL DEFAULT 0,
    last_outcome       TEXT,
    key                TEXT NOT NULL UNIQUE,
    train_key          TEXT NOT NULL,
    point              TEXT NOT NULL,
    group_id           TEXT NOT NULL,
    lists_digest       TEXT,
    created_utc        TEXT NOT NULL,
    fold               INTEGER NOT NULL,
    sampling_hz        REAL NOT NULL,
    loss               TEXT NOT NULL,
    model              TEXT NOT NULL,
    seed               INTEGER NOT NULL,
    is_leaky           INTEGER NOT NULL CHECK (is_leaky IN (0, 1)),
    spec               TEXT NOT NULL,
    CHECK ((state = 'finished') = (winning_attempt_id IS NOT NULL))
) STRICT;

CREATE TABLE sweep_jobs (
    sweep_id INTEGER NOT NULL REFERENCES sweeps (sweep_id),
    job_id   INTEGER NOT NULL REFERENCES jobs (job_id),
    revision INTEGER NOT NULL,
    is_stale INTEGER NOT NULL DEFAULT 0 CHECK (is_stale IN (0, 1)), position INTEGER,
    PRIMARY KEY (sweep_id, job_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX sweep_jobs_of_job ON sweep_jobs (job_id);

CREATE TABLE attempts (
    attempt_id      INTEGER PRIMARY KEY,
    job_id          INTEGER NOT NULL REFERENCES jobs (job_id),
    node            TEXT NOT NULL,
    worker          INTEGER NOT NULL,
    device_kind     TEXT NOT NULL,
    device          TEXT NOT NULL,
    folder          TEXT NOT NULL,
    started_utc     TEXT NOT NULL,
    ended_utc       TEXT,
    seconds         REAL,
    outcome         TEXT CHECK (outcome IN ('finished', 'crashed', 'killed', 'oom_host', 'oom_device', 'hung', 'node_lost',
                                            'diverged', 'invalid', 'cancelled', 'interrupted')),
    message         TEXT,
    log_path        TEXT,
    log_offset      INTEGER,
    log_length      INTEGER,
    n_train         INTEGER,
    n_validation    INTEGER,
    n_test          INTEGER,
    n_classes       INTEGER,
    train_seconds   REAL,
    explain_seconds REAL,
    is_reused       INTEGER CHECK (is_reused IN (0, 1)),
    notes           TEXT, origin TEXT, checkpoint_epoch INTEGER, checkpoint_digest TEXT,
    CHECK ((outcome IS NULL) = (ended_utc IS NULL))
) STRICT;

CREATE INDEX attempts_of_job ON attempts (job_id);

CREATE INDEX attempts_open ON attempts (attempt_id) WHERE outcome IS NULL;

CREATE TABLE epochs (
    attempt_id             INTEGER NOT NULL REFERENCES attempts (attempt_id),
    epoch                  INTEGER NOT NULL,
    train_loss             REAL,
    train_loss_is_nan      INTEGER NOT NULL CHECK (train_loss_is_nan IN (0, 1)),
    validation_loss        REAL,
    validation_loss_is_nan INTEGER NOT NULL CHECK (validation_loss_is_nan IN (0, 1)),
    macro_auroc            REAL,
    macro_f1               REAL,
    learning_rate          REAL NOT NULL,
    seconds                REAL NOT NULL,
    records_per_s          REAL NOT NULL,
    is_best                INTEGER NOT NULL CHECK (is_best IN (0, 1)),
    PRIMARY KEY (attempt_id, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE metrics (
    attempt_id INTEGER NOT NULL REFERENCES attempts (attempt_id),
    split      TEXT NOT NULL,
    class_code TEXT NOT NULL,
    name       TEXT NOT NULL,
    value      REAL,
    is_nan     INTEGER NOT NULL CHECK (is_nan IN (0, 1)),
    n_positive INTEGER NOT NULL,
    PRIMARY KEY (attempt_id, split, class_code, name),
    CHECK (is_nan = 0 OR value IS NULL)
) STRICT, WITHOUT ROWID;

CREATE TABLE lead_importance (
    attempt_id INTEGER NOT NULL REFERENCES attempts (attempt_id),
    class_code TEXT NOT NULL,
    lead       TEXT NOT NULL,
    segment    INTEGER NOT NULL,
    importance REAL,
    magnitude  REAL,
    sd         REAL,
    n          INTEGER NOT NULL,
    r2         REAL, sign_agreement REAL, n_dropped INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (attempt_id, class_code, lead, segment)
) STRICT, WITHOUT ROWID;

CREATE TABLE folds (
    lists_digest TEXT PRIMARY KEY,
    data_digest  TEXT NOT NULL,
    label_set    TEXT NOT NULL,
    fold         INTEGER NOT NULL,
    k            INTEGER NOT NULL,
    assign       TEXT NOT NULL,
    seed         INTEGER NOT NULL,
    validation   TEXT NOT NULL,
    is_leaky     INTEGER NOT NULL CHECK (is_leaky IN (0, 1)),
    n_train      INTEGER NOT NULL,
    n_validation INTEGER NOT NULL,
    n_test       INTEGER NOT NULL,
    path         TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE artifacts (
    attempt_id INTEGER NOT NULL REFERENCES attempts (attempt_id),
    kind       TEXT NOT NULL,
    path       TEXT NOT NULL,
    digest     TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    PRIMARY KEY (attempt_id, kind, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    event_id   INTEGER PRIMARY KEY,
    at_utc     TEXT NOT NULL,
    kind       TEXT NOT NULL,
    job_id     INTEGER REFERENCES jobs (job_id),
    attempt_id INTEGER,
    message    TEXT NOT NULL,
    detail     TEXT
) STRICT;

CREATE VIEW runs AS
SELECT j.job_id, s.name AS sweep, j.group_id, j.fold, j.sampling_hz, j.loss, j.model, j.seed, j.state,
       (SELECT count(*) FROM attempts AS n WHERE n.job_id = j.job_id) AS attempts,
       a.seconds, a.n_test, a.n_classes,
       (SELECT value FROM metrics AS m WHERE m.attempt_id = a.attempt_id AND m.split = 'test' AND m.class_code = ''
           AND m.name = 'macro_f1') AS macro_f1,
       (SELECT value FROM metrics AS m WHERE m.attempt_id = a.attempt_id AND m.split = 'test' AND m.class_code = ''
           AND m.name = 'accuracy') AS accuracy,
       (SELECT value FROM metrics AS m WHERE m.attempt_id = a.attempt_id AND m.split = 'test' AND m.class_code = ''
           AND m.name = 'subset_accuracy') AS subset_accuracy,
       (SELECT value FROM metrics AS m WHERE m.attempt_id = a.attempt_id AND m.split = 'test' AND m.class_code = ''
           AND m.name = 'macro_auroc') AS macro_auroc,
       (SELECT value FROM metrics AS m WHERE m.attempt_id = a.attempt_id AND m.split = 'test' AND m.class_code = ''
           AND m.name = 'macro_auprc') AS macro_auprc,
       (SELECT value FROM metrics AS m WHERE m.attempt_id = a.attempt_id AND m.split = 'test' AND m.class_code = ''
           AND m.name = 'challenge_score') AS challenge_score,
       (SELECT value FROM metrics AS m WHERE m.attempt_id = a.attempt_id AND m.split = 'test' AND m.class_code = ''
           AND m.name = 'macro_f1_30') AS macro_f1_30,
       (SELECT value FROM metrics AS m WHERE m.attempt_id = a.attempt_id AND m.split = 'test' AND m.class_code = ''
           AND m.name = 'macro_f1_tuned') AS macro_f1_tuned
FROM sweep_jobs AS sj
JOIN sweeps AS s ON s.sweep_id = sj.sweep_id
JOIN jobs AS j ON j.job_id = sj.job_id
LEFT JOIN attempts AS a ON a.attempt_id = j.winning_attempt_id
WHERE sj.is_stale = 0;

CREATE VIEW scores AS
SELECT j.job_id, s.name AS sweep, j.fold, j.sampling_hz, j.loss, m.split, m.class_code, c.abbreviation AS class_abbr,
       m.name AS metric, m.value, m.n_positive
FROM sweep_jobs AS sj
JOIN sweeps AS s ON s.sweep_id = sj.sweep_id
JOIN jobs AS j ON j.job_id = sj.job_id
JOIN metrics AS m ON m.attempt_id = j.winning_attempt_id
LEFT JOIN classes AS c ON c.code = m.class_code
WHERE sj.is_stale = 0;

CREATE VIEW lead_importance_by_class AS
WITH of_job AS (
    SELECT s.name AS sweep, j.sampling_hz, j.loss, i.class_code, i.lead, sum(i.importance) AS importance,
           sum(i.magnitude) AS magnitude, max(i.n) AS n
    FROM sweep_jobs AS sj
    JOIN sweeps AS s ON s.sweep_id = sj.sweep_id
    JOIN jobs AS j ON j.job_id = sj.job_id
    JOIN lead_importance AS i ON i.attempt_id = j.winning_attempt_id
    WHERE sj.is_stale = 0 AND i.n > 0
    GROUP BY sj.sweep_id, j.job_id, i.class_code, i.lead
), centred AS (
    SELECT *, avg(importance) OVER (PARTITION BY sweep, sampling_hz, loss, class_code, lead) AS mean_of_jobs FROM of_job
), pooled AS (
    SELECT sweep, sampling_hz, loss, class_code, lead,
           sum(n * importance) / sum(n) AS importance, sum(n * magnitude) / sum(n) AS magnitude,
           CASE WHEN count(*) > 1
                THEN sqrt(sum((importance - mean_of_jobs) * (importance - mean_of_jobs)) / (count(*) - 1)) END AS sd,
           sum(n) AS n
    FROM centred
    GROUP BY sweep, sampling_hz, loss, class_code, lead
)
SELECT p.sweep, p.sampling_hz, p.loss, p.class_code, c.abbreviation AS class_abbr, p.lead, p.importance, p.magnitude,
       p.sd, p.n, rank() OVER (PARTITION BY p.sweep, p.sampling_hz, p.loss, p.class_code ORDER BY p.importance DESC) AS rank
FROM pooled AS p
LEFT JOIN classes AS c ON c.code = p.class_code;

CREATE VIEW failures AS
SELECT a.job_id, a.attempt_id AS attempt, a.outcome AS class, a.message, a.node,
       a.log_path || coalesce(':' || a.log_offset || '+' || a.log_length, '') AS log
FROM attempts AS a
WHERE a.outcome IS NOT NULL AND a.outcome <> 'finished';

CREATE TABLE identity (
    database_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX attempts_of_origin ON attempts (origin) WHERE origin IS NOT NULL;

CREATE INDEX jobs_finished ON jobs (job_id) WHERE state = 'finished';

CREATE INDEX jobs_of_train_key ON jobs (train_key);
