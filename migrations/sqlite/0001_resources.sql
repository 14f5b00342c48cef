-- Current version of each resource. `body` is the canonical JSON that is served; `rid` is the order of creation.
CREATE TABLE resource (
    rid        INTEGER PRIMARY KEY,
    type       TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    vid        BIGINT  NOT NULL,
    deleted    BIGINT  NOT NULL DEFAULT 0,
    updated_us BIGINT  NOT NULL,
    body       BLOB    NOT NULL,
    UNIQUE (type, id)
);
CREATE INDEX resource_updated ON resource (type, updated_us);

-- Every version there ever was, the current one included. Append-only.
CREATE TABLE history (
    hid    INTEGER PRIMARY KEY,
    rid    BIGINT NOT NULL,
    type   TEXT   NOT NULL,
    id     TEXT   NOT NULL,
    vid    BIGINT NOT NULL,
    method TEXT   NOT NULL,
    at_us  BIGINT NOT NULL,
    body   BLOB,
    UNIQUE (rid, vid)
);
CREATE INDEX history_type ON history (type, hid);
CREATE TRIGGER history_keeps_content BEFORE UPDATE ON history BEGIN
    SELECT RAISE(ABORT, 'history is append-only');
END;
CREATE TRIGGER history_keeps_rows BEFORE DELETE ON history BEGIN
    SELECT RAISE(ABORT, 'history is append-only');
END;

-- Typed columns of the scheduling resources.
CREATE TABLE schedule_actor (
    rid   BIGINT NOT NULL,
    actor TEXT   NOT NULL,
    id    TEXT   NOT NULL,
    PRIMARY KEY (rid, actor)
);
CREATE INDEX schedule_actor_actor ON schedule_actor (actor);
CREATE INDEX schedule_actor_id ON schedule_actor (id);

CREATE TABLE slot (
    rid      INTEGER PRIMARY KEY,
    id       TEXT   NOT NULL UNIQUE,
    schedule TEXT   NOT NULL,
    start_us BIGINT NOT NULL,
    end_us   BIGINT NOT NULL,
    -- What is served: `declared` until claims fill the slot.
    status   TEXT   NOT NULL,
    -- What the owner of the slot last said.
    declared TEXT   NOT NULL,
    capacity BIGINT NOT NULL
);
CREATE INDEX slot_schedule ON slot (schedule, start_us);
CREATE INDEX slot_status ON slot (status, start_us);
CREATE INDEX slot_start ON slot (start_us);

CREATE TABLE appointment (
    rid           INTEGER PRIMARY KEY,
    id            TEXT   NOT NULL UNIQUE,
    status        TEXT   NOT NULL,
    start_us      BIGINT,
    end_us        BIGINT,
    -- When a hold lapses; NULL for anything but a hold.
    held_until_us BIGINT
);
CREATE INDEX appointment_start ON appointment (start_us);
CREATE INDEX appointment_held ON appointment (held_until_us) WHERE held_until_us IS NOT NULL;

CREATE TABLE appointment_actor (
    rid      BIGINT NOT NULL,
    actor    TEXT   NOT NULL,
    start_us BIGINT,
    PRIMARY KEY (rid, actor)
);
CREATE INDEX appointment_actor_actor ON appointment_actor (actor, start_us);

-- Whose time a booking of this resource takes: a role is its practitioner, a room is itself.
CREATE TABLE claims_as (
    key   TEXT NOT NULL PRIMARY KEY,
    actor TEXT NOT NULL
);
CREATE INDEX claims_as_actor ON claims_as (actor);

-- The ledger of taken time. Claims of one party (an appointment, or the slot of a group that meets together)
-- may coincide; claims of different parties on one actor never overlap, unless someone authorised overrode.
CREATE TABLE actor_claim (
    cid         INTEGER PRIMARY KEY,
    actor       TEXT   NOT NULL,
    party       TEXT   NOT NULL,
    start_us    BIGINT NOT NULL,
    end_us      BIGINT NOT NULL,
    appointment BIGINT NOT NULL,
    override    BIGINT NOT NULL DEFAULT 0,
    CHECK (start_us < end_us)
);
CREATE INDEX actor_claim_time ON actor_claim (actor, start_us);
CREATE INDEX actor_claim_appointment ON actor_claim (appointment);
-- Different parties never overlap, so only the last one that starts before our end can reach into our time.
-- IGNORE drops the row as ON CONFLICT DO NOTHING does, so that the caller can name every conflict.
CREATE TRIGGER actor_claim_exclusive BEFORE INSERT ON actor_claim WHEN NEW.override = 0 BEGIN
    SELECT RAISE(IGNORE) FROM (
        SELECT end_us FROM actor_claim
        WHERE actor = NEW.actor AND override = 0 AND party <> NEW.party AND start_us < NEW.end_us
        ORDER BY start_us DESC LIMIT 1
    ) AS before_us WHERE before_us.end_us > NEW.start_us;
END;
CREATE TRIGGER actor_claim_fixed BEFORE UPDATE ON actor_claim BEGIN
    SELECT RAISE(ABORT, 'a claim is taken or freed, never changed');
END;

CREATE TABLE seat_claim (
    slot        BIGINT NOT NULL,
    seat        BIGINT NOT NULL,
    capacity    BIGINT NOT NULL,
    appointment BIGINT NOT NULL,
    override    BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (slot, seat),
    CHECK (seat >= 0 AND (override = 1 OR seat < capacity))
);
CREATE UNIQUE INDEX seat_claim_appointment ON seat_claim (appointment, slot);

-- Answers already given under an Idempotency-Key.
CREATE TABLE idempotency (
    key         TEXT   NOT NULL PRIMARY KEY,
    fingerprint TEXT   NOT NULL,
    at_us       BIGINT NOT NULL,
    answer      BLOB
);
CREATE INDEX idempotency_at ON idempotency (at_us);

-- Small facts about the database itself, such as the key that signs paging links.
CREATE TABLE setting (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
);
