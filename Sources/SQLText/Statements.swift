package import Postgres

/// Every statement of `sql/queries`, one file each; a test compares this list with the folder and prepares each of them.
package enum Statements {
    package static let activityPrune = Statement(name: "activity_prune", embedded: PackageResources.activity_prune_sql)
    package static let bellChannel = Statement(name: "bell_channel", embedded: PackageResources.bell_channel_sql)
    package static let clockRead = Statement(name: "clock_read", embedded: PackageResources.clock_read_sql)
    package static let clockSkew = Statement(name: "clock_skew", embedded: PackageResources.clock_skew_sql)
    package static let controlPause = Statement(name: "control_pause", embedded: PackageResources.control_pause_sql)
    package static let controlResume = Statement(name: "control_resume", embedded: PackageResources.control_resume_sql)
    package static let controlShow = Statement(name: "control_show", embedded: PackageResources.control_show_sql)
    package static let credentialJudge = Statement(
        name: "credential_judge", embedded: PackageResources.credential_judge_sql)
    package static let credentialOpen = Statement(
        name: "credential_open", embedded: PackageResources.credential_open_sql)
    package static let credentialSee = Statement(name: "credential_see", embedded: PackageResources.credential_see_sql)
    package static let credentialShow = Statement(
        name: "credential_show", embedded: PackageResources.credential_show_sql)
    package static let credentialTry = Statement(name: "credential_try", embedded: PackageResources.credential_try_sql)
    package static let deadCount = Statement(name: "dead_count", embedded: PackageResources.dead_count_sql)
    package static let deadDiscard = Statement(name: "dead_discard", embedded: PackageResources.dead_discard_sql)
    package static let deadList = Statement(name: "dead_list", embedded: PackageResources.dead_list_sql)
    package static let deadRelease = Statement(name: "dead_release", embedded: PackageResources.dead_release_sql)
    package static let deadReplay = Statement(name: "dead_replay", embedded: PackageResources.dead_replay_sql)
    package static let deadShow = Statement(name: "dead_show", embedded: PackageResources.dead_show_sql)
    package static let deadUnknown = Statement(name: "dead_unknown", embedded: PackageResources.dead_unknown_sql)
    package static let demoContacts = Statement(name: "demo_contacts", embedded: PackageResources.demo_contacts_sql)
    package static let demoDenied = Statement(name: "demo_denied", embedded: PackageResources.demo_denied_sql)
    package static let demoEngagements = Statement(
        name: "demo_engagements", embedded: PackageResources.demo_engagements_sql)
    package static let demoItems = Statement(name: "demo_items", embedded: PackageResources.demo_items_sql)
    package static let demoLinks = Statement(name: "demo_links", embedded: PackageResources.demo_links_sql)
    package static let demoMissing = Statement(name: "demo_missing", embedded: PackageResources.demo_missing_sql)
    package static let doctorBell = Statement(name: "doctor_bell", embedded: PackageResources.doctor_bell_sql)
    package static let doctorDrift = Statement(name: "doctor_drift", embedded: PackageResources.doctor_drift_sql)
    package static let doctorRecorded = Statement(
        name: "doctor_recorded", embedded: PackageResources.doctor_recorded_sql)
    package static let doctorRights = Statement(name: "doctor_rights", embedded: PackageResources.doctor_rights_sql)
    package static let doctorServer = Statement(name: "doctor_server", embedded: PackageResources.doctor_server_sql)
    package static let doctorVacuum = Statement(name: "doctor_vacuum", embedded: PackageResources.doctor_vacuum_sql)
    package static let dryRunDenied = Statement(name: "dry_run_denied", embedded: PackageResources.dry_run_denied_sql)
    package static let dryRunPlan = Statement(name: "dry_run_plan", embedded: PackageResources.dry_run_plan_sql)
    package static let dryRunSides = Statement(name: "dry_run_sides", embedded: PackageResources.dry_run_sides_sql)
    package static let engagementETags = Statement(
        name: "engagement_etags", embedded: PackageResources.engagement_etags_sql)
    package static let engagementIngest = Statement(
        name: "engagement_ingest", embedded: PackageResources.engagement_ingest_sql)
    package static let engagementShow = Statement(
        name: "engagement_show", embedded: PackageResources.engagement_show_sql)
    package static let eventPrune = Statement(name: "event_prune", embedded: PackageResources.event_prune_sql)
    package static let eventReceive = Statement(name: "event_receive", embedded: PackageResources.event_receive_sql)
    package static let eventSpread = Statement(name: "event_spread", embedded: PackageResources.event_spread_sql)
    package static let jobClaim = Statement(name: "job_claim", embedded: PackageResources.job_claim_sql)
    package static let jobClaimSuspect = Statement(
        name: "job_claim_suspect", embedded: PackageResources.job_claim_suspect_sql)
    package static let jobExtend = Statement(name: "job_extend", embedded: PackageResources.job_extend_sql)
    package static let jobInsert = Statement(name: "job_insert", embedded: PackageResources.job_insert_sql)
    package static let jobInsertHeld = Statement(
        name: "job_insert_held", embedded: PackageResources.job_insert_held_sql)
    package static let jobNextDue = Statement(name: "job_next_due", embedded: PackageResources.job_next_due_sql)
    package static let jobReclaim = Statement(name: "job_reclaim", embedded: PackageResources.job_reclaim_sql)
    package static let jobSettle = Statement(name: "job_settle", embedded: PackageResources.job_settle_sql)
    package static let jobSuspects = Statement(name: "job_suspects", embedded: PackageResources.job_suspects_sql)
    package static let mediaExpire = Statement(name: "media_expire", embedded: PackageResources.media_expire_sql)
    package static let migrationsApplied = Statement(
        name: "migrations_applied", embedded: PackageResources.migrations_applied_sql)
    package static let outboxPrune = Statement(name: "outbox_prune", embedded: PackageResources.outbox_prune_sql)
    package static let purgeCheck = Statement(name: "purge_check", embedded: PackageResources.purge_check_sql)
    package static let purgeEnd = Statement(name: "purge_end", embedded: PackageResources.purge_end_sql)
    package static let purgeEngagement = Statement(
        name: "purge_engagement", embedded: PackageResources.purge_engagement_sql)
    package static let purgeForget = Statement(name: "purge_forget", embedded: PackageResources.purge_forget_sql)
    package static let purgeKey = Statement(name: "purge_key", embedded: PackageResources.purge_key_sql)
    package static let purgeNeedles = Statement(name: "purge_needles", embedded: PackageResources.purge_needles_sql)
    package static let purgePersons = Statement(name: "purge_persons", embedded: PackageResources.purge_persons_sql)
    package static let purgeRedact = Statement(name: "purge_redact", embedded: PackageResources.purge_redact_sql)
    package static let purgeRehearse = Statement(
        name: "purge_rehearse", embedded: PackageResources.purge_rehearse_sql)
    package static let purgeSuppress = Statement(name: "purge_suppress", embedded: PackageResources.purge_suppress_sql)
    package static let purgeTables = Statement(name: "purge_tables", embedded: PackageResources.purge_tables_sql)
    package static let purgeWho = Statement(name: "purge_who", embedded: PackageResources.purge_who_sql)
    package static let queueBloat = Statement(name: "queue_bloat", embedded: PackageResources.queue_bloat_sql)
    package static let queueSummary = Statement(name: "queue_summary", embedded: PackageResources.queue_summary_sql)
    package static let rateMeet = Statement(name: "rate_meet", embedded: PackageResources.rate_meet_sql)
    package static let rateTrial = Statement(name: "rate_trial", embedded: PackageResources.rate_trial_sql)
    package static let rateTurns = Statement(name: "rate_turns", embedded: PackageResources.rate_turns_sql)
    package static let reportActivity = Statement(
        name: "report_activity", embedded: PackageResources.report_activity_sql)
    package static let reportCauses = Statement(name: "report_causes", embedded: PackageResources.report_causes_sql)
    package static let reportSlowest = Statement(name: "report_slowest", embedded: PackageResources.report_slowest_sql)
    package static let reprojectSlice = Statement(
        name: "reproject_slice", embedded: PackageResources.reproject_slice_sql)
    package static let scopeDeny = Statement(name: "scope_deny", embedded: PackageResources.scope_deny_sql)
    package static let scopeGrant = Statement(name: "scope_grant", embedded: PackageResources.scope_grant_sql)
    package static let scopeList = Statement(name: "scope_list", embedded: PackageResources.scope_list_sql)
    package static let scopeLook = Statement(name: "scope_look", embedded: PackageResources.scope_look_sql)
    package static let scopeProbe = Statement(name: "scope_probe", embedded: PackageResources.scope_probe_sql)
    package static let scopeProbeAgain = Statement(
        name: "scope_probe_again", embedded: PackageResources.scope_probe_again_sql)
    package static let scopeProbeQueue = Statement(
        name: "scope_probe_queue", embedded: PackageResources.scope_probe_queue_sql)
    package static let scopePurge = Statement(name: "scope_purge", embedded: PackageResources.scope_purge_sql)
    package static let scopeRecheck = Statement(name: "scope_recheck", embedded: PackageResources.scope_recheck_sql)
    package static let scopeRefill = Statement(name: "scope_refill", embedded: PackageResources.scope_refill_sql)
    package static let stateShow = Statement(name: "state_show", embedded: PackageResources.state_show_sql)
    package static let statusDead = Statement(name: "status_dead", embedded: PackageResources.status_dead_sql)
    package static let statusFacts = Statement(name: "status_facts", embedded: PackageResources.status_facts_sql)
    package static let statusGaps = Statement(name: "status_gaps", embedded: PackageResources.status_gaps_sql)
    package static let statusMinutes = Statement(
        name: "status_minutes", embedded: PackageResources.status_minutes_sql)
    package static let statusPages = Statement(name: "status_pages", embedded: PackageResources.status_pages_sql)
    package static let statusParts = Statement(name: "status_parts", embedded: PackageResources.status_parts_sql)
    package static let statusQueue = Statement(name: "status_queue", embedded: PackageResources.status_queue_sql)
    package static let statusWorkers = Statement(name: "status_workers", embedded: PackageResources.status_workers_sql)
    package static let statusReasons = Statement(
        name: "status_reasons", embedded: PackageResources.status_reasons_sql)
    package static let statusReasonsAbout = Statement(
        name: "status_reasons_about", embedded: PackageResources.status_reasons_about_sql)
    package static let statusScopes = Statement(name: "status_scopes", embedded: PackageResources.status_scopes_sql)
    package static let statusWalks = Statement(name: "status_walks", embedded: PackageResources.status_walks_sql)
    package static let tablesLocked = Statement(name: "tables_locked", embedded: PackageResources.tables_locked_sql)
    package static let transcriptsKeep = Statement(
        name: "transcripts_keep", embedded: PackageResources.transcripts_keep_sql)
    package static let transcriptsRetain = Statement(
        name: "transcripts_retain", embedded: PackageResources.transcripts_retain_sql)
    package static let verifyNote = Statement(name: "verify_note", embedded: PackageResources.verify_note_sql)
    package static let verifyPage = Statement(name: "verify_page", embedded: PackageResources.verify_page_sql)
    package static let verifyQueue = Statement(name: "verify_queue", embedded: PackageResources.verify_queue_sql)
    package static let verifyStored = Statement(name: "verify_stored", embedded: PackageResources.verify_stored_sql)
    package static let walkDue = Statement(name: "walk_due", embedded: PackageResources.walk_due_sql)
    package static let walkHold = Statement(name: "walk_hold", embedded: PackageResources.walk_hold_sql)
    package static let walkPage = Statement(name: "walk_page", embedded: PackageResources.walk_page_sql)
    package static let walkRecent = Statement(name: "walk_recent", embedded: PackageResources.walk_recent_sql)
    package static let walkTake = Statement(name: "walk_take", embedded: PackageResources.walk_take_sql)
    package static let workerBeat = Statement(name: "worker_beat", embedded: PackageResources.worker_beat_sql)
    package static let workerIdle = Statement(name: "worker_idle", embedded: PackageResources.worker_idle_sql)
    package static let workerLeave = Statement(name: "worker_leave", embedded: PackageResources.worker_leave_sql)
    package static let workerOthers = Statement(name: "worker_others", embedded: PackageResources.worker_others_sql)
    package static let workerRegister = Statement(
        name: "worker_register", embedded: PackageResources.worker_register_sql)
    package static let workspaceName = Statement(
        name: "workspace_name", embedded: PackageResources.workspace_name_sql)
    package static let writeDocuments = Statement(
        name: "write_documents", embedded: PackageResources.write_documents_sql)
    package static let writeFind = Statement(name: "write_find", embedded: PackageResources.write_find_sql)
    package static let writeSettled = Statement(name: "write_settled", embedded: PackageResources.write_settled_sql)

    package static let all: [Statement] = [
        activityPrune, bellChannel, clockRead, clockSkew, controlPause, controlResume, controlShow, credentialJudge,
        credentialOpen, credentialSee, credentialShow,
        credentialTry, deadCount, deadDiscard, deadList, deadRelease, deadReplay, deadShow, deadUnknown, demoContacts,
        demoDenied,
        demoEngagements,
        demoItems, demoLinks, demoMissing, doctorBell, doctorDrift, doctorRecorded, doctorRights, doctorServer,
        doctorVacuum,
        dryRunDenied,
        dryRunPlan,
        dryRunSides, engagementETags, engagementIngest,
        engagementShow, eventPrune, eventReceive, eventSpread, jobClaim, jobClaimSuspect, jobExtend, jobInsert,
        jobInsertHeld, jobNextDue, jobReclaim, jobSettle, jobSuspects, mediaExpire, migrationsApplied, outboxPrune,
        purgeCheck, purgeEnd, purgeEngagement, purgeForget, purgeKey, purgeNeedles, purgePersons, purgeRedact,
        purgeRehearse, purgeSuppress, purgeTables, purgeWho, queueBloat,
        queueSummary, rateMeet, rateTrial, rateTurns, reportActivity, reportCauses, reportSlowest, reprojectSlice,
        scopeDeny,
        scopeGrant, scopeList, scopeLook, scopeProbe,
        scopeProbeAgain, scopeProbeQueue, scopePurge, scopeRecheck, scopeRefill, stateShow, statusDead, statusFacts,
        statusGaps, statusMinutes, statusPages, statusParts, statusQueue, statusReasons, statusReasonsAbout,
        statusScopes,
        statusWalks, statusWorkers, tablesLocked, transcriptsKeep, transcriptsRetain,
        verifyNote, verifyPage, verifyQueue, verifyStored,
        walkDue, walkHold, walkPage, walkRecent, walkTake, workerBeat, workerIdle, workerLeave, workerOthers,
        workerRegister,
        workspaceName, writeDocuments, writeFind, writeSettled,
    ]
}
