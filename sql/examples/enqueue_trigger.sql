-- Enqueues from a table of your own: here deals(engagement_id). A trigger for each statement, not for each row: a bulk load costs one
-- INSERT more. Whatever stands in engagement_id, that INSERT does not fail.
--
-- Whoever writes deals needs INSERT on the queue and USAGE on its schema; or let the function run with its owner's rights, as here.

CREATE FUNCTION enqueue_deals() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO askelephant.enrichment_queue (engagement_id, reason)
    SELECT DISTINCT n.engagement_id, 'deals' FROM new_rows AS n WHERE n.engagement_id IS NOT NULL;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION enqueue_deals() FROM PUBLIC;

CREATE TRIGGER enqueue_deals_insert AFTER INSERT ON deals REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION enqueue_deals();
-- A list of columns (UPDATE OF …) cannot be had together with transition tables: each update enqueues.
CREATE TRIGGER enqueue_deals_update AFTER UPDATE ON deals REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION enqueue_deals();
