-- Whether a job is due that has to run alone, and may run.
SELECT NOT (SELECT paused FROM control)
       AND EXISTS (SELECT FROM enrichment_queue AS q WHERE q.losses >= 2 AND q.losses < 5 AND q.available_at <= now()) AS are_due;
