/// SQL that ends backends of workers, for a test that asks which.
package enum Backends {
    /// Ends one backend of some worker, drawn by the number; its process id, no row if there was none.
    package static func terminateOne(_ choice: Int) -> String {
        """
        WITH a AS (
            SELECT pid, row_number() OVER (ORDER BY application_name, backend_start) - 1 AS place, count(*) OVER () AS n
            FROM pg_stat_activity WHERE application_name LIKE 'engagement-worker %' AND datname = current_database())
        SELECT pid::text AS pid, pg_terminate_backend(pid) FROM a WHERE place = \(choice) % n
        """
    }
}
