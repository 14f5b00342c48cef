-- Values that searches look at, written together with the resource they come from.
-- Each table is reached from a value (which resources have it?) and by rid (does this resource have it?).

CREATE TABLE idx_token (
    rid BIGINT NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    param TEXT COLLATE "C" NOT NULL,
    system TEXT COLLATE "C" NOT NULL DEFAULT '',
    code TEXT COLLATE "C" NOT NULL DEFAULT '',
    text_norm TEXT COLLATE "C" NOT NULL DEFAULT ''
);
CREATE INDEX idx_token_value ON idx_token (type, param, code, system, rid);
CREATE INDEX idx_token_text ON idx_token (type, param, text_norm) WHERE text_norm <> '';
CREATE INDEX idx_token_rid ON idx_token (rid, param);

CREATE TABLE idx_reference (
    rid BIGINT NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    param TEXT COLLATE "C" NOT NULL,
    target_type TEXT COLLATE "C" NOT NULL DEFAULT '',
    target_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    url TEXT COLLATE "C" NOT NULL DEFAULT ''
);
CREATE INDEX idx_reference_target ON idx_reference (target_id, target_type, type, param, rid);
CREATE INDEX idx_reference_url ON idx_reference (url, type, param) WHERE url <> '';
CREATE INDEX idx_reference_rid ON idx_reference (rid, param);

CREATE TABLE idx_date (
    rid BIGINT NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    param TEXT COLLATE "C" NOT NULL,
    lo_us BIGINT NOT NULL,
    hi_us BIGINT NOT NULL
);
CREATE INDEX idx_date_value ON idx_date (type, param, lo_us, hi_us, rid);
CREATE INDEX idx_date_end ON idx_date (type, param, hi_us);
CREATE INDEX idx_date_rid ON idx_date (rid, param);

CREATE TABLE idx_string (
    rid BIGINT NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    param TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    norm TEXT COLLATE "C" NOT NULL
);
CREATE INDEX idx_string_value ON idx_string (type, param, norm, rid);
CREATE INDEX idx_string_rid ON idx_string (rid, param);

CREATE TABLE idx_uri (
    rid BIGINT NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    param TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL
);
CREATE INDEX idx_uri_value ON idx_uri (type, param, value, rid);
CREATE INDEX idx_uri_rid ON idx_uri (rid, param);

CREATE TABLE idx_quantity (
    rid BIGINT NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    param TEXT COLLATE "C" NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    system TEXT COLLATE "C" NOT NULL DEFAULT '',
    code TEXT COLLATE "C" NOT NULL DEFAULT '',
    unit TEXT COLLATE "C" NOT NULL DEFAULT ''
);
CREATE INDEX idx_quantity_value ON idx_quantity (type, param, value, rid);
CREATE INDEX idx_quantity_rid ON idx_quantity (rid, param);

CREATE TABLE idx_position (
    rid BIGINT NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    param TEXT COLLATE "C" NOT NULL,
    latitude DOUBLE PRECISION NOT NULL,
    longitude DOUBLE PRECISION NOT NULL
);
CREATE INDEX idx_position_value ON idx_position (type, param, latitude, longitude, rid);
CREATE INDEX idx_position_rid ON idx_position (rid, param);

-- A search without a more selective condition walks a type in order of creation.
CREATE INDEX resource_type_rid ON resource (type, rid);
