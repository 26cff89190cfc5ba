PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO meta VALUES('vocabulary','[{"id": 1, "name": "car", "isthing": 1, "supercategory": "car", "color": [36, 95, 239]}, {"id": 2, "name": "grass", "isthing": 0, "supercategory": "grass", "color": [104, 165, 74]}, {"id": 3, "name": "sky", "isthing": 0, "supercategory": "sky", "color": [120, 175, 225]}]');
INSERT INTO meta VALUES('settings','{"things": {"class": "detectors.grounding_dino.GroundingDino", "settings": {"box_threshold": 0.2, "text_threshold": 0.2, "same_category_iou": 0.6, "cross_category_iou": 0.8, "max_boxes": 100, "names_per_caption": null}, "dtype": "torch.float32", "weights": "dba888fe87e3e3c8b891070ffef03a30"}, "stuff": {"class": "detectors.clipseg.ClipSeg", "settings": {"template": "{}", "words_per_pass": 32}, "dtype": "torch.float32", "weights": "1193ca1027b9d0ce5a4b1f33fddc1b06"}, "segmenter": {"class": "sam2core.image_segmenter.ImageSegmenter", "dtype": "torch.float32", "weights": "b960c3e07adb7f0813bf5b365660d048"}, "settings": {"regions": {"background": 0.1, "erosion": 0.015, "min_area": 0.002, "max_components": 8}, "sampling": {"positives": 12, "negatives": 8, "reach": 0.25}, "stuff_masks": {"min_agreement": 0.5, "heat_weight": 1.0, "heat_bound": 4.0, "mask_bound": 6.0}, "merge": {"mask_threshold": 0.0, "stuff_weight": 0.2, "min_visible": 0.5, "inside_share": 0.5, "min_thing_area": 0.0002, "min_stuff_area": 0.005, "min_unknown_area": 0.003, "min_fragment": 0.0002, "min_fragment_share": 0.02, "max_hole": 0.001, "seam": 0.004}, "seed": 0, "region_side": 768, "fill_unknown": false, "automatic": {"points_per_side": 32, "min_iou": 0.8, "min_stability": 0.95, "stability_offset": 1.0, "max_overlap": 0.7, "max_coverage": 0.95, "min_area": 0, "crop_layers": 0, "crop_overlap": 0.3413333333333333, "crop_grid_divisor": 1, "crop_margin": 20}}, "quality": {"things": {"weights": {"detector": 0.6383263314452379, "margin": 0.0, "predicted_iou": 0.9176936722559795, "stability": 1.167586823054818, "agreement": 0.470151108143267, "visible": 0.44900860094179806}, "centres": {"detector": -0.412928621282358, "margin": 0.0, "predicted_iou": 1.573003783498078, "stability": 1.3633921017557893, "agreement": 1.4884405252289452, "visible": 3.899240549447844}, "bias": 0.5897925890105654}, "stuff": {"weights": {"detector": 1.11177268767165, "margin": 0.0, "predicted_iou": 0.45393652972780396, "stability": 0.8027635049553545, "agreement": 0.9442278124481485, "visible": 2.071063817368521}, "centres": {"detector": 2.6603636156992705, "margin": 0.0, "predicted_iou": 2.9279637527666402, "stability": 2.871360005293428, "agreement": 2.679758724992968, "visible": 4.492812258981312}, "bias": 5.321594301643188}}}');
INSERT INTO meta VALUES('settings_hash','"0f53cf0779c71526943da749d1b5c80d"');
INSERT INTO meta VALUES('source','"PHOTOS"');
INSERT INTO meta VALUES('scan','1');
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
INSERT INTO items VALUES(1,'one.jpg','PHOTOS/one.jpg','image',NULL,NULL,'2119-1795755983690740357',NULL,1,'one','one','done','2c4fcceb3d278e8cb662403bc99e65ef','0f53cf0779c71526943da749d1b5c80d','2119-1795755983690740357',1795755991.3286485672,0.15115160000004834728,NULL,96,128,1,0.99999019047521064962,NULL,NULL,NULL);
CREATE TABLE segments (
  item INTEGER NOT NULL REFERENCES items (id),
  id INTEGER NOT NULL,
  category INTEGER NOT NULL,
  area INTEGER NOT NULL,
  score REAL NOT NULL,
  quality REAL,
  PRIMARY KEY (item, id)
) WITHOUT ROWID;
INSERT INTO segments VALUES(1,1,2,7168,0.99347137438599020242,0.99999110381534139779);
INSERT INTO segments VALUES(1,2,3,5120,0.99366847740020602941,0.99998927713507990144);
CREATE INDEX items_state ON items (state, name);
CREATE INDEX items_keyless ON items (name) WHERE key IS NULL;
COMMIT;
PRAGMA user_version=1;
