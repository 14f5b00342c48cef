-- The audit log. What happened is recorded first, without a place; the sequencer gives it its place in the tree.
-- `body` is the AuditEvent as canonical JSON (RFC 8785), `salt` keeps its digest from being guessed.
CREATE TABLE audit_event (
    eid         INTEGER PRIMARY KEY,
    id          TEXT    NOT NULL,
    recorded_us BIGINT  NOT NULL,
    salt        BLOB    NOT NULL,
    body        BLOB    NOT NULL
);

-- Events that have no place yet.
CREATE TABLE audit_pending (
    eid INTEGER PRIMARY KEY
);
CREATE TRIGGER audit_event_waits AFTER INSERT ON audit_event BEGIN
    INSERT INTO audit_pending (eid) VALUES (NEW.eid);
END;

-- The leaves of the tree. `content` is SHA-256 over salt and body, `hash` that of the leaf (RFC 9162 section 2.1).
CREATE TABLE audit_leaf (
    seq         INTEGER PRIMARY KEY,
    eid         BIGINT NOT NULL UNIQUE,
    id          TEXT   NOT NULL UNIQUE,
    recorded_us BIGINT NOT NULL,
    content     BLOB   NOT NULL,
    hash        BLOB   NOT NULL
);

-- The complete inner nodes; level 1 is above the leaves.
CREATE TABLE audit_node (
    level BIGINT NOT NULL,
    idx   BIGINT NOT NULL,
    hash  BLOB   NOT NULL,
    PRIMARY KEY (level, idx)
) WITHOUT ROWID;

-- Signed checkpoints (C2SP tlog-checkpoint), one for each size that was published.
CREATE TABLE audit_checkpoint (
    size  INTEGER PRIMARY KEY,
    root  BLOB    NOT NULL,
    at_us BIGINT  NOT NULL,
    note  TEXT    NOT NULL
);

-- Who gives places: one process at a time, until its lease ends. `edge` are the hashes of the tree's right edge.
CREATE TABLE audit_sequencer (
    one      BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    holder   TEXT   NOT NULL DEFAULT '',
    fence    BIGINT NOT NULL DEFAULT 0,
    until_us BIGINT NOT NULL DEFAULT 0,
    size     BIGINT NOT NULL DEFAULT 0,
    edge     BLOB   NOT NULL
);
INSERT INTO audit_sequencer (one, edge) VALUES (1, X'');

-- What officers search by. It is made from the events and can be made again.
CREATE TABLE audit_index (
    seq         INTEGER PRIMARY KEY,
    recorded_us BIGINT NOT NULL,
    type        TEXT NOT NULL,
    action      TEXT NOT NULL,
    outcome     BIGINT NOT NULL
);
CREATE INDEX audit_index_recorded ON audit_index (recorded_us, seq);
CREATE INDEX audit_index_failed ON audit_index (recorded_us, seq) WHERE outcome <> 0;

-- Terms: 'r:Patient/p1' refers to it, 'i:ann' is an identifier, 's:read' a subtype, 'a:192.0.2.7' an address.
CREATE TABLE audit_term (
    term        TEXT NOT NULL,
    recorded_us BIGINT NOT NULL,
    seq         BIGINT NOT NULL,
    PRIMARY KEY (term, recorded_us, seq)
) WITHOUT ROWID;

-- Lawful deletion after retention: contents recorded before `before_us` may go; their leaves stay.
CREATE TABLE audit_purge (
    before_us BIGINT NOT NULL PRIMARY KEY,
    at_us     BIGINT NOT NULL,
    by_whom   TEXT   NOT NULL
);

CREATE TRIGGER audit_event_keeps_content BEFORE UPDATE ON audit_event BEGIN
    SELECT RAISE(ABORT, 'audit_event is append-only');
END;
CREATE TRIGGER audit_event_keeps_rows BEFORE DELETE ON audit_event
WHEN NOT EXISTS (SELECT 1 FROM audit_purge p WHERE OLD.recorded_us < p.before_us) BEGIN
    SELECT RAISE(ABORT, 'audit_event is append-only');
END;
CREATE TRIGGER audit_leaf_keeps_content BEFORE UPDATE ON audit_leaf BEGIN
    SELECT RAISE(ABORT, 'audit_leaf is append-only');
END;
CREATE TRIGGER audit_leaf_keeps_rows BEFORE DELETE ON audit_leaf BEGIN
    SELECT RAISE(ABORT, 'audit_leaf is append-only');
END;
CREATE TRIGGER audit_node_keeps_content BEFORE UPDATE ON audit_node BEGIN
    SELECT RAISE(ABORT, 'audit_node is append-only');
END;
CREATE TRIGGER audit_node_keeps_rows BEFORE DELETE ON audit_node BEGIN
    SELECT RAISE(ABORT, 'audit_node is append-only');
END;
CREATE TRIGGER audit_checkpoint_keeps_content BEFORE UPDATE ON audit_checkpoint BEGIN
    SELECT RAISE(ABORT, 'audit_checkpoint is append-only');
END;
CREATE TRIGGER audit_checkpoint_keeps_rows BEFORE DELETE ON audit_checkpoint BEGIN
    SELECT RAISE(ABORT, 'audit_checkpoint is append-only');
END;
CREATE TRIGGER audit_purge_keeps_content BEFORE UPDATE ON audit_purge BEGIN
    SELECT RAISE(ABORT, 'audit_purge is append-only');
END;
CREATE TRIGGER audit_purge_keeps_rows BEFORE DELETE ON audit_purge BEGIN
    SELECT RAISE(ABORT, 'audit_purge is append-only');
END;
