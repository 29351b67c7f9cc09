-- After hundreds of deaths under load there are tens of thousands of suspects: each is found without sorting the others.

DROP INDEX enrichment_queue_suspects;
CREATE INDEX enrichment_queue_suspects
    ON enrichment_queue ((CASE WHEN priority > 0 THEN 1 WHEN priority < 0 THEN -1 ELSE 0 END) DESC, available_at, id)
    WHERE losses >= 2;
