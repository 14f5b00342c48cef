-- What happened to the resources of scheduling, written by the transaction in which it happened. `topics` are the codes
-- of the subscription topics that it is an instance of, each between spaces. `before_vid` is the version before, if any.
CREATE TABLE event (
    eid        INTEGER PRIMARY KEY,
    rtype      TEXT   NOT NULL,
    rid        BIGINT NOT NULL,
    id         TEXT   NOT NULL,
    vid        BIGINT NOT NULL,
    before_vid BIGINT,
    topics     TEXT   NOT NULL,
    at_us      BIGINT NOT NULL
);

-- Events that have no number yet.
CREATE TABLE event_pending (
    eid INTEGER PRIMARY KEY
);
CREATE TRIGGER event_waits AFTER INSERT ON event BEGIN
    INSERT INTO event_pending (eid) VALUES (NEW.eid);
END;

-- The numbers of events: 1, 2, 3, without a gap, in the order in which they were committed.
CREATE TABLE event_number (
    seq INTEGER PRIMARY KEY,
    eid BIGINT NOT NULL UNIQUE
);

-- Who gives numbers: one process at a time, until its lease ends.
CREATE TABLE event_sequencer (
    one      BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    holder   TEXT   NOT NULL DEFAULT '',
    fence    BIGINT NOT NULL DEFAULT 0,
    until_us BIGINT NOT NULL DEFAULT 0,
    seq      BIGINT NOT NULL DEFAULT 0
);
INSERT INTO event_sequencer (one) VALUES (1);

-- How far other systems have the event log: one row for each stream, which one process at a time sends on.
CREATE TABLE event_stream (
    name     TEXT   NOT NULL PRIMARY KEY,
    holder   TEXT   NOT NULL DEFAULT '',
    fence    BIGINT NOT NULL DEFAULT 0,
    until_us BIGINT NOT NULL DEFAULT 0,
    seq      BIGINT NOT NULL DEFAULT 0
);

-- Subscriptions that are or were accepted: what is not in the resource. `owner` is the access of whoever asked for it
-- (JSON: client, account, scopes, patient), judged anew at each delivery; `subscriber` is their name as
-- resources are tagged with it. `count` is the number of its last event;
-- every event up to `done` was delivered or sent to an inbox that needs no answer. `generation` rises with each change of the resource.
CREATE TABLE subscription (
    id            TEXT   NOT NULL PRIMARY KEY,
    rid           BIGINT NOT NULL,
    owner         TEXT   NOT NULL,
    subscriber    TEXT   NOT NULL,
    channel       TEXT   NOT NULL,
    status        TEXT   NOT NULL CHECK (status IN ('requested', 'active', 'error', 'off')),
    error         TEXT   NOT NULL DEFAULT '',
    generation    BIGINT NOT NULL DEFAULT 1,
    count         BIGINT NOT NULL DEFAULT 0,
    done          BIGINT NOT NULL DEFAULT 0,
    ends_us       BIGINT,
    -- Keys of events that had no number when it was made: they are none of its events.
    older         TEXT   NOT NULL DEFAULT '',
    paused        BIGINT NOT NULL DEFAULT 0,
    -- Delivery by rest-hook: scheme, host and port that it goes to ('': by another channel), and the most events of one
    -- notification.
    host          TEXT   NOT NULL DEFAULT '',
    most          BIGINT NOT NULL DEFAULT 1,
    -- Who delivers until when, and what was begun: the events up to `batch` go together, again and again, and say that
    -- `seen` events there were.
    holder        TEXT   NOT NULL DEFAULT '',
    fence         BIGINT NOT NULL DEFAULT 0,
    until_us      BIGINT NOT NULL DEFAULT 0,
    due_us        BIGINT,
    batch         BIGINT NOT NULL DEFAULT 0,
    seen          BIGINT NOT NULL DEFAULT 0,
    tries         BIGINT NOT NULL DEFAULT 0,
    failing_us    BIGINT,
    warned_us     BIGINT,
    heartbeat_us  BIGINT,
    changed_us    BIGINT NOT NULL
);
CREATE INDEX subscription_subscriber ON subscription (subscriber);
CREATE INDEX subscription_ends ON subscription (ends_us, id) WHERE ends_us IS NOT NULL AND status <> 'off';
CREATE INDEX subscription_due ON subscription (due_us, id) WHERE due_us IS NOT NULL;
CREATE INDEX subscription_beats ON subscription (heartbeat_us, id) WHERE heartbeat_us IS NOT NULL;

-- Rises with every change of what is subscribed to, and by whom; not with what becomes of deliveries.
CREATE TABLE subscription_state (
    one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    seq BIGINT NOT NULL
);
INSERT INTO subscription_state (one, seq) VALUES (1, 1);
CREATE TRIGGER subscription_added AFTER INSERT ON subscription BEGIN
    UPDATE subscription_state SET seq = seq + 1;
END;
CREATE TRIGGER subscription_changed AFTER UPDATE OF status, generation, ends_us ON subscription
WHEN OLD.generation <> NEW.generation OR OLD.ends_us IS NOT NEW.ends_us
    OR (OLD.status = 'off') <> (NEW.status = 'off') BEGIN
    UPDATE subscription_state SET seq = seq + 1;
END;
CREATE TRIGGER subscription_gone AFTER DELETE ON subscription BEGIN
    UPDATE subscription_state SET seq = seq + 1;
END;

-- The events of a subscription, numbered 1, 2, 3 without a gap.
CREATE TABLE subscription_event (
    subscription TEXT   NOT NULL,
    number       BIGINT NOT NULL,
    seq          BIGINT NOT NULL,
    PRIMARY KEY (subscription, number)
) WITHOUT ROWID;

-- Secrets that notifications are signed with. An older one signs along until `until_us`.
CREATE TABLE subscription_secret (
    id           TEXT   NOT NULL PRIMARY KEY,
    subscription TEXT   NOT NULL,
    kind         TEXT   NOT NULL CHECK (kind IN ('hmac', 'ed25519')),
    secret       BLOB   NOT NULL,
    made_us      BIGINT NOT NULL,
    until_us     BIGINT
);
CREATE INDEX subscription_secret_of ON subscription_secret (subscription, made_us);

-- What was tried, for administrators: never what was sent or answered. `status` is the HTTP status, 0 without an answer.
CREATE TABLE delivery_attempt (
    aid          INTEGER PRIMARY KEY,
    subscription TEXT   NOT NULL,
    kind         TEXT   NOT NULL,
    first        BIGINT NOT NULL,
    last         BIGINT NOT NULL,
    try          BIGINT NOT NULL,
    at_us        BIGINT NOT NULL,
    took_us      BIGINT NOT NULL,
    status       BIGINT NOT NULL,
    error        TEXT   NOT NULL DEFAULT ''
);
CREATE INDEX delivery_attempt_of ON delivery_attempt (subscription, aid);
CREATE INDEX delivery_attempt_at ON delivery_attempt (at_us);

CREATE TRIGGER event_keeps_content BEFORE UPDATE ON event BEGIN
    SELECT RAISE(ABORT, 'event is append-only');
END;
CREATE TRIGGER event_number_keeps_content BEFORE UPDATE ON event_number BEGIN
    SELECT RAISE(ABORT, 'event_number is append-only');
END;
CREATE TRIGGER subscription_event_keeps_content BEFORE UPDATE ON subscription_event BEGIN
    SELECT RAISE(ABORT, 'subscription_event is append-only');
END;
