-- Whether a job is due that has to run alone, and could be claimed: one that a person has locked could not.
SELECT NOT (SELECT paused FROM control)
       AND EXISTS (SELECT FROM (SELECT FROM enrichment_queue AS q
                                WHERE q.losses >= 2 AND q.losses < 5 AND q.available_at <= now()
                                LIMIT 1 FOR UPDATE SKIP LOCKED) AS suspect) AS are_due;
