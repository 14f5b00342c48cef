-- Exports in bulk: what a client asked for, as of which time, and the files that it comes to. A file is a range of
-- keys and nothing more; what is in it is read when it is fetched.
CREATE TABLE bulk_job (
    id         TEXT   NOT NULL PRIMARY KEY,
    -- Whoever asked, and nobody else fetches.
    owner      TEXT   NOT NULL,
    -- What was asked for, as JSON.
    asked      TEXT   NOT NULL,
    -- The transaction time: what was written later is not in it.
    at_us      BIGINT NOT NULL,
    expires_us BIGINT NOT NULL,
    -- How far the files are known: the step, and the key behind which it goes on.
    step       BIGINT NOT NULL DEFAULT 0,
    behind     BIGINT NOT NULL DEFAULT -1,
    planned_us BIGINT,
    -- Of an export of the audit log: the checkpoint that it leads to, its number of leaves, and the log's public keys.
    size       BIGINT,
    note       TEXT,
    keys       TEXT
);
CREATE INDEX bulk_job_owner ON bulk_job (owner, expires_us);
CREATE INDEX bulk_job_expires ON bulk_job (expires_us);

CREATE TABLE bulk_file (
    job       TEXT   NOT NULL REFERENCES bulk_job (id) ON DELETE CASCADE,
    number    BIGINT NOT NULL,
    -- 'output': resources of the type; 'deleted': which ones were deleted; 'event': of the audit log.
    kind      TEXT   NOT NULL CHECK (kind IN ('output', 'deleted', 'event')),
    type      TEXT   NOT NULL,
    first_key BIGINT NOT NULL,
    last_key  BIGINT NOT NULL,
    -- How many there were when the file was planned.
    count     BIGINT NOT NULL,
    -- The key before the first one, in the file before this one.
    previous  BIGINT,
    PRIMARY KEY (job, number)
);

-- Resources of a type in the order of creation.
CREATE INDEX resource_order ON resource (type, rid);
