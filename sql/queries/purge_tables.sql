-- The tables to look through, and how many rows of each are some 4 MB. Not those that somebody else made in our schema.
SELECT c.relname::text AS relation, c.relname = ANY (ours.names) AS is_ours,
       CASE WHEN c.reltuples > 0 THEN least(5000, greatest(1, 4194304 / (pg_table_size(c.oid) / c.reltuples + 1)))::bigint ELSE 100 END AS most
FROM pg_class AS c,
     (SELECT regexp_split_to_array('activity_minutes companies contacts control credentials crm_associations dead_letters engagement_action_items engagement_companies
          engagement_contacts engagement_gaps engagement_media engagement_signals engagement_tags engagement_transcripts engagements
          enrichment_queue entity_changes last_writes list_walks outbox queue_minutes schema_migrations schema_objects scope_denials scope_grants suppressions tags upkeep
          users webhook_events workers', '\s+') AS names) AS ours
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relname <> 'purge_needles'
ORDER BY c.relname;
