-- Emergencies that clinicians declared: who reached whose record, why and until when. Rows are never removed, and of
-- what was declared nothing changes: an end and a review are added to it, once.
CREATE TABLE emergency (
    id          TEXT NOT NULL PRIMARY KEY,
    account     TEXT NOT NULL REFERENCES account (id),
    -- Logical id of the one Patient.
    patient     TEXT NOT NULL,
    -- Code of v3-ActReason.
    purpose     TEXT NOT NULL CHECK (purpose IN ('BTG', 'ETREAT')),
    reason      TEXT NOT NULL,
    began_us    BIGINT NOT NULL,
    until_us    BIGINT NOT NULL CHECK (until_us > began_us AND until_us <= began_us + 3600000000),
    -- When it ended, and how: 'early', by 'another' of the same account, or at its 'time'. NULL: at its time.
    ended_us    BIGINT CHECK (ended_us <= until_us),
    ended_how   TEXT CHECK (ended_how IN ('early', 'another', 'time')),
    reviewed_us BIGINT,
    reviewed_by TEXT REFERENCES account (id) CHECK (reviewed_by <> account),
    finding     TEXT CHECK (finding IN ('justified', 'not-justified')),
    note        TEXT,
    CHECK ((ended_us IS NULL) = (ended_how IS NULL)),
    CHECK ((reviewed_us IS NULL) = (reviewed_by IS NULL) AND (reviewed_us IS NULL) = (finding IS NULL))
);
-- One at a time for each account.
CREATE UNIQUE INDEX emergency_running ON emergency (account) WHERE ended_us IS NULL;
CREATE INDEX emergency_open ON emergency (began_us) WHERE reviewed_us IS NULL;
CREATE INDEX emergency_began ON emergency (began_us);

CREATE TRIGGER emergency_stays BEFORE DELETE ON emergency
BEGIN SELECT RAISE(ABORT, 'an emergency is never removed'); END;
CREATE TRIGGER emergency_keeps BEFORE UPDATE ON emergency
WHEN NEW.id <> OLD.id OR NEW.account <> OLD.account OR NEW.patient <> OLD.patient OR NEW.purpose <> OLD.purpose
    OR NEW.reason <> OLD.reason OR NEW.began_us <> OLD.began_us OR NEW.until_us <> OLD.until_us
    OR (OLD.ended_us IS NOT NULL AND (NEW.ended_us IS NOT OLD.ended_us OR NEW.ended_how IS NOT OLD.ended_how))
    OR (OLD.reviewed_us IS NOT NULL AND (NEW.reviewed_us IS NOT OLD.reviewed_us
        OR NEW.reviewed_by IS NOT OLD.reviewed_by OR NEW.finding IS NOT OLD.finding OR NEW.note IS NOT OLD.note))
BEGIN SELECT RAISE(ABORT, 'what was declared of an emergency stays'); END;

CREATE TRIGGER emergency_begins_access AFTER INSERT ON emergency BEGIN
    UPDATE access_state SET seq = seq + 1;
END;
CREATE TRIGGER emergency_ends_access AFTER UPDATE OF ended_us ON emergency BEGIN
    UPDATE access_state SET seq = seq + 1;
END;

-- Messages to people, written by the transaction that they tell of and delivered by whoever comes first.
CREATE TABLE notice (
    id        TEXT NOT NULL PRIMARY KEY,
    -- The emergency that it is about.
    emergency TEXT NOT NULL REFERENCES emergency (id),
    -- E-mail address.
    recipient TEXT NOT NULL,
    -- Where the recipient reads more: this server's origin.
    origin    TEXT NOT NULL,
    made_us   BIGINT NOT NULL,
    -- When it is tried next; whoever tries it puts this off, so that nobody else does.
    due_us    BIGINT NOT NULL,
    tries     BIGINT NOT NULL DEFAULT 0,
    sent_us   BIGINT
);
CREATE INDEX notice_due ON notice (due_us) WHERE sent_us IS NULL;
