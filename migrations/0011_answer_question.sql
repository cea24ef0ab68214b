-- migrate:up
-- Another answer to the very question that a remembered answer was for: something changed, and whether nothing did need
-- not be asked first.

alter table flanks_internal.read_backs add column answer_question bigint;
comment on column flanks_internal.read_backs.answer_question is 'Of the question and the day that answer_hash is for: a hash that only tells whether comparing is worth it.';
