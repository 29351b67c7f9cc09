-- Whether an insert rings the bell, on, off or missing: the trigger may have been switched off, or left out.
SELECT coalesce((
    SELECT CASE WHEN t.tgenabled IN ('O', 'A') THEN 'on' ELSE 'off' END
    FROM pg_trigger AS t WHERE t.tgrelid = to_regclass('enrichment_queue') AND t.tgname = 'ring_bell'), 'missing') AS bell;
