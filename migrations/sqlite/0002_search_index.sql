-- Values that searches look at, written together with the resource they come from.
-- Each table is reached from a value (which resources have it?) and by rid (does this resource have it?).

CREATE TABLE idx_token (
    rid INTEGER NOT NULL,
    type TEXT NOT NULL,
    param TEXT NOT NULL,
    system TEXT NOT NULL DEFAULT '',
    code TEXT NOT NULL DEFAULT '',
    text_norm TEXT NOT NULL DEFAULT ''
);
CREATE INDEX idx_token_value ON idx_token (type, param, code, system, rid);
CREATE INDEX idx_token_text ON idx_token (type, param, text_norm) WHERE text_norm <> '';
CREATE INDEX idx_token_rid ON idx_token (rid, param);

CREATE TABLE idx_reference (
    rid INTEGER NOT NULL,
    type TEXT NOT NULL,
    param TEXT NOT NULL,
    target_type TEXT NOT NULL DEFAULT '',
    target_id TEXT NOT NULL DEFAULT '',
    url TEXT NOT NULL DEFAULT ''
);
CREATE INDEX idx_reference_target ON idx_reference (target_id, target_type, type, param, rid);
CREATE INDEX idx_reference_url ON idx_reference (url, type, param) WHERE url <> '';
CREATE INDEX idx_reference_rid ON idx_reference (rid, param);

CREATE TABLE idx_date (
    rid INTEGER NOT NULL,
    type TEXT NOT NULL,
    param TEXT NOT NULL,
    lo_us INTEGER NOT NULL,
    hi_us INTEGER NOT NULL
);
CREATE INDEX idx_date_value ON idx_date (type, param, lo_us, hi_us, rid);
CREATE INDEX idx_date_end ON idx_date (type, param, hi_us);
CREATE INDEX idx_date_rid ON idx_date (rid, param);

CREATE TABLE idx_string (
    rid INTEGER NOT NULL,
    type TEXT NOT NULL,
    param TEXT NOT NULL,
    value TEXT NOT NULL,
    norm TEXT NOT NULL
);
CREATE INDEX idx_string_value ON idx_string (type, param, norm, rid);
CREATE INDEX idx_string_rid ON idx_string (rid, param);

CREATE TABLE idx_uri (
    rid INTEGER NOT NULL,
    type TEXT NOT NULL,
    param TEXT NOT NULL,
    value TEXT NOT NULL
);
CREATE INDEX idx_uri_value ON idx_uri (type, param, value, rid);
CREATE INDEX idx_uri_rid ON idx_uri (rid, param);

CREATE TABLE idx_quantity (
    rid INTEGER NOT NULL,
    type TEXT NOT NULL,
    param TEXT NOT NULL,
    value REAL NOT NULL,
    system TEXT NOT NULL DEFAULT '',
    code TEXT NOT NULL DEFAULT '',
    unit TEXT NOT NULL DEFAULT ''
);
CREATE INDEX idx_quantity_value ON idx_quantity (type, param, value, rid);
CREATE INDEX idx_quantity_rid ON idx_quantity (rid, param);

CREATE TABLE idx_position (
    rid INTEGER NOT NULL,
    type TEXT NOT NULL,
    param TEXT NOT NULL,
    latitude REAL NOT NULL,
    longitude REAL NOT NULL
);
CREATE INDEX idx_position_value ON idx_position (type, param, latitude, longitude, rid);
CREATE INDEX idx_position_rid ON idx_position (rid, param);

-- A search without a more selective condition walks a type in order of creation.
CREATE INDEX resource_type_rid ON resource (type, rid);
