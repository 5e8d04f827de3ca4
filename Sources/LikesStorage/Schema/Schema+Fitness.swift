extension Schema {
    /// Misfits reported at once. More may show once these are corrected.
    static let misfitsMax = 32

    /// Whether likesd's statements work correctly with the tables. One `SELECT` on the catalogs that returns rows of
    /// text, one for each `SchemaMisfit`, the gravest first; no rows mean that all is well.
    ///
    /// Harmless, so not checked: further tables, columns with a default, indexes, triggers that fire after a row or
    /// before a statement, and checks and foreign keys that can only refuse. What a trigger after a row does to other
    /// rows cannot be seen from here. Harmless as well is the trigger of the take-over (`noteText`), by its text.
    ///
    /// All tables must be in one schema: of those on the search path that have `user_likes`, the one with the most of
    /// likesd's tables, even if others hide them; with equal numbers, the first. A second `likesd_schema` that the role
    /// may read means a second copy of everything, for instance from a restore into its own schema: nobody knows which
    /// likes are meant. All tables must belong to the role that owns the most of them there.
    ///
    /// The rights checked are those of the role that asks, also on a sequence that a column beside likesd's begins
    /// with. Partitions need no rights of their own: PostgreSQL checks
    /// the table's. A right to some columns passes; a statement that needs others reports that itself.
    package static let selectMisfits = """
        WITH wanted (name, place, may_be_partitioned, changes) AS (
            VALUES \(tables.enumerated().map { place, table in
                "('\(table.name)', \(place), \(table.mayBePartitioned), "
                    + "\(table.changes.map(\.rawValue).reduce(0, +)))"
            }.joined(separator: ", "))
        ), wanted_column (name, column_name, type, has_default) AS (
            VALUES \(tables.flatMap { table in
                table.columns.map { column in
                    "('\(table.name)', '\(column.name)', '\(column.type)', \(column.byDefault != nil))"
                }
            }.joined(separator: ", "))
        ), wanted_key (name, columns, sorted) AS (
            VALUES \(tables.flatMap { table in
                table.keys.map { key in
                    "('\(table.name)', '\(key.joined(separator: ", "))', "
                        + "'{\(key.sorted().joined(separator: ","))}'::text[])"
                }
            }.joined(separator: ", "))
        ), wanted_right (name, privilege, number) AS (
            VALUES \(tables.flatMap { table in
                table.rights.enumerated().map { number, right in "('\(table.name)', '\(right)', \(number))" }
            }.joined(separator: ", "))
        ), relation AS (
            SELECT wanted.*, class.oid, class.relkind, format('%I.%I', namespace.nspname, class.relname) AS shown
            FROM wanted
            JOIN pg_class AS class ON class.oid = to_regclass(wanted.name)
            JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
        ), standing (name, oid, relnamespace, relowner, searched) AS (
            SELECT every.name, class.oid, class.relnamespace, class.relowner, searched.place
            FROM unnest(current_schemas(false)) WITH ORDINALITY AS searched (schema, place)
            JOIN pg_namespace AS namespace ON namespace.nspname = searched.schema
            JOIN (SELECT name FROM wanted UNION ALL SELECT 'likesd_schema') AS every ON true
            JOIN pg_class AS class ON class.relnamespace = namespace.oid AND class.relname = every.name
        ), home AS (
            SELECT namespace.oid, quote_ident(namespace.nspname) AS shown,
                quote_ident(pg_get_userbyid(found.owner)) AS owner
            FROM (
                SELECT relnamespace, mode() WITHIN GROUP (ORDER BY relowner) FROM standing
                GROUP BY relnamespace
                ORDER BY bool_or(name = 'user_likes') DESC, count(*) DESC, min(searched)
                LIMIT 1) AS found (namespace, owner)
            JOIN pg_namespace AS namespace ON namespace.oid = found.namespace
        ), part AS (
            SELECT relation.name, relation.place, relation.changes, class.oid, class.relkind, class.relpersistence,
                namespace.nspname, class.relname, format('%I.%I', namespace.nspname, class.relname) AS shown,
                (SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = class.oid LIMIT 1) AS parent
            FROM relation
            CROSS JOIN LATERAL (
                SELECT relation.oid UNION SELECT relid FROM pg_partition_tree(relation.oid)) AS tree (oid)
            JOIN pg_class AS class ON class.oid = tree.oid
            JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
        ), missing_part AS (
            SELECT part.name, part.place, part.shown, wanted.bound,
                wanted.named, to_regclass(wanted.named) AS oid
            FROM part
            JOIN pg_partitioned_table AS parted ON parted.partrelid = part.oid AND parted.partstrat = 'h'
            CROSS JOIN LATERAL (\(missingPartitions(of: "part.oid"))) AS missing (modulus, remainder)
            CROSS JOIN LATERAL (
                SELECT quote_ident(part.nspname) || '.' || quote_ident(part.relname || '_p' || missing.remainder),
                    'MODULUS ' || missing.modulus || ', REMAINDER ' || missing.remainder) AS wanted (named, bound)
        ), present_column AS (
            SELECT relation.name, relation.place, relation.shown, attribute.*
            FROM relation JOIN pg_attribute AS attribute
                ON attribute.attrelid = relation.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
            WHERE relation.relkind IN ('r', 'p')
        ), present_key AS (
            SELECT relation.name, relation.oid, held.indisprimary, held.indisunique AND held.indimmediate
                    AND held.indisvalid AND held.indisready AND held.indpred IS NULL
                    AND held.indexprs IS NULL AS is_sound,
                ARRAY(
                    SELECT attribute.attname::text
                    FROM unnest(held.indkey) WITH ORDINALITY AS key (number, place)
                    JOIN pg_attribute AS attribute
                        ON attribute.attrelid = relation.oid AND attribute.attnum = key.number
                    WHERE key.place <= held.indnkeyatts
                    ORDER BY 1) AS sorted,
                (SELECT quote_ident(conname) FROM pg_constraint
                    WHERE conrelid = relation.oid AND conindid = held.indexrelid AND contype IN ('p', 'u')
                    LIMIT 1) AS held_by
            FROM relation JOIN pg_index AS held ON held.indrelid = relation.oid
        ), found (rank, place, kind, name, shown, object, detail) AS (
            SELECT 0, 0, 'version', 'likesd_schema', 'likesd_schema', coalesce(held.version::text, ''), ''
            FROM (SELECT (SELECT version FROM likesd_schema LIMIT 1)) AS held (version)
            WHERE held.version IS DISTINCT FROM \(version)
            UNION ALL
            SELECT 1, every.place, 'elsewhere', every.name, format('%I.%I', namespace.nspname, class.relname),
                home.shown,
                CASE WHEN to_regclass(home.shown || '.' || every.name) IS NOT NULL THEN
                    quote_ident(current_user) || ' IN DATABASE ' || quote_ident(current_database()) ELSE '' END
            FROM (SELECT name, place FROM wanted UNION ALL SELECT 'likesd_schema', 0) AS every
            JOIN standing USING (name)
            JOIN pg_class AS class ON class.oid = standing.oid
            JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
            JOIN home ON home.oid <> namespace.oid
            WHERE standing.oid = to_regclass(every.name)
                OR every.name = 'likesd_schema' AND has_table_privilege(standing.oid, 'SELECT')
            UNION ALL
            SELECT 1, place, 'no-table', name, coalesce(home.shown || '.', '') || name, '', coalesce(home.owner, '')
            FROM wanted LEFT JOIN home ON true
            WHERE to_regclass(name) IS NULL
            UNION ALL
            SELECT 2, place, 'no-plain-table', name, relation.shown, home.owner,
                CASE relkind WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a materialized view' WHEN 'f' THEN 'a foreign table'
                    WHEN 'p' THEN 'a partitioned table' ELSE 'something else' END
            FROM relation CROSS JOIN home WHERE relkind <> 'r' AND NOT (relkind = 'p' AND may_be_partitioned)
            UNION ALL
            SELECT 2, missing.place, 'no-partition', missing.name, missing.shown, coalesce(missing.bound, ''),
                coalesce((
                    SELECT missing.named
                        || CASE WHEN class.relispartition THEN '\(SchemaMisfit.beingDetached)' ELSE '' END
                    FROM pg_class AS class
                    WHERE class.oid = missing.oid AND class.relkind IN ('r', 'p') AND (
                        NOT class.relispartition OR EXISTS (
                            SELECT FROM pg_inherits AS held
                            WHERE held.inhrelid = class.oid AND \(isBeingDetached("held")))))
                , '')
            FROM missing_part AS missing
            UNION ALL
            SELECT 3, place, 'no-right', name, shown, quote_ident(current_user),
                string_agg(privilege, ', ' ORDER BY number)
            FROM relation JOIN wanted_right USING (name)
            WHERE relkind IN ('r', 'p') AND NOT CASE privilege
                WHEN 'DELETE' THEN has_table_privilege(oid, privilege)
                ELSE has_any_column_privilege(oid, privilege) END
            GROUP BY name, place, shown
            UNION ALL
            SELECT 3, relation.place, 'no-right', relation.name,
                'SEQUENCE ' || format('%I.%I', namespace.nspname, sequence.relname), quote_ident(current_user), 'USAGE'
            FROM relation
            JOIN present_column AS present ON present.attrelid = relation.oid
            JOIN pg_attrdef AS given ON given.adrelid = relation.oid AND given.adnum = present.attnum
            JOIN pg_depend AS needed ON needed.classid = 'pg_attrdef'::regclass AND needed.objid = given.oid
                AND needed.refclassid = 'pg_class'::regclass
            JOIN pg_class AS sequence ON sequence.oid = needed.refobjid
            JOIN pg_namespace AS namespace ON namespace.oid = sequence.relnamespace
            WHERE CASE sequence.relkind
                WHEN 'S' THEN NOT has_sequence_privilege(sequence.oid, 'USAGE, UPDATE') ELSE false END
            UNION ALL
            SELECT 3, place, 'row-security', name, shown, '', '' FROM relation WHERE row_security_active(oid)
            UNION ALL
            SELECT 4, relation.place, 'inherited', relation.name, relation.shown, inhrelid::regclass::text, ''
            FROM relation JOIN pg_inherits ON inhparent = relation.oid WHERE relation.relkind = 'r'
            UNION ALL
            SELECT 5, place, 'foreign', name, shown, '', parent FROM part WHERE relkind = 'f' AND parent IS NOT NULL
            UNION ALL
            SELECT 6, place, 'no-column', wanted.name, shown, wanted.column_name, wanted.type
            FROM relation JOIN wanted_column AS wanted USING (name)
            WHERE relation.relkind IN ('r', 'p') AND NOT EXISTS (
                SELECT FROM present_column AS present
                WHERE present.name = wanted.name AND present.attname = wanted.column_name)
            UNION ALL
            SELECT 7, present.place, kind, present.name, present.shown, present.attname, detail
            FROM present_column AS present
            JOIN wanted_column AS wanted ON wanted.name = present.name AND wanted.column_name = present.attname
            CROSS JOIN LATERAL (
                SELECT 'column-type', wanted.type WHERE present.atttypid <> wanted.type::regtype
                UNION ALL
                SELECT 'generated', CASE present.attidentity WHEN '' THEN 'EXPRESSION' ELSE 'IDENTITY' END
                WHERE present.attgenerated <> '' OR present.attidentity = 'a'
                UNION ALL
                SELECT 'nullable', '' WHERE NOT present.attnotnull
                UNION ALL
                SELECT 'no-default', '' WHERE wanted.has_default AND NOT present.atthasdef) AS trouble (kind, detail)
            UNION ALL
            SELECT 8, present.place, 'unknown-column', present.name, present.shown, quote_ident(present.attname), ''
            FROM present_column AS present
            WHERE present.attnotnull AND NOT present.atthasdef AND present.attidentity = '' AND NOT EXISTS (
                SELECT FROM wanted_column AS wanted
                WHERE wanted.name = present.name AND wanted.column_name = present.attname)
            UNION ALL
            SELECT 9, relation.place, 'no-key', wanted.name, relation.shown, wanted.columns,
                coalesce((
                    SELECT 'DROP CONSTRAINT ' || unsound.held_by || ', ' FROM present_key AS unsound
                    WHERE unsound.oid = relation.oid AND unsound.sorted = wanted.sorted AND unsound.held_by IS NOT NULL
                    LIMIT 1), '')
                || CASE WHEN EXISTS (
                        SELECT FROM present_key AS other
                        WHERE other.oid = relation.oid AND other.indisprimary AND other.sorted <> wanted.sorted)
                    THEN 'ADD UNIQUE' ELSE 'ADD PRIMARY KEY' END
            FROM relation JOIN wanted_key AS wanted USING (name)
            WHERE relation.relkind IN ('r', 'p') AND NOT EXISTS (
                SELECT FROM present_key AS present
                WHERE present.oid = relation.oid AND present.sorted = wanted.sorted AND present.is_sound)
            UNION ALL
            SELECT 10, place, 'unlogged', name, shown, '', ''
            FROM part WHERE relkind = 'r' AND relpersistence <> 'p'
            UNION ALL
            SELECT 11, part.place, 'trigger', part.name, part.shown, quote_ident(tgname), ''
            FROM part JOIN pg_trigger ON tgrelid = part.oid
            WHERE NOT tgisinternal AND tgparentid = 0 AND tgenabled IN ('O', 'A')
                AND tgtype & 3 = 3 AND tgtype & part.changes <> 0
                AND NOT EXISTS (SELECT FROM pg_proc WHERE pg_proc.oid = tgfoid AND prosrc = \(noteBody))
            UNION ALL
            SELECT 12, relation.place, 'rule', relation.name, relation.shown, quote_ident(rulename), ''
            FROM relation JOIN pg_rewrite ON ev_class = relation.oid
            WHERE relation.relkind IN ('r', 'p') AND ev_type <> '1' AND ev_enabled IN ('O', 'A')
            UNION ALL
            SELECT 13, part.place, 'cascade', part.name, part.shown, quote_ident(conname), ''
            FROM part JOIN pg_constraint ON conrelid = part.oid
            WHERE contype = 'f' AND conparentid = 0
                AND (confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd'))
        )
        SELECT kind, name, shown, object::text, detail FROM found ORDER BY rank, place, 3, 4 LIMIT \(misfitsMax)
        """
}
