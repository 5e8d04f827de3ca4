/// The parts that come from the table of settings.
func settingsParts() -> [GeneratedPart] { [] }
