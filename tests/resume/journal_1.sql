-- A journal of schema 1, as this made it (revision c6a1694), dumped by sqlite3:
--
--     bulkput upload --journal up.db --gzip always --gzip-level 6 --gzip-as suffix --encode-names percent
--         --mtime-format swiftclient --meta Color:blue /srv/tree swift://archive/p
PRAGMA application_id = 1651862635;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE files (
        path BLOB PRIMARY KEY,      -- absolute; bytes, as the file system has them
        size INTEGER,               -- of the source, in bytes
        mtime_ns INTEGER,           -- of the source
        name TEXT,                  -- of the object; NULL: there is none for this path
        etag TEXT,                  -- as the store proved it; NULL: it proves none, or the file failed
        outcome TEXT NOT NULL,      -- uploaded, failed
        attempts INTEGER NOT NULL,  -- requests for it in the last run that sent it
        error TEXT,
        run INTEGER NOT NULL,       -- which run says so
        at_s INTEGER NOT NULL       -- when, in seconds since 1970
    ) WITHOUT ROWID;
INSERT INTO "files" VALUES(X'2F7372762F747265652F61',3,1700000000123456789,'p/a.gz','e4846021523018fdd71f215570e30d6d','uploaded',1,NULL,1,1795717130);
INSERT INTO "files" VALUES(X'2F7372762F747265652F62',5,1700000000123456790,'p/b.gz','be7c3fb4c1e017e76a689c104fce4d5f','uploaded',1,NULL,1,1795717130);
INSERT INTO "files" VALUES(X'2F7372762F747265652F7375622F63',15,1700000000123456791,'p/sub/c.gz','0f6a2b51a88702c5a4fc5949affb5658','uploaded',1,NULL,1,1795717130);
CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        what TEXT NOT NULL,         -- all, failed: which files it looked at
        began_s REAL NOT NULL,      -- seconds since 1970
        ended_s REAL,               -- NULL: it goes on, or was killed
        ending TEXT                 -- complete, or why not
    );
INSERT INTO "runs" VALUES(1,'all',1.79571713000628042219e+09,1.7957171302021007538e+09,'complete');
CREATE TABLE settings (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) WITHOUT ROWID;
INSERT INTO "settings" VALUES('--encode-names','percent');
INSERT INTO "settings" VALUES('--gzip','always --gzip-level 6');
INSERT INTO "settings" VALUES('--gzip-as','suffix (always)');
INSERT INTO "settings" VALUES('--header, --meta, --content-type, --cache-control or --expires-in','sha256:7b37f73816fbc053b1e84be9fe248c4a480242e5f9876146db948df9781c3f29');
INSERT INTO "settings" VALUES('--mtime-format','swiftclient');
INSERT INTO "settings" VALUES('SOURCE','["/srv/tree"]');
INSERT INTO "settings" VALUES('destination','swift://archive/p/ (test:tester at http://127.0.0.1:8080/auth/v1.0)');
CREATE INDEX failed ON files (path) WHERE outcome = 'failed';
COMMIT;
