"""Records cameras as they come and accounts for every second: recorder, index, ledger, integrity, retention, exports.

Stands alone: nothing here needs analysis, Redis, the console or the site's database. The SQLite index on the recording
volume is opened only by this package (`pipelines.recording.index`) and can be rebuilt from what lies on the disk.
"""
