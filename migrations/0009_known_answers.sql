-- migrate:up
-- The answer after which nothing of a credential's product was touched. When it comes again, byte for byte, there is
-- nothing to read and nothing to compare. Part of the read-back: what makes that void (watch is null then) makes this
-- void.

alter table flanks_internal.read_backs
  add column answer_hash uuid,
  add column answer_seed bigint,
  add column answer_bytes bigint,
  add column answer_records bigint;
comment on column flanks_internal.read_backs.answer_hash is 'Of the last answer that was stored whole, with the question and the day (sync/answer_digest.hpp); every window that writes sets it anew. Null: none is known.';
comment on column flanks_internal.read_backs.answer_seed is 'Of answer_hash, so that nobody can prepare two answers that meet.';
comment on column flanks_internal.read_backs.answer_bytes is 'Size of that answer.';
comment on column flanks_internal.read_backs.answer_records is 'Records in that answer.';
