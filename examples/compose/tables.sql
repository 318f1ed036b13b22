-- The customer's tables. Keys compare byte by byte (COLLATE "C"), so that no two of our keys are one to the database.
CREATE TABLE member (
    segment_id bigint       NOT NULL,
    client_id  varchar(255) COLLATE "C" NOT NULL,
    updated    timestamptz  NOT NULL,
    PRIMARY KEY (segment_id, client_id)
);
CREATE TABLE segment (
    segment_id bigint PRIMARY KEY,
    name       varchar(255) NOT NULL,
    updated    timestamptz  NOT NULL
);
