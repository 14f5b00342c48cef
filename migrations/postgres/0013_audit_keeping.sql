-- What a purge event in the log names and what is still to be removed: where a purge goes on after a crash.
CREATE TABLE audit_purging (
    first_seq BIGINT PRIMARY KEY,
    last_seq  BIGINT NOT NULL,
    event     TEXT COLLATE "C" NOT NULL
);

-- Which places had been given out by some time.
CREATE INDEX audit_checkpoint_at ON audit_checkpoint (at_us);

-- Who is told of checkpoints: places that keep them, and witnesses. `size` is that of the last one that arrived,
-- `due_us` when the next is sent, `fence` rises with each try, and `failing_us` is when tries began to fail (0: they
-- don't).
CREATE TABLE audit_told (
    name       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    size       BIGINT NOT NULL DEFAULT 0,
    told_us    BIGINT NOT NULL DEFAULT 0,
    due_us     BIGINT NOT NULL DEFAULT 0,
    fence      BIGINT NOT NULL DEFAULT 0,
    failures   BIGINT NOT NULL DEFAULT 0,
    failing_us BIGINT NOT NULL DEFAULT 0
);

-- What witnesses signed (C2SP tlog-cosignature): `line` is the line of the note.
CREATE TABLE audit_cosignature (
    size    BIGINT NOT NULL,
    witness TEXT COLLATE "C" NOT NULL,
    at_us   BIGINT NOT NULL,
    line    TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (size, witness)
);
CREATE TRIGGER audit_cosignature_keeps_rows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_cosignature
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('audit_cosignature is append-only');
