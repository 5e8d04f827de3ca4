import LikesProtocol

extension Schema {
    /// What `likesctl migrate` does, as SQL for those who bring up the schema by other means, from any older version or
    /// from nothing. Safe to repeat; in a newer schema it does nothing. With `partitions` it stops before the first
    /// step if the likes already have another layout.
    package static func script(itemTypes: ItemTypes, partitions: Partitions? = nil) -> String {
        let option = partitions.map { " --partitions \($0.count)" } ?? ""
        var text = """
            -- The tables of likesd, version \(version), for PostgreSQL: what 'likesctl migrate\(option)' does.
            -- Safe to repeat; steps that were done are skipped:  psql -v ON_ERROR_STOP=1 -f FILE DATABASE

            """
        if let partitions { text += "\n-- Partitions\n" + transaction(guardBlock(of: partitions)) }
        for migration in migrations(partitions: partitions) {
            text += "\n-- Version \(migration.version)\n" + transaction(block(of: migration))
        }
        let addition = addItemTypes("'\(array(of: itemTypes))'", numbers: "'\(noNumbers)'")
        let check = guardOfTypes(array(of: itemTypes))
        text += "\n-- Item types\n" + transaction("\(lockItemTypes);\n\(check)\(addition);\n")
        return text
    }

    /// A read from before the lock was acquired must not count afterwards, whatever the database's own default is.
    private static func transaction(_ statements: String) -> String {
        "BEGIN ISOLATION LEVEL READ COMMITTED;\n\(statements)COMMIT;\n"
    }

    /// One step as a block of PL/pgSQL. It checks the version once it has the lock.
    private static func block(of migration: Migration) -> String {
        let statements = migration.statements + [updateVersion(to: String(migration.version))]
        return """
            DO $likesd$
            BEGIN
                PERFORM \(lockForMigrating);
                IF (\(hasVersion)) THEN
                    IF (\(selectVersion)) >= \(migration.version) THEN RETURN; END IF;
                END IF;
            \(statements.map { "\($0);\n" }.joined())END
            $likesd$;

            """
    }

    /// A block of PL/pgSQL that ends the script if the likes have another layout.
    private static func guardBlock(of partitions: Partitions) -> String {
        """
        DO $likesd$
        BEGIN
            PERFORM \(lockForMigrating);
            IF (\(hasVersion)) AND (\(Partitions.isIncomplete)) THEN
                RAISE EXCEPTION '\(Partitions.incompleteness)' USING HINT = '\(Partitions.completion)';
            END IF;
            IF (\(hasVersion)) AND NOT (\(partitions.isLaidOut)) THEN
                RAISE EXCEPTION '\(partitions.refusal)' USING HINT = '\(Partitions.remedy)';
            END IF;
        END
        $likesd$;

        """
    }
}
