BEGIN TRANSACTION;
CREATE TABLE items (
  id INTEGER PRIMARY KEY,
  name NOT NULL UNIQUE,          -- within the source; BLOB where it isn't valid Unicode
  source NOT NULL,
  kind TEXT NOT NULL,
  span_start INTEGER, span_length INTEGER,
  stamp TEXT NOT NULL,
  problem TEXT,
  scan INTEGER NOT NULL,         -- the latest look at the source that saw it
  key TEXT UNIQUE,
  folded TEXT UNIQUE,            -- the key in folded case: no clash on any file system
  state TEXT NOT NULL DEFAULT 'waiting',
  content TEXT,                  -- hash of the file that was labelled
  settings TEXT,                 -- hash of words, models and settings that labelled it
  labelled_stamp TEXT,
  time REAL, seconds REAL,
  error TEXT,
  height INTEGER, width INTEGER, frames INTEGER,
  quality REAL,
  verdict TEXT, verdict_time REAL, verdict_note TEXT
);
INSERT INTO "items" VALUES(1,'withdrawn.png','PHOTOS/withdrawn.png','image',NULL,NULL,'130-1795766325736968966',NULL,4,'withdrawn','withdrawn','done','5236328fa05cc14bf567246a85373f59','8e54d3fc86aa9725246e31047c49724a','130-1795766325736968966',1.79576632661159968371e+09,6.61114001559326425194e-04,NULL,12,16,1,0.25,NULL,NULL,NULL);
INSERT INTO "items" VALUES(2,'accepted.png','PHOTOS/accepted.png','image',NULL,NULL,'142-1795766325735861106',NULL,4,'accepted','accepted','done','cbcfbd87265b621a7e33bfc877c1354f','18c73702b129953b4c3ecb1d20053ef3','142-1795766325735861106',1.79576632636736917498e+09,2.21059249270183499902e-04,NULL,12,16,1,0.25,'accept',1.79576632640115880969e+09,'');
INSERT INTO "items" VALUES(3,'plain.png','PHOTOS/plain.png','image',NULL,NULL,'122-1795766325736552445',NULL,4,'plain','plain','done','764f33fc07ec90ec6e5f37ab64f5c149','8e54d3fc86aa9725246e31047c49724a','122-1795766325736552445',1.79576632658767104148e+09,2.06076750146166887134e-04,NULL,12,16,1,0.25,NULL,NULL,NULL);
INSERT INTO "items" VALUES(4,'corrected.png','PHOTOS/corrected.png','image',NULL,NULL,'122-1795766325736332498',NULL,4,'corrected','corrected','done','ba6a1f2276251a5aac88995130735020','18c73702b129953b4c3ecb1d20053ef3','122-1795766325736332498',1.79576632636736917498e+09,2.21059249270183499902e-04,NULL,12,16,1,0.25,'corrected',1.7957663264530389309e+09,'by hand');
INSERT INTO "items" VALUES(5,'clip.mkv','PHOTOS/clip.mkv','video',NULL,NULL,'1013-1795766325745997283',NULL,4,'clip','clip','done','ae4948d5ab46861e861d1a030c371a11','18c73702b129953b4c3ecb1d20053ef3','1013-1795766325745997283',1.79576632636736917498e+09,3.72724049993848893791e-02,NULL,24,32,2,2.57142857142857172991e-01,'corrected',1.79576632648755216605e+09,'');
INSERT INTO "items" VALUES(6,'rejected.png','PHOTOS/rejected.png','image',NULL,NULL,'130-1795766325736765733',NULL,4,'rejected','rejected','done','558e755c16a219156d81a8fe1209cc5f','8e54d3fc86aa9725246e31047c49724a','130-1795766325736765733',1.79576632659145164492e+09,2.06076750146166887134e-04,NULL,12,16,1,0.25,'reject',1.79576632642827534679e+09,'');
INSERT INTO "items" VALUES(7,'broken.png','PHOTOS/broken.png','image',NULL,NULL,'10-1795766326613728290',NULL,3,'broken','broken','failed',NULL,NULL,NULL,1.79576632665144157404e+09,3.10159994114656e-05,'''PHOTOS/broken.png'': no picture of a known format',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO "meta" VALUES('vocabulary','[{"id": 1, "name": "box", "isthing": 1, "supercategory": "box", "color": [36, 95, 239]}, {"id": 2, "name": "boat", "isthing": 1, "supercategory": "boat", "color": [145, 224, 34]}, {"id": 3, "name": "foam", "isthing": 0, "supercategory": "foam", "color": [142, 71, 133]}, {"id": 4, "name": "reef", "isthing": 0, "supercategory": "reef", "color": [58, 117, 107]}]');
INSERT INTO "meta" VALUES('settings','{"version": "0.1.0", "largest_distance": 90}');
INSERT INTO "meta" VALUES('settings_hash','"8e54d3fc86aa9725246e31047c49724a"');
INSERT INTO "meta" VALUES('source','"PHOTOS"');
INSERT INTO "meta" VALUES('scan','4');
CREATE TABLE segments (
  item INTEGER NOT NULL REFERENCES items (id),
  id INTEGER NOT NULL,
  category INTEGER NOT NULL,
  area INTEGER NOT NULL,
  score REAL NOT NULL,
  quality REAL,
  PRIMARY KEY (item, id)
) WITHOUT ROWID;
INSERT INTO "segments" VALUES(1,1,1,40,0.5,0.1);
INSERT INTO "segments" VALUES(1,2,2,64,0.5,0.2);
INSERT INTO "segments" VALUES(1,3,3,44,0.5,0.3);
INSERT INTO "segments" VALUES(1,4,4,44,0.5,0.4);
INSERT INTO "segments" VALUES(2,1,1,34,0.5,0.1);
INSERT INTO "segments" VALUES(2,2,2,64,0.5,0.2);
INSERT INTO "segments" VALUES(2,3,3,47,0.5,0.3);
INSERT INTO "segments" VALUES(2,4,4,47,0.5,0.4);
INSERT INTO "segments" VALUES(3,1,1,16,0.5,0.1);
INSERT INTO "segments" VALUES(3,2,2,64,0.5,0.2);
INSERT INTO "segments" VALUES(3,3,3,64,0.5,0.3);
INSERT INTO "segments" VALUES(3,4,4,48,0.5,0.4);
INSERT INTO "segments" VALUES(4,1,1,29,0.5,0.1);
INSERT INTO "segments" VALUES(4,2,2,64,0.5,0.2);
INSERT INTO "segments" VALUES(4,3,3,54,0.5,0.3);
INSERT INTO "segments" VALUES(4,4,4,45,0.5,0.4);
INSERT INTO "segments" VALUES(5,1,1,54,0.5,0.1);
INSERT INTO "segments" VALUES(5,2,2,64,0.5,0.2);
INSERT INTO "segments" VALUES(5,3,3,322,0.5,0.3);
INSERT INTO "segments" VALUES(5,4,4,360,0.5,0.4);
INSERT INTO "segments" VALUES(6,1,1,22,0.5,0.1);
INSERT INTO "segments" VALUES(6,2,2,64,0.5,0.2);
INSERT INTO "segments" VALUES(6,3,3,48,0.5,0.3);
INSERT INTO "segments" VALUES(6,4,4,58,0.5,0.4);
CREATE INDEX items_state ON items (state, name);
CREATE INDEX items_keyless ON items (name) WHERE key IS NULL;
COMMIT;
PRAGMA user_version=1;
