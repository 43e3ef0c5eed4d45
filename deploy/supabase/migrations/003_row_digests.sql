-- Beside each turn, the keyed digest of the audit log's row as it was taken in, `KEYID:DIGEST`. Null for those of before.

alter table trajectory_turns add column digest text;
