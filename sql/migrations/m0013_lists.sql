-- Columns that hold a list hold nothing else: what is none is NULL, and an issue, as in every other column.

CREATE FUNCTION json_list(j jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN jsonb_typeof(j) = 'array' THEN j END
$$;
COMMENT ON FUNCTION json_list IS 'Internal: the value if it is a list.';

CREATE OR REPLACE FUNCTION project_companies(snapshots snapshot[]) RETURNS SETOF crm_subject LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    RETURN QUERY WITH changed AS MATERIALIZED (
        SELECT n.id, n.raw, n.observed_at, o._observed_at AS previously_at
        FROM entities(snapshots, 'companies') AS n LEFT JOIN companies AS o ON o.id = n.id
        WHERE o.id IS NULL OR (o._observed_at <= n.observed_at AND o._raw <> n.raw)
    ), written AS (
        INSERT INTO companies AS o (id, name, domains, _raw, _observed_at)
        SELECT id, json_text(raw -> 'name'), json_list(raw -> 'domains'), raw, observed_at FROM changed ORDER BY id
        ON CONFLICT (id) DO UPDATE SET
            name = excluded.name, domains = excluded.domains,
            _raw = excluded._raw, _observed_at = excluded._observed_at, _changed_at = now()
        WHERE o._observed_at <= excluded._observed_at AND o._raw <> excluded._raw
        RETURNING o.id
    )
    SELECT 'company', c.id, c.raw -> 'crm_association', c.observed_at, c.previously_at FROM written JOIN changed AS c USING (id);
END $$;

CREATE OR REPLACE FUNCTION project_contacts(snapshots snapshot[]) RETURNS SETOF crm_subject LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    RETURN QUERY WITH changed AS MATERIALIZED (
        SELECT n.id, n.raw, n.observed_at, o._observed_at AS previously_at
        FROM entities(snapshots, 'contacts') AS n LEFT JOIN contacts AS o ON o.id = n.id
        WHERE o.id IS NULL OR (o._observed_at <= n.observed_at AND o._raw <> n.raw)
    ), written AS (
        INSERT INTO contacts AS o (id, first_name, last_name, primary_email, emails, company_id, _raw, _observed_at)
        SELECT id, json_text(raw -> 'first_name'), json_text(raw -> 'last_name'), primary_email(raw -> 'emails'), json_list(raw -> 'emails'),
               json_text(raw #> '{company,id}'), raw, observed_at
        FROM changed ORDER BY id
        ON CONFLICT (id) DO UPDATE SET
            first_name = excluded.first_name, last_name = excluded.last_name, primary_email = excluded.primary_email,
            emails = excluded.emails, company_id = excluded.company_id,
            _raw = excluded._raw, _observed_at = excluded._observed_at, _changed_at = now()
        WHERE o._observed_at <= excluded._observed_at AND o._raw <> excluded._raw
        RETURNING o.id
    )
    SELECT 'contact', c.id, c.raw -> 'crm_association', c.observed_at, c.previously_at FROM written JOIN changed AS c USING (id);
END $$;

CREATE OR REPLACE FUNCTION project_users(snapshots snapshot[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    INSERT INTO users AS o (id, role, first_name, last_name, job_title, primary_email, emails, time_zone, created_at, updated_at,
                            last_activity_at, _raw, _observed_at)
    SELECT n.id, json_text(n.raw -> 'role'), json_text(n.raw -> 'first_name'), json_text(n.raw -> 'last_name'),
           json_text(n.raw -> 'job_title'), primary_email(n.raw -> 'emails'), json_list(n.raw -> 'emails'), json_text(n.raw -> 'time_zone'),
           json_timestamp(n.raw -> 'created_at'), json_timestamp(n.raw -> 'updated_at'), json_timestamp(n.raw -> 'last_activity_at'),
           n.raw, n.observed_at
    FROM entities(snapshots, 'owner') AS n LEFT JOIN users AS o ON o.id = n.id
    WHERE o.id IS NULL OR (o._observed_at <= n.observed_at AND o._raw <> n.raw)
    ORDER BY n.id
    ON CONFLICT (id) DO UPDATE SET
        role = excluded.role, first_name = excluded.first_name, last_name = excluded.last_name, job_title = excluded.job_title,
        primary_email = excluded.primary_email, emails = excluded.emails, time_zone = excluded.time_zone,
        created_at = excluded.created_at, updated_at = excluded.updated_at, last_activity_at = excluded.last_activity_at,
        _raw = excluded._raw, _observed_at = excluded._observed_at, _changed_at = now()
    WHERE o._observed_at <= excluded._observed_at AND o._raw <> excluded._raw;
END $$;
